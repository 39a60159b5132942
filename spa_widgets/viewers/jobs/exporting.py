"""The part of the job panel that writes a bundle for others, and sends files to the browser."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.session.context import Cancelled
from spa_widgets.viewers.base import Answer, SpaWidget

MOST_DOWNLOAD_BYTES = 200_000_000
_PROGRESS_S = 0.2
_log = logging.getLogger(__name__)


class ExportHost(SpaWidget):
    """Base of the widgets that can export: what is written, and how far it is, is shown in every view.

    The lock is not held while the archive is written, so the panel goes on answering. What the ticks
    `without_micrographs` and `without_stacks` leave out is the same as in `Session.export`.
    """

    exporting = traitlets.Dict().tag(sync=True)
    without_micrographs = traitlets.Bool(False).tag(sync=True)
    without_stacks = traitlets.Bool(False).tag(sync=True)
    _project: Any
    _exported_by_default: Sequence[Any] = ()
    _stop_export: threading.Event | None = None
    _exported: Path | None = None

    def export(self, path: Path | str | None = None, jobs: Sequence[Any] = ()) -> Path:
        """Write finished jobs, with all that leads to them, into one archive: what the Export buttons do.

        Micrographs and stacks of particles travel too, unless `without_micrographs` or `without_stacks` is set. Views
        show the progress, and `cancel_export` ends it from another thread.

        Parameters
        ----------
        path
            The archive to make; by default one of the project's name in the current folder, numbered if it is taken.
        jobs
            Jobs, or their names, to take with those that they use; all finished ones of the project by default
            (in a `JobView` its job).

        Returns
        -------
        Path
            The archive.

        Raises
        ------
        UserError
            If an export is going on, a job is not finished, or the archive cannot be written.
        Cancelled
            If it was cancelled; nothing is left behind.
        """
        names = [str(getattr(job, "name", job)) for job in jobs or self._exported_by_default]
        return self._export(path, names, self._begin_export(names))

    def cancel_export(self) -> None:
        """End an export that is going on; nothing is left behind."""
        if self._stop_export is not None:
            self._stop_export.set()

    def close(self) -> None:
        """End what is being exported and remove the widget."""
        self.cancel_export()
        super().close()

    def _begin_export(self, names: list[str]) -> threading.Event:
        with self._lock:
            if self._stop_export is not None:
                raise UserError("An export is going on already; wait until it has ended, or cancel it.")
            self._stop_export = stop = threading.Event()
            self._exported = None
            self.exporting = {"state": "running", "jobs": names, "done": 0, "total": 0}
            return stop

    def _export(self, path: Path | str | None, names: list[str], stop: threading.Event) -> Path:
        shown: dict[str, Any] = {"state": "failed", "jobs": names}
        try:
            target = _free_path(self._project.project.settings["title"], names) if path is None else path
            written = self._project.export(
                target, names, micrographs=not self.without_micrographs, stacks=not self.without_stacks,
                progress=self._export_reporter(names), is_cancelled=stop.is_set,
            )  # fmt: skip
            self._exported = written.path
            shown |= {
                "state": "done", "path": str(written.path), "bytes": written.bytes, "count": len(written.jobs),
                "lacks": len(written.left_out), "not_finished": written.not_finished,
                "can_download": written.bytes <= MOST_DOWNLOAD_BYTES,
            }  # fmt: skip
        except (Cancelled, KeyboardInterrupt):
            shown["state"] = "cancelled"
            raise
        except Exception as problem:
            shown["error"] = str(problem) or type(problem).__name__
            raise
        finally:
            with self._lock:  # no other begins between the two
                self._stop_export = None
                self.exporting = shown
        return written.path

    def _export_reporter(self, names: list[str]) -> Callable[[int, int, str], None]:
        """Return a function to be told of every piece that is written; it shows not more than people can read."""
        last = -_PROGRESS_S

        def report(done: int, total: int, _file: str) -> None:
            nonlocal last
            if time.monotonic() - last >= _PROGRESS_S:
                last = time.monotonic()
                self.exporting = {"state": "running", "jobs": names, "done": done, "total": total}

        return report

    def _export_aside(self, names: list[str], stop: threading.Event) -> None:
        try:
            self._export(None, names, stop)
        except (Cancelled, UserError):
            pass  # the views show it
        except Exception:
            _log.exception("exporting %s", ", ".join(names) or "all jobs")

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_export(self, name: str = "") -> dict[str, Any]:
        names = [name] if name else []
        given = (names, self._begin_export(names))
        threading.Thread(target=self._export_aside, args=given, name="export", daemon=True).start()
        return {}

    def _ask_cancel_export(self) -> dict[str, Any]:
        self.cancel_export()
        return {}

    def _ask_exported(self) -> Answer:
        if self._exported is None or not self._exported.is_file():
            raise UserError("the archive is no longer there; export again")
        return file_answer(self._exported, self._exported.name)


def file_answer(path: Path, name: str) -> Answer:
    """Give a file to the browser under a name.

    Raises
    ------
    UserError
        If it is too large to be sent.
    """
    if path.stat().st_size > MOST_DOWNLOAD_BYTES:
        raise UserError(f"{path.name} is too large to be sent to the browser; take it from {path}")
    return {"name": name}, [path.read_bytes()]


def _free_path(title: str, names: list[str]) -> Path:
    """Give the first name for a bundle that no file of the current folder has."""
    stem = "_".join([re.sub(r"[^\w.-]+", "_", title).strip("._") or "project", *names])
    numbered = (f"{stem}_{number}" for number in itertools.count(2))
    return next(path for name in itertools.chain([stem], numbered) if not (path := Path.cwd() / f"{name}.spa").exists())
