"""A session's side of the engine service: it hands jobs over, and brings back what became of them."""

from __future__ import annotations

import sqlite3
import threading
import time
from contextlib import suppress
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.events import EVENTS_FILE
from spa_widgets.session.project import Project
from spa_widgets.session.queue import ENDED, FAILED, FINISHED, QUEUED, RUNNING, JobRow
from spa_widgets.session.service_requests import ServiceRequests
from spa_widgets.session.starter import RunnerStarter
from spa_widgets.session.tickets import ServicePlace, SpoolClosed, new_ticket

_LOOK_EVERY_S = 0.1
_FOLLOW_EVERY_S = 0.25
_READ_ANYHOW_S = 2.0


class ServiceLink(RunnerStarter):
    """Keep a project's jobs going: those with a ticket by the engine service, the others by the project's own runner.

    The project's queue stays what sessions look at. Nothing is lost when no session is open: the tickets keep what
    became of the jobs, and the next session brings it in.

    Parameters
    ----------
    project
        The project.
    place
        The service's folder.
    """

    def __init__(self, project: Project, place: ServicePlace) -> None:
        super().__init__(project)
        self.place = place
        self._requests = ServiceRequests(project, place)
        self._sync_lock = threading.Lock()
        self._looked = self._synced = 0.0
        self._follower: threading.Thread | None = None
        self._tickets: list[str] = []  # of the jobs that the service has
        self._has_own = False  # jobs that the project's own runner works off
        self._seen: dict[str, int] = {}  # when the answers that were brought in were written
        self._known = threading.local()  # the queue's version, which each thread's connection counts for itself

    def ensure(self, at_once: bool = True) -> None:
        """Hand over what is new, bring in what has changed, and start the own runner when it has work."""
        with self._sync_lock:
            if not at_once and time.monotonic() - self._looked < _LOOK_EVERY_S:
                return
            if at_once or self._is_news():
                self._sync()
            has_own = self._has_own
        if has_own:
            super().ensure(at_once)

    def _is_news(self) -> bool:
        """Tell whether an answer or the queue has changed: many who wait must not keep the machine busy."""
        self._looked = time.monotonic()
        return (
            self._looked - self._synced > _READ_ANYHOW_S
            or self._project.queue.version() != getattr(self._known, "version", None)
            or any(self.place.when_written(ticket) != self._seen.get(ticket) for ticket in self._tickets)
        )

    def _sync(self) -> None:
        """Look after every job that the service has."""
        self._looked = self._synced = time.monotonic()
        self._known.version = self._project.queue.version()
        rows = self._project.queue.jobs(states=(QUEUED, RUNNING))
        self._has_own = any(not row.ticket for row in rows)
        remote = [row for row in rows if row.ticket]
        self._tickets = [row.ticket for row in remote]
        for row in remote:
            self._follow(row)
        if remote and (self._follower is None or not self._follower.is_alive()):
            self._follower = threading.Thread(target=self._keep_following, name="service", daemon=True)
            self._follower.start()

    def _keep_following(self) -> None:
        """Bring in what changes while nobody asks for it, as long as the service has jobs of ours."""
        goes_on = True
        while goes_on:
            time.sleep(_FOLLOW_EVERY_S)
            try:
                with self._sync_lock:
                    if self._is_news():
                        self._sync()
                    goes_on = bool(self._tickets)
            except (OSError, UserError, sqlite3.Error):  # the project is gone, or the spool is closed: who asks is told
                return

    def cancel(self, row: JobRow) -> None:
        """Take a job back from the service."""
        if row.ticket:
            self.place.cancel(row.ticket)

    def standing(self, row: JobRow) -> dict[str, Any]:
        """Return where a job stands in the service's queue: ``position`` (1 is next) and ``expected_wait_s``.

        Nothing of the sort is known while the service does not answer.
        """
        return (self.place.status(row.ticket) or {}) if row.ticket and self.place.is_alive() else {}

    def _follow(self, row: JobRow) -> None:
        if (written := self.place.when_written(row.ticket)) is not None and self._seen.get(row.ticket) == written:
            return
        status = self.place.status(row.ticket)
        if status is None:
            if not self._requests.is_under_way(row.ticket):
                self._hand_over(row)
            return
        self._show_events(row, status)
        state = status.get("state")
        if state == FINISHED:
            self._bring_in(row, status)
        elif state in ENDED:
            error = self._requests.why(row, status)
            self._change(row, state=state, error=error, started=status.get("started"), ended=time.time())
        elif state == RUNNING and row.state != RUNNING:
            self._change(row, state=RUNNING, started=status.get("started") or time.time())
        elif state == QUEUED and row.state == RUNNING:
            self._change(row, state=QUEUED)
        if written is not None:
            self._seen[row.ticket] = written

    def _hand_over(self, row: JobRow) -> None:
        """Put a job into the spool, unless something that it needs is still in the making here."""
        try:
            self._requests.hand_over(row)
        except SpoolClosed:
            raise  # who asks is told, and the job waits
        except UserError as error:
            self._change(row, state=FAILED, error=str(error), ended=time.time())

    def _change(self, row: JobRow, **fields: Any) -> None:
        if self._project.queue.update(row.number, only_if=(QUEUED, RUNNING), **fields):
            self._project.describe(row.number)

    def _bring_in(self, row: JobRow, status: dict[str, Any]) -> None:
        key = str(status["key"])
        found = self._project.store.find(key, content=True)
        if found is not None:
            # what another one asked for earlier took this one no longer than since he asked
            self._project.queue.update(row.number, started=max(status.get("started") or 0.0, row.created))
            self._project.finish(row, found, bool(status.get("reused")))
        else:  # damaged since: ask again, and say so
            self._project.queue.update(row.number, state=QUEUED, key=key, ticket=new_ticket())
            self._synced = 0.0

    def _show_events(self, row: JobRow, status: dict[str, Any]) -> None:
        """Let the job's events be those of the one computation that the service makes of equal requests."""
        shown = self._project.folder(row) / EVENTS_FILE
        events = str(status.get("events") or "")
        if events and not (shown.is_symlink() and str(shown.readlink()) == events):
            with suppress(OSError):
                shown.unlink(missing_ok=True)
                shown.symlink_to(events)
