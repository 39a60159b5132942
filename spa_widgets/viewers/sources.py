"""What a widget may be given: a job, one output of a job, a folder, a file, or names with a wildcard.

Jobs are known by what they do (``path``, ``status``, ``wait``), not by their class: no widget needs the session to be
imported.
"""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.viewers.labels import in_japanese

DONE, FAILED = "finished", ("failed", "cancelled")


def job_of(source: Any) -> Any | None:
    """Give the job behind a job or one of its outputs; None for a path."""
    if hasattr(source, "status") and callable(getattr(source, "path", None)):
        return source
    inner = getattr(source, "job", None)
    return job_of(inner) if inner is not None and inner is not source else None


def status_of(job: Any) -> str:
    """Give a job's status: queued, running, finished, failed or cancelled."""
    return str(job.status)


def is_ready(source: Any) -> bool:
    """Tell whether the files of a source are there: always for paths; for a job once it is done."""
    job = job_of(source)
    return True if job is None else status_of(job) == DONE


def name_of(job: Any, language: str = "en") -> str:
    """Give a name for people: ``J12 2D classification``."""
    title = in_japanese(job.step.title) if language == "ja" else job.step.title
    return f"{job.name} {title}"


def describe(source: Any) -> str:
    """Give name and status of a source, for a waiting view."""
    job = job_of(source)
    return str(source) if job is None else f"{name_of(job)}: {status_of(job)}"


def wait_for(source: Any) -> None:
    """Wait until a source's job has ended.

    Raises
    ------
    UserError
        When it failed or was cancelled.
    """
    job = job_of(source)
    if job is None:
        return
    job.wait()
    if status_of(job) in FAILED:
        raise UserError(f"{name_of(job)} {status_of(job)}; look at its log, mend the cause and run it again")


def file_of(source: Any, names: Sequence[str], files: Sequence[str]) -> Path:
    """Find the file that a widget shows.

    Parameters
    ----------
    source
        A job, an output of a job, a file, or a folder.
    names : sequence of str
        Output names to try on a job, best first.
    files : sequence of str
        File names to try in a folder, best first.

    Raises
    ------
    UserError
        When there is none of them.
    """
    job = job_of(source)
    if job is not None and job is not source:  # one output of a job
        names = [source.output.name, *names]
    if job is not None:
        wait_for(job)
        for name in names:
            found = _output(job, name)
            if found is not None:
                return found
        raise UserError(f"{name_of(job)} has no output {' or '.join(names)}; give the job of another step")
    if not isinstance(source, str | Path):
        raise UserError(f"a {type(source).__name__} was given; give a job, a file or a folder")
    return _existing(Path(source).expanduser(), files)


def decision_key(what: str, source: Any) -> str:
    """Give the name under which a session keeps a decision about a source."""
    job = job_of(source)
    return f"{what}/{source if job is None else job.name}"


def recall(session: Any, key: str) -> Any:
    """Give the decision that a session keeps under a key; None without a session or decision."""
    return None if session is None else session.decisions.get(key)


def _output(job: Any, name: str) -> Path | None:
    try:
        return Path(job.path(name))
    except UserError:
        return None


def _existing(path: Path, files: Sequence[str]) -> Path:
    if path.is_file():
        return path
    if path.is_dir():
        for file in files:
            if (path / file).is_file():
                return path / file
        raise UserError(f"{path} holds none of {', '.join(files)}; give the folder of the step that makes it")
    raise UserError(f"{path} is not there; give a file or a folder that exists")


def beside(path: Path, name: str) -> Path | None:
    """Give the file of that name in the same folder, if there is one."""
    found = path.parent / name
    return found if found.is_file() else None


def expand(source: Any) -> list[Path]:
    """Give the files that a name with wildcards, or a list of names, stands for."""
    items = [source] if isinstance(source, str | Path) else list(source)
    found: list[Path] = []
    for item in items:
        matches = sorted(glob.glob(str(Path(item).expanduser())))
        if not matches:
            raise UserError(f"no file is called {item}; check the folder and the ending")
        found.extend(Path(match) for match in matches)
    return found
