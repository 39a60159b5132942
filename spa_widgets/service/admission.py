"""From a request to a job of the service: its files are looked at, its inputs named, its parameters validated."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.service.intake import Intake, Participant
from spa_widgets.service.ledger import Ledger, Ticket
from spa_widgets.service.open_tickets import OpenTickets
from spa_widgets.service.quota import Quota
from spa_widgets.session.asking import ask, check_device, prepare
from spa_widgets.session.keys import is_key
from spa_widgets.session.project import Project
from spa_widgets.session.queue import RUNNING, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.tickets import ServicePlace, is_ticket

WORKSPACE = "service"
_THREADS = 4  # files may be large or slow to read; each user is looked after by one at most
_MAX_FILES = 20_000
_DOUBTS_EVERY_S = 60.0
_log = logging.getLogger("spa.service")

Refs = dict[str, dict[str, Any]]


class Admission:
    """Turn requests into jobs of the service's queue.

    Parameters
    ----------
    place
        The service's folder.
    project
        The service's own project.
    intake
        Looks at raw files.
    ledger, open_tickets
        Who asked for what.
    quota
        Room on the disk.
    """

    def __init__(
        self, place: ServicePlace, project: Project, intake: Intake, ledger: Ledger, open_tickets: OpenTickets,
        quota: Quota,
    ) -> None:  # fmt: skip
        self._place = place
        self._project = project
        self._intake = intake
        self._ledger = ledger
        self._open = open_tickets
        self._quota = quota
        self._pool = ThreadPoolExecutor(_THREADS, "intake")
        self._checked: dict[str, Future[Refs]] = {}
        self._busy: dict[int, Future[None]] = {}
        self._doubted: dict[str, float] = {}

    def forget(self, ticket: Ticket) -> None:
        """Drop what was found about a request that needs it no more."""
        self._checked.pop(ticket.id, None)

    def try_for(self, ticket: Ticket) -> JobRow | None:
        """Return the job that answers a request; None while its files are looked at or a result is missing.

        Raises
        ------
        UserError
            If it is refused.
        """
        refs = self._refs(ticket)
        if refs is None:
            return None
        refs = self._with_jobs(refs, ticket)
        return None if refs is None else self._ask(ticket, refs)

    def _refs(self, ticket: Ticket) -> Refs | None:
        if ticket.id not in self._checked:
            busy = self._busy.get(ticket.uid)
            if busy is None or busy.done():
                self._start(ticket.uid)
            return None
        done = self._checked[ticket.id]
        return done.result() if done.done() else None

    def _start(self, uid: int) -> None:
        """Look at all that a user has handed in, in one thread: slow files of one keep no other one waiting."""
        new = [ticket for ticket in self._open.without_job() if ticket.uid == uid and ticket.id not in self._checked]
        answers: list[Future[Refs]] = [Future() for _ in new]
        self._checked.update(zip((ticket.id for ticket in new), answers, strict=True))
        self._busy[uid] = self._pool.submit(self._check_all, new, answers)

    def _ask(self, ticket: Ticket, refs: Refs) -> JobRow | None:
        request = ticket.request
        job = prepare(get_step(as_text(request.get("step"))), as_object(request.get("params")), refs)
        known = self._project.queue.same(WORKSPACE, job.fingerprint)
        if known is not None and known.cancel and known.state == RUNNING:
            return None  # it is about to stop; ask again then
        return ask(self._project, WORKSPACE, job, check_device(request.get("device", "auto")))

    # -- in a thread -----------------------------------------------------------------------------------------------

    def _check_all(self, tickets: list[Ticket], answers: list[Future[Refs]]) -> None:
        for ticket, answer in zip(tickets, answers, strict=True):
            try:
                answer.set_result(self._check(ticket))
            except Exception as error:  # whoever asks for the answer is told
                answer.set_exception(error)

    def _check(self, ticket: Ticket) -> Refs:
        """Look at the inputs of a request."""
        self._quota.require(ticket.uid)
        who = Participant.of(ticket.uid)
        if is_key(str(ticket.request.get("doubts") or "")):
            self._verify(ticket.request["doubts"])
        given = as_object(ticket.request.get("inputs"))
        return {name: self._input(as_object(ref), who) for name, ref in given.items()}

    def _input(self, ref: Mapping[str, Any], who: Participant) -> dict[str, Any]:
        if "files" in ref:
            paths = ref["files"]
            if not isinstance(paths, list) or len(paths) > _MAX_FILES:
                raise UserError(f"An input takes a list of at most {_MAX_FILES} files.")
            return {"files": [self._file(as_text(path), who) for path in paths]}
        if "ticket" in ref:
            if not is_ticket(ref["ticket"]):
                raise UserError(f"{str(ref['ticket'])[:80]!r} is not the number of a request.")
            return {"ticket": ref["ticket"], "file": as_text(ref.get("file"))}
        key = as_text(ref.get("key"))
        found = self._project.store.find(key) if is_key(key) else None
        if found is None or as_text(ref.get("file")) not in found.files:
            raise UserError(f"The class store has no {str(ref.get('file'))[:80]!r} of a result {key[:16]!r}.")
        return {"key": key, "file": ref["file"]}

    def _file(self, path: str, who: Participant) -> str:
        self._quota.require(who.uid)
        try:
            admitted = Path(self._intake.admit([path], who)[0])
        except OSError as error:  # a full disk, or one that does not answer
            raise UserError(
                f"{path} cannot be copied by the engine service ({error.strerror}); tell who runs it, and run the job "
                "again then."
            ) from error
        if admitted.is_relative_to(self._intake.folder):
            self._quota.charge(admitted, who.uid)
        return str(admitted)

    def _verify(self, key: str) -> None:
        """Read a result again that a session found damaged; set it aside when it is."""
        now = time.monotonic()
        if now - self._doubted.get(key, -_DOUBTS_EVERY_S) < _DOUBTS_EVERY_S:
            return
        self._doubted[key] = now
        found = self._project.store.find(key)
        if found is not None and (faults := found.verify()):
            _log.error("damaged, to be computed again: %s: %s", key, "; ".join(faults))
            self._project.store.set_aside(key)

    # -- other requests --------------------------------------------------------------------------------------------

    def _with_jobs(self, refs: Refs, ticket: Ticket) -> Refs | None:
        """Name the jobs that answer the requests whose results are needed; None while one has none."""
        known = dict(refs)
        for name, ref in refs.items():
            if "ticket" in ref:
                needed = self._open.get(ref["ticket"]) or self._ledger.get(ref["ticket"])
                if needed is None and self._place.is_spooled(ref["ticket"]):
                    return None
                if needed is None or needed.uid != ticket.uid:
                    raise UserError("A request of yours, whose result is needed, is not known here; run it again.")
                if needed.job is None:
                    if self._open.get(needed.id) is None:
                        raise UserError("A request of yours, whose result is needed, was refused.")
                    return None
                known[name] = {"job": needed.job, "file": ref["file"]}
        return known


def as_text(value: object) -> str:
    """Return a text of a request.

    Raises
    ------
    UserError
        If it is none.
    """
    if not isinstance(value, str):
        raise UserError(f"The request has a {type(value).__name__} where a text is expected.")
    return value


def as_object(value: object) -> dict[str, Any]:
    """Return names with values of a request.

    Raises
    ------
    UserError
        If it is something else.
    """
    if not isinstance(value, dict):
        raise UserError(f"The request has a {type(value).__name__} where names with values are expected.")
    return value
