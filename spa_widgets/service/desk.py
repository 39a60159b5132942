"""The desk of the service: it takes requests from the spool, and writes what became of them."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Mapping
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.service.admission import Admission
from spa_widgets.service.intake import Intake, Participant
from spa_widgets.service.ledger import Ledger, Ticket
from spa_widgets.service.open_tickets import OpenTickets
from spa_widgets.service.quota import Quota
from spa_widgets.service.spool import Request, Spool
from spa_widgets.session.disk import is_full
from spa_widgets.session.events import EVENTS_FILE
from spa_widgets.session.project import Project
from spa_widgets.session.queue import CANCELLED, ENDED, FAILED, QUEUED, RUNNING, JobRow
from spa_widgets.session.tickets import ASK, CANCEL, BadRequest, ServicePlace
from spa_widgets.session.whole import write_json

_WAITING_BYTES = 8 << 20  # of one user's requests that have no job yet; the others stay in the spool
_KEPT_S = 7 * 24 * 3600.0
_SWEEP_EVERY_S = 3600.0
_NEWS_EVERY_S = 0.5  # times the place in the line: who is next is told at once, who is far behind now and then
_NEWS_AT_MOST_S = 60.0
_PLACE = ("position", "expected_wait_s")
_log = logging.getLogger("spa.service")

Places = Mapping[int, tuple[int, float]]


class Desk:
    """Where requests come in and answers go out.

    Parameters
    ----------
    place
        The service's folder.
    project
        The service's own project, whose queue holds one job for all equal requests.
    spool
        Where requests come from.
    intake
        Looks at raw files.
    ledger
        Remembers who asked for what.
    quota
        Room on the disk.
    max_open
        How many open requests a user may have.
    """

    def __init__(
        self, place: ServicePlace, project: Project, spool: Spool, intake: Intake, ledger: Ledger, quota: Quota,
        max_open: int,
    ) -> None:  # fmt: skip
        self.place = place
        self.project = project
        self.spool = spool
        self.ledger = ledger
        self.quota = quota
        self.max_open = max_open
        self.open = OpenTickets(ledger.open())
        self._admission = Admission(place, project, intake, ledger, self.open, quota)
        self._written: dict[str, tuple[dict[str, Any], float]] = {}
        self._swept = 0.0

    # -- in ------------------------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Take what is in the spool and queue what is checked; tell whether there was anything."""
        self._sweep()
        taken = self.spool.take(lambda uid: self.open.waiting_bytes(uid) < _WAITING_BYTES, self._take)
        return any([self._admit(ticket) for ticket in self.open.without_job()]) or taken

    def _take(self, uid: int, request: Request) -> None:
        if request.get("kind") == CANCEL:
            self._take_back(request.get("ticket"), uid)
            return
        if request.get("kind") != ASK:
            raise BadRequest(f"{request['id']} of user {uid} asks for nothing that there is.")
        if self.ledger.add(request["id"], uid, Participant.of(uid).name, request):
            ticket = self.ledger.get(request["id"])
            assert ticket is not None
            self.open.add(ticket)
            if self.open.count(uid) > self.max_open:
                self._refuse(ticket, f"You have more than {self.max_open} open jobs; wait for some, then run it again.")

    def _take_back(self, wanted: object, uid: int) -> None:
        ticket = self.open.get(wanted)
        if ticket is None or ticket.uid != uid:
            return
        self._close(ticket, {"state": CANCELLED})
        if ticket.job is not None and not self.open.of_job(ticket.job):
            self.project.queue.update(ticket.job, only_if=(QUEUED, RUNNING), cancel=1)
            self.project.queue.update(ticket.job, only_if=(QUEUED,), state=CANCELLED, ended=time.time())

    def _admit(self, ticket: Ticket) -> bool:
        """Queue a request once its files are checked; tell whether this got anywhere."""
        try:
            row = self._admission.try_for(ticket)
        except UserError as error:
            self._refuse(ticket, str(error))
            return True
        except Exception as error:  # nothing that a participant sends may stop the service
            if is_full(error):  # no fault of the request: it is looked at again when there is space
                self._admission.forget(ticket)
                raise
            _log.exception("request %s of %s", ticket.id, ticket.user)
            self._refuse(ticket, f"The request could not be understood ({type(error).__name__}).")
            return True
        if row is None:
            return False
        self._admission.forget(ticket)
        joined = row.state != QUEUED or bool(self.open.of_job(row.number))
        self.ledger.attach(ticket.id, row.number, joined)
        self.open.attach(ticket, row.number, joined)
        return True

    def _sweep(self) -> None:
        """Forget answers of long ago; who asks for one again gets the result from the store."""
        now = time.time()
        if now - self._swept > _SWEEP_EVERY_S:
            self._swept = now
            for ticket in self.ledger.sweep(now - _KEPT_S):
                shutil.rmtree(self.place.tickets / ticket, ignore_errors=True)

    # -- out -----------------------------------------------------------------------------------------------------------

    def users(self, number: int) -> tuple[str, ...]:
        """Return who waits for a job."""
        return self.open.users_of(number)

    def answer(self, going_on: Iterable[JobRow], places: Places) -> None:
        """Write what became of every open request.

        Parameters
        ----------
        going_on
            The jobs that wait or run.
        places
            Position and expected wait in seconds of the jobs that wait.
        """
        rows = {row.number: row for row in going_on}
        ended: set[int] = set()
        for ticket in self.open.all():
            if ticket.job is None:
                self._write(ticket, {"state": QUEUED})
                continue
            row = rows.get(ticket.job) or self.project.queue.get(ticket.job)
            if row is None:
                self._refuse(ticket, "The service has lost this job; run it again.")
                continue
            status = self._status(ticket, row, places.get(row.number))
            if row.state in ENDED:
                if row.number not in ended:
                    self._charge(row)
                    ended.add(row.number)
                self._close(ticket, status)
            else:
                self._write(ticket, status)

    def _status(self, ticket: Ticket, row: JobRow, place: tuple[int, float] | None) -> dict[str, Any]:
        status = {
            "state": row.state,
            "key": row.key,
            "error": row.error,
            "started": row.started,
            "ended": row.ended,
            "reused": row.reused or ticket.joined,
            "shared_with": len(self.users(row.number)) - 1,
            "events": str(self.project.path / "jobs" / row.folder_name / EVENTS_FILE),
        }
        return {**status, **dict(zip(_PLACE, place, strict=True))} if place else status

    def _charge(self, row: JobRow) -> None:
        """Count a result that was computed for the one who asked first."""
        found = self.project.store.find(row.key) if row.key and not row.reused else None
        uid = self.ledger.first_of(row.number)
        if found is not None and uid is not None:
            self.quota.charge(found.path, uid)

    def _refuse(self, ticket: Ticket, sentence: str) -> None:
        self._close(ticket, {"state": FAILED, "error": sentence})

    def _close(self, ticket: Ticket, status: dict[str, Any]) -> None:
        self._write(ticket, status)  # first the answer: one that is written twice does no harm, a missing one does
        self.ledger.close(ticket.id)
        self.open.remove(ticket)
        self._admission.forget(ticket)
        self._written.pop(ticket.id, None)

    def _write(self, ticket: Ticket, status: dict[str, Any]) -> None:
        known, when = self._written.get(ticket.id, (None, 0.0))
        if known == status or (known is not None and not _is_urgent(known, status, time.monotonic() - when)):
            return
        folder = self.place.tickets / ticket.id
        folder.mkdir(exist_ok=True)
        write_json(folder / "status.json", status, synced=False)
        self._written[ticket.id] = status, time.monotonic()

    def write_board(self, running: list[JobRow], order: list[JobRow], places: Places) -> None:
        """Write the queue as everybody may see it: who waits for which step, nothing of its parameters."""
        board = {
            "time": time.time(),
            "running": [{"step": row.step, "users": self.users(row.number), "since": row.started} for row in running],
            "waiting": [
                {"step": row.step, "users": self.users(row.number), "expected_wait_s": places[row.number][1]}
                for row in order
            ],
            "users": self.open.users(),
        }
        write_json(self.place.root / "board.json", board, synced=False)


def _is_urgent(known: dict[str, Any], status: dict[str, Any], age_s: float) -> bool:
    """Tell whether a change is more than a step forward in a long line."""
    if any(known.get(name) != status.get(name) for name in {*known, *status} - set(_PLACE)):
        return True
    return age_s > min(_NEWS_EVERY_S * status.get("position", 1), _NEWS_AT_MOST_S)
