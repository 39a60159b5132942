"""What a Dask worker does: one job of a project's queue, from its specification to its published result."""

from __future__ import annotations

import ctypes
import gc
import time
import traceback
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.clusters.mapping import spread
from spa_widgets.session.clusters.prepare import require_same_project
from spa_widgets.session.context import Cancelled, Spread
from spa_widgets.session.events import EVENTS_FILE, EventWriter
from spa_widgets.session.execute import ATTEMPT_PREFIX, execute
from spa_widgets.session.keys import digest
from spa_widgets.session.project import Project
from spa_widgets.session.queue import CANCELLED, FAILED, QUEUED, RUNNING, JobRow
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import resolve

_CANCEL_EVERY_S = 0.2
_MAX_ATTEMPTS = 5


def warm_up() -> None:
    """Import what every job needs, so that the first one starts at once."""
    load_steps()


def run_job(
    project_path: str, number: int, device: str, spreads: bool = False, runner: dict[str, Any] | None = None
) -> str:
    """Run one job of the queue; return the state in which it ended.

    Everything that a session wants to know is in the queue, the job's folder and the store when this returns, so a
    runner that dies in between loses nothing.

    Parameters
    ----------
    project_path, number, device
        The job and where it computes.
    spreads
        Whether it may use several workers.
    runner
        What the runner knows of the project, when it is on another machine: this worker must know the same.

    Raises
    ------
    UserError
        If this worker does not see the project.
    """
    if runner is not None:
        require_same_project(Path(project_path), runner)
    load_steps()
    project = Project(Path(project_path))
    row = project.queue.get(number)
    if row is None:
        return CANCELLED
    if refused := _begin(project, row):
        return refused
    file = project.folder(row) / EVENTS_FILE
    if file.is_symlink():
        file.unlink()  # an engine service was asked for it before
    events = EventWriter(file)
    try:
        return _guarded(project, row, device, events, spread if spreads else None)
    finally:
        _give_memory_back()


def _guarded(project: Project, row: JobRow, device: str, events: EventWriter, spread: Spread | None) -> str:
    """Run a job and keep what went wrong, if anything, where the session finds it."""
    try:
        return _execute(project, row, device, events, spread)
    except Cancelled:
        return _end(project, row, CANCELLED, "", events)
    except (UserError, ValueError) as error:
        _keep_details(project, row)
        return _end(project, row, FAILED, str(error), events)
    except MemoryError as error:
        _keep_details(project, row)
        sentence = f"{row.step} needs more memory than there is ({error}); use a smaller box or fewer classes."
        return _end(project, row, FAILED, sentence, events)
    except Exception as error:
        _keep_details(project, row)
        sentence = f"{row.step} broke off with {type(error).__name__}: {error}. Details: {row.folder_name}/error.txt."
        return _end(project, row, FAILED, sentence, events)


def _keep_details(project: Project, row: JobRow) -> None:
    """Write the trace of the error at hand into the job's folder, if the disk takes it."""
    with suppress(OSError):
        (project.folder(row) / "error.txt").write_text(traceback.format_exc(), encoding="utf-8")


def _give_memory_back() -> None:
    """Return freed memory to the system; the C library would keep it for the next job."""
    gc.collect()
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _begin(project: Project, row: JobRow) -> str:
    """Mark a job as running, unless it was cancelled or lost its process too often; return its state if so."""
    if row.cancel:
        project.queue.update(row.number, only_if=(QUEUED, RUNNING), state=CANCELLED, ended=time.time())
        return CANCELLED
    attempts = 1 if _got_further(project, row) else row.attempts + 1
    if attempts > _MAX_ATTEMPTS:
        sentence = (
            f"{row.step} lost its process {row.attempts} times without getting further; the memory may not suffice: "
            "use a smaller box or fewer classes, then run it again."
        )
        project.queue.update(row.number, only_if=(QUEUED, RUNNING), state=FAILED, error=sentence, ended=time.time())
        return FAILED
    begun = project.queue.update(
        row.number, only_if=(QUEUED, RUNNING), state=RUNNING, started=time.time(), ended=None, attempts=attempts
    )
    return "" if begun else CANCELLED


def _got_further(project: Project, row: JobRow) -> bool:
    """Tell whether the last attempt kept a checkpoint, or a part of the result, before it died."""
    return row.key is not None and _what_is_kept(project, row.key) not in ("", row.kept)


def _what_is_kept(project: Project, key: str) -> str:
    """Return a digest of what attempts at a result kept so far; empty where there is nothing.

    Of contents, as the archives' own lists give them: the clock of a file server may differ from this machine's, and
    an attempt that kept the same once more got no further.
    """
    folder = project.store.path / "work" / key
    found = []
    for path in sorted(folder.rglob("*.npz")):
        name = path.relative_to(folder).as_posix()
        if not name.startswith(ATTEMPT_PREFIX):
            with suppress(OSError, zipfile.BadZipFile), zipfile.ZipFile(path) as archive:
                found.append([name, [[item.filename, item.CRC, item.file_size] for item in archive.infolist()]])
    return digest(found) if found else ""


def _execute(project: Project, row: JobRow, device: str, events: EventWriter, spread: Spread | None) -> str:
    is_cancelled = _cancel_flag(project, row.number)
    spec = project.spec(row)
    job = resolve(spec, project.store, on_file=lambda path: _reading(events, path.name, is_cancelled))
    project.queue.update(row.number, key=job.key, kept=_what_is_kept(project, job.key))
    reused = project.store.find(job.key) is not None
    key = execute(spec, project.store, device, events, is_cancelled, spread)
    stored = project.store.get(key)
    with suppress(OSError):  # before the queue says so: whoever waited for the end finds the event
        events({"kind": "finished", "time": time.time()})
    project.finish(row, stored, reused)
    return "finished"


def _reading(events: EventWriter, name: str, is_cancelled: Callable[[], bool]) -> None:
    if is_cancelled():
        raise Cancelled("Cancelled while the raw files were read.")
    events({"kind": "reading", "time": time.time(), "file": name})


def _cancel_flag(project: Project, number: int) -> Callable[[], bool]:
    """Return a function that tells whether a job is to stop; it looks into the queue a few times a second."""
    looked, answer = 0.0, False

    def is_cancelled() -> bool:
        nonlocal looked, answer
        if not answer and time.monotonic() - looked > _CANCEL_EVERY_S:
            row = project.queue.get(number)
            answer, looked = row is None or row.cancel, time.monotonic()
        return answer

    return is_cancelled


def _end(project: Project, row: JobRow, state: str, error: str, events: EventWriter) -> str:
    with suppress(OSError):  # a full disk, say: what counts is in the queue
        events({"kind": state, "time": time.time(), "message": error})
    project.queue.update(row.number, only_if=(QUEUED, RUNNING), state=state, error=error, ended=time.time())
    with suppress(OSError):
        project.describe(row.number)
    return state
