"""JobPanel, SessionTree and JobView: jobs as they run, with progress, pictures, results and ways to act on them."""

from __future__ import annotations

import time
from html import escape
from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.session.display import duration
from spa_widgets.session.queue import JobRow
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.follow import follow
from spa_widgets.viewers.jobs.asking import AskHost
from spa_widgets.viewers.jobs.exporting import ExportHost, file_answer
from spa_widgets.viewers.jobs.rows import disk_bytes, has_ended, job_details, job_row
from spa_widgets.viewers.jobs.standing import class_queue

_SEEN = "job_panel/seen"


class JobPanel(ExportHost, AskHost):
    """The jobs of a session, live: a thread follows them, so progress moves while a cell runs.

    Jobs that ended while no panel was open are marked as news.

    Parameters
    ----------
    session : Session
        The session (or a workspace of it).
    **options
        ``newest_first`` (True), ``selected`` (name of the job whose details are open), ``show`` ("list" or "tree"),
        ``search`` (text that the jobs shown contain), ``language``.
    """

    _esm = bundle("jobs")
    jobs = traitlets.List(traitlets.Dict()).tag(sync=True)
    details = traitlets.Dict().tag(sync=True)
    queue = traitlets.Dict().tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)
    show = traitlets.Enum(["list", "tree"], "list").tag(sync=True)
    search = traitlets.Unicode("").tag(sync=True)
    newest_first = traitlets.Bool(True).tag(sync=True)
    single = traitlets.Bool(False).tag(sync=True)

    def __init__(self, session: Any, **options: Any) -> None:
        super().__init__(**options)
        self._session = session
        self._project = getattr(session, "session", session)
        self._rows: dict[str, dict[str, Any]] = {}
        self._handles: dict[int, Any] = {}
        self._seen = float(sources.recall(self._project, _SEEN) or 0.0)
        self.refresh()
        self._look_at()
        self.observe(lambda _change: self.refresh(), names=["selected"])
        self._stop = follow(self)

    def _queue_rows(self) -> list[JobRow]:
        """List the jobs as the queue has them: one question to it, however many there are."""
        workspace = None if self._session is self._project else self._session.name
        return list(self._project.project.queue.jobs(workspace))

    def _handle(self, number: int) -> Any:
        if number not in self._handles:
            self._handles[number] = self._project[number]
        return self._handles[number]

    def _listed(self) -> list[Any]:
        return [self._handle(row.number) for row in self._queue_rows()]

    def _job(self, name: str) -> Any:
        for row in self._queue_rows():
            if row.name == name:
                return self._handle(row.number)
        raise UserError(f"there is no job {name!r} here")

    def _look_at(self) -> None:
        """Remember until when a person has seen what happened."""
        if not self.single and self.jobs and not self._project.is_looking_on:
            self._project.decide(_SEEN, time.time())

    # ---- what a person does --------------------------------------------------------------------------------------
    def refresh(self) -> bool:
        """Look at the jobs now, as a thread does by itself; tells whether any is still going on."""
        with self._lock:
            before = {row["name"] for row in self.jobs if has_ended(row)}
            rows = [self._row(row) for row in self._queue_rows()]
            if rows != self.jobs:
                ended_now = bool(self.jobs) and {row["name"] for row in rows if has_ended(row)} != before
                self.jobs = rows
                if ended_now:
                    self._look_at()
            if not self.single:
                self.queue = class_queue(self._project)
            if self.selected:
                details = job_details(self._job(self.selected))
                if details != self.details:
                    self.details = details
            return any(not has_ended(row) for row in rows)

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
            f"<td>{'reused' if row['seconds'] is None else escape(duration(row['seconds']))}</td></tr>"
            for row in self.jobs
        ]
        if not cells:
            return "<i>No job yet; the live panel shows each as it runs.</i>"
        return f"<table>{''.join(cells)}</table>"

    def _row(self, queued: JobRow) -> dict[str, Any]:
        """Give what the list shows of a job; one that has ended is read again only when it was taken up again."""
        kept = self._rows.get(queued.name)
        if kept is not None and has_ended(kept) and queued.state == kept["status"]:
            return kept
        row = job_row(self._handle(queued.number))
        row["is_news"] = kept is None and has_ended(row) and 0 < self._seen < (queued.ended or 0.0)
        self._rows[queued.name] = row
        return row

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_select(self, name: str) -> dict[str, Any]:
        self.selected = "" if name == self.selected and not self.single else name
        return {}

    def _ask_cancel(self, name: str) -> dict[str, Any]:
        self.cancel(name)
        return {}

    def _ask_picture(self, name: str, picture: str) -> Answer:
        found = self._job(name).pictures.get(picture)
        if found is None or not found[0].is_file():
            raise UserError("this picture is no longer there")
        return {"mime": "image/webp"}, [found[0].read_bytes()]

    def _ask_file(self, name: str, file: str) -> Answer:
        path = self._job(name).path(file)
        return file_answer(path, f"{name}_{path.name}")


class SessionTree(JobPanel):
    """The jobs of a session as a graph: every job a node with its state, every use of a result an edge.

    Parameters
    ----------
    session : Session
        The session (or a workspace of it).
    **options
        As those of `JobPanel`.
    """

    show = traitlets.Enum(["list", "tree"], "tree").tag(sync=True)

    @property
    def disk_bytes(self) -> int:
        """Bytes that the folders of the jobs hold."""
        return sum(disk_bytes(job.folder) for job in self._listed())


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
        self._exported_by_default = (job,)
        super().__init__(job.session, single=True, selected=job.name, **options)

    def _queue_rows(self) -> list[JobRow]:
        found = self._project.project.queue.get(self._only.number)
        return [] if found is None else [found]
