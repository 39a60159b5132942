"""JobPanel and JobView: jobs as they run, with progress, pictures, figures and a way to stop them."""

from __future__ import annotations

import logging
import threading
import weakref
from html import escape
from pathlib import Path
from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.session.figures import figure_text, readable_name
from spa_widgets.viewers.base import Answer, SpaWidget, bundle

ENDED = ("finished", "failed", "cancelled")
_BUSY_S, _IDLE_S = 0.4, 2.0
_log = logging.getLogger(__name__)


class JobPanel(SpaWidget):
    """The jobs of a session, live: a thread follows them, so progress moves while a cell runs.

    Parameters
    ----------
    session : Session
        The session (or a workspace of it).
    **options
        ``newest_first`` (True), ``selected`` (name of the job whose details are open), ``show`` ("list" or "tree"),
        ``language``.
    """

    _esm = bundle("jobs")
    jobs = traitlets.List(traitlets.Dict()).tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    show = traitlets.Enum(["list", "tree"], "list").tag(sync=True)
    newest_first = traitlets.Bool(True).tag(sync=True)
    single = traitlets.Bool(False).tag(sync=True)

    def __init__(self, session: Any, **options: Any) -> None:
        super().__init__(**options)
        self._session = session
        self._rows: dict[str, dict[str, Any]] = {}
        self._stop = threading.Event()
        self.refresh()
        self.observe(lambda _change: self.refresh(), names=["selected"])
        threading.Thread(target=_pump, args=(weakref.ref(self), self._stop), name="JobPanel", daemon=True).start()

    def _listed(self) -> list[Any]:
        return list(self._session.jobs)

    def _job(self, name: str) -> Any:
        for job in self._listed():
            if job.name == name:
                return job
        raise UserError(f"there is no job {name!r} here")

    # ---- what a person does --------------------------------------------------------------------------------------
    def refresh(self) -> bool:
        """Look at the jobs now, as a thread does by itself; tells whether any is still going on."""
        with self._lock:
            rows = [self._row(job) for job in self._listed()]
            if rows != self.jobs:
                self.jobs = rows
            if self.selected:
                details = _details(self._job(self.selected))
                if details != self.details:
                    self.details = details
            return any(row["status"] not in ENDED for row in rows)

    def select(self, name: str) -> None:
        """Open the details of a job: what a click on its row does."""
        self._job(name)
        self.selected = name

    def cancel(self, name: str) -> None:
        """Ask a job to stop: what its button does."""
        self._job(name).cancel()
        self.refresh()

    def close(self) -> None:
        """Stop following and remove the widget."""
        self._stop.set()
        super().close()

    def code(self) -> str:
        """Give the selected job, or all, as Python that asks for them again."""
        jobs = [self._job(self.selected)] if self.selected else self._listed()
        return "\n".join(job.code() for job in jobs)

    def static_html(self) -> str:
        """Give the jobs as a table."""
        cells = [
            f"<tr><td>{escape(row['name'])}</td><td style='text-align:left'>{escape(row['title'])}</td>"
            f"<td>{escape(row['status'])}</td>"
            f"<td>{'reused' if row['seconds'] is None else format(row['seconds'], '.1f') + ' s'}</td></tr>"
            for row in self.jobs
        ]
        if not cells:
            return "<i>No job yet; the live panel shows each as it runs.</i>"
        return f"<table>{''.join(cells)}</table>"

    def _row(self, job: Any) -> dict[str, Any]:
        """Give what the list shows of a job; one that has ended is read only once."""
        kept = self._rows.get(job.name)
        if kept is not None and kept["status"] in ENDED:
            return kept
        status = job.status
        row = {
            "name": job.name, "title": job.step.title, "step": job.step.name, "status": status,
            "progress": round(float(job.progress), 3), "message": job.message if status == "running" else "",
            "eta_s": None if job.eta_s is None else round(job.eta_s), "error": job.error,
            "seconds": None if job.seconds is None else round(job.seconds, 1),
            "parents": [parent.name for parent in job.parents],
        }  # fmt: skip
        self._rows[job.name] = row
        return row

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_select(self, name: str) -> dict[str, Any]:
        self.selected = "" if name == self.selected and not self.single else name
        return {}

    def _ask_cancel(self, name: str) -> dict[str, Any]:
        self.cancel(name)
        return {}

    def _ask_picture(self, name: str, file: str) -> Answer:
        job = self._job(name)
        title = next((event["name"] for event in job.events(kind="picture") if event.get("file") == file), None)
        path = Path(file) if title is None else job.pictures[title][0]  # it moves when the job ends
        if title is None or not path.is_file():
            raise UserError("this picture is no longer there")
        return {"mime": "image/webp"}, [path.read_bytes()]


class JobView(JobPanel):
    """One job, live.

    Parameters
    ----------
    job : Job
    **options
        ``language``.
    """

    def __init__(self, job: Any, **options: Any) -> None:
        self._only = job
        super().__init__(job.session, single=True, selected=job.name, **options)

    def _listed(self) -> list[Any]:
        return [self._only]


def _details(job: Any) -> dict[str, Any]:
    """Give what the open row shows: figures, pictures, warnings, the last events."""
    events = job.events()
    pictures = {event["name"]: event for event in events if event.get("kind") == "picture"}
    figures = {name: value for name, value in job.figures.items() if not isinstance(value, list | dict)}
    readable = [(*readable_name(name), figure_text(value)) for name, value in figures.items()]
    return {
        "name": job.name, "code": job.code(), "error": job.error, "warnings": job.warnings[-5:],
        "figures": [[words, f"{text} {unit}".strip()] for words, unit, text in readable],
        "pictures": [
            {"name": name, "file": event["file"], "caption": event.get("caption", ""), "time": event["time"]}
            for name, event in pictures.items()
        ],
    }  # fmt: skip


def _pump(panel: weakref.ref[JobPanel], stop: threading.Event) -> None:
    """Keep a panel fresh until it is closed or forgotten."""
    pause = _BUSY_S
    while not stop.wait(pause):
        alive = panel()
        if alive is None:
            return
        try:
            pause = _BUSY_S if alive.refresh() else _IDLE_S
        except Exception:  # a moment's trouble with the disk must not end the panel
            _log.debug("following jobs", exc_info=True)
            pause = _IDLE_S
        del alive
