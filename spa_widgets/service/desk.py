"""The desk of the service: it takes requests from the spool, checks them, and writes what became of them."""

from __future__ import annotations

import logging
import os
import shutil
import stat
import time
from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.service.intake import Intake, Participant
from spa_widgets.service.ledger import Ledger, Ticket
from spa_widgets.session.asking import ask, check_device, prepare
from spa_widgets.session.keys import is_key
from spa_widgets.session.project import Project
from spa_widgets.session.queue import CANCELLED, ENDED, FAILED, QUEUED, RUNNING, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.tickets import ASK, CANCEL, BadRequest, ServicePlace, is_ticket, read_request
from spa_widgets.session.whole import write_json

WORKSPACE = "service"
_FILES_A_LOOK = 200
_MAX_FILES = 20_000
_DOUBTS_EVERY_S = 60.0
_WRITING_S = 60.0
_log = logging.getLogger("spa.service")

Refs = dict[str, dict[str, Any]]


class Desk:
    """Where requests come in and answers go out.

    Parameters
    ----------
    place
        The service's folder.
    project
        The service's own project, whose queue holds one job for all equal requests.
    max_request_bytes, max_open
        Size of a request, and how many open ones a user may have.
    intake
        Looks at raw files.
    """

    def __init__(
        self, place: ServicePlace, project: Project, intake: Intake, max_request_bytes: int, max_open: int
    ) -> None:
        self.place = place
        self.project = project
        self.intake = intake
        self.max_request_bytes = max_request_bytes
        self.max_open = max_open
        self.ledger = Ledger(place.root / "private" / "ledger.sqlite")
        self.open = {ticket.id: ticket for ticket in self.ledger.open()}
        self._pool = ThreadPoolExecutor(2, "intake")
        self._checked: dict[str, Future[Refs]] = {}
        self._written: dict[str, dict[str, Any]] = {}
        self._doubted: dict[str, float] = {}
        self._stuck: set[str] = set()  # what cannot be taken out of the spool, so as to look at it once only

    # -- in ------------------------------------------------------------------------------------------------------------

    def look(self) -> bool:
        """Take what is in the spool and queue what is checked; tell whether there was anything."""
        taken = self._empty_spool()
        for ticket in list(self.open.values()):
            if ticket.job is None:
                taken |= self._admit(ticket)
        return taken

    def _empty_spool(self) -> bool:
        folder = os.open(self.place.spool, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(folder) as entries:
                found = (entry.name for entry in entries if entry.name not in self._stuck)
                names = list(islice((name for name in found if not _is_in_the_making(folder, name)), _FILES_A_LOOK))
            for name in names:
                try:
                    self._take(folder, name)
                except UserError as error:
                    _log.warning("refused: %s", error)
                if not _remove(folder, name, self.place.spool):
                    self._stuck.add(name)
        finally:
            os.close(folder)
        return bool(names)

    def _take(self, folder: int, name: str) -> None:
        uid, request = read_request(folder, name, self.max_request_bytes)
        if request.get("kind") == CANCEL:
            self._take_back(request.get("ticket"), uid)
            return
        if request.get("kind") != ASK:
            raise BadRequest(f"{name} of user {uid} asks for nothing that there is.")
        who = Participant.of(uid)
        if self.ledger.add(request["id"], uid, who.name, request):
            ticket = self.ledger.get(request["id"])
            assert ticket is not None
            self.open[ticket.id] = ticket
            if Counter(other.uid for other in self.open.values())[uid] > self.max_open:
                self._refuse(ticket, f"You have more than {self.max_open} open jobs; wait for some, then run it again.")

    def _take_back(self, wanted: object, uid: int) -> None:
        ticket = self.open.get(wanted) if isinstance(wanted, str) else None
        if ticket is None or ticket.uid != uid:
            return
        self._close(ticket, {"state": CANCELLED})
        others = [other for other in self.open.values() if other.job == ticket.job]
        if ticket.job is not None and not others:
            self.project.queue.update(ticket.job, only_if=(QUEUED, RUNNING), cancel=1)
            self.project.queue.update(ticket.job, only_if=(QUEUED,), state=CANCELLED, ended=time.time())

    def _admit(self, ticket: Ticket) -> bool:
        """Queue a request once its files are checked; tell whether this got anywhere."""
        if ticket.id not in self._checked:
            self._checked[ticket.id] = self._pool.submit(self._check, ticket)
            return True
        if not self._checked[ticket.id].done():
            return False
        try:
            refs = self._with_jobs(self._checked[ticket.id].result(), ticket)
            row = self._ask(ticket, refs) if refs is not None else None
        except UserError as error:
            self._refuse(ticket, str(error))
            return True
        except Exception as error:  # nothing that a participant sends may stop the service
            _log.exception("request %s of %s", ticket.id, ticket.user)
            self._refuse(ticket, f"The request could not be understood ({type(error).__name__}).")
            return True
        if row is None:
            return False
        del self._checked[ticket.id]
        joined = row.state != QUEUED or any(other.job == row.number for other in self.open.values())
        self.ledger.attach(ticket.id, row.number, joined)
        self.open[ticket.id] = Ticket(**{**ticket.__dict__, "job": row.number, "joined": joined})
        return True

    def _ask(self, ticket: Ticket, refs: Refs) -> JobRow | None:
        request = ticket.request
        job = prepare(get_step(_text(request.get("step"))), _object(request.get("params")), refs)
        known = self.project.queue.same(WORKSPACE, job.fingerprint)
        if known is not None and known.cancel and known.state == RUNNING:
            return None  # it is about to stop; ask again then
        return ask(self.project, WORKSPACE, job, check_device(request.get("device", "auto")))

    def _check(self, ticket: Ticket) -> Refs:
        """Look at the inputs of a request (in a thread: files may be large)."""
        who = Participant.of(ticket.uid)
        if is_key(str(ticket.request.get("doubts") or "")):
            self._verify(ticket.request["doubts"])
        given = _object(ticket.request.get("inputs"))
        return {name: self._input(_object(ref), who) for name, ref in given.items()}

    def _input(self, ref: Mapping[str, Any], who: Participant) -> dict[str, Any]:
        if "files" in ref:
            paths = ref["files"]
            if not isinstance(paths, list) or len(paths) > _MAX_FILES:
                raise UserError(f"An input takes a list of at most {_MAX_FILES} files.")
            return {"files": self.intake.admit([_text(path) for path in paths], who)}
        if "ticket" in ref:
            if not is_ticket(ref["ticket"]):
                raise UserError(f"{str(ref['ticket'])[:80]!r} is not the number of a request.")
            return {"ticket": ref["ticket"], "file": _text(ref.get("file"))}
        key = _text(ref.get("key"))
        found = self.project.store.find(key) if is_key(key) else None
        if found is None or _text(ref.get("file")) not in found.files:
            raise UserError(f"The class store has no {str(ref.get('file'))[:80]!r} of a result {key[:16]!r}.")
        return {"key": key, "file": ref["file"]}

    def _with_jobs(self, refs: Refs, ticket: Ticket) -> Refs | None:
        """Name the jobs that answer the requests whose results are needed; None while one has none."""
        known = dict(refs)
        for name, ref in refs.items():
            if "ticket" in ref:
                needed = self.open.get(ref["ticket"]) or self.ledger.get(ref["ticket"])
                if needed is None and self.place.is_spooled(ref["ticket"]):
                    return None
                if needed is None or needed.uid != ticket.uid:
                    raise UserError("A request of yours, whose result is needed, is not known here; run it again.")
                if needed.job is None:
                    if needed.id not in self.open:
                        raise UserError("A request of yours, whose result is needed, was refused.")
                    return None
                known[name] = {"job": needed.job, "file": ref["file"]}
        return known

    def _verify(self, key: str) -> None:
        """Read a result again that a session found damaged; set it aside when it is."""
        now = time.monotonic()
        if now - self._doubted.get(key, -_DOUBTS_EVERY_S) < _DOUBTS_EVERY_S:
            return
        self._doubted[key] = now
        found = self.project.store.find(key)
        if found is not None and (faults := found.verify()):
            _log.error("damaged, to be computed again: %s: %s", key, "; ".join(faults))
            self.project.store.set_aside(key)

    # -- out -----------------------------------------------------------------------------------------------------------

    def users(self, number: int) -> tuple[str, ...]:
        """Return who waits for a job."""
        return tuple(sorted({ticket.user for ticket in self.open.values() if ticket.job == number}))

    def answer(self, places: Mapping[int, tuple[int, float]]) -> None:
        """Write what became of every open request.

        Parameters
        ----------
        places
            Position and expected wait in seconds of the jobs that wait.
        """
        rows = {row.number: row for row in self.project.queue.jobs(states=(QUEUED, RUNNING))}
        for ticket in list(self.open.values()):
            if ticket.job is None:
                self._write(ticket, {"state": QUEUED})
                continue
            row = rows.get(ticket.job) or self.project.queue.get(ticket.job)
            if row is None:
                self._refuse(ticket, "The service has lost this job; run it again.")
                continue
            status = self._status(ticket, row, places.get(row.number))
            if row.state in ENDED:
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
            "events": str(self.project.folder(row) / "events.jsonl"),
        }
        return {**status, "position": place[0], "expected_wait_s": place[1]} if place else status

    def _refuse(self, ticket: Ticket, sentence: str) -> None:
        self._close(ticket, {"state": FAILED, "error": sentence})

    def _close(self, ticket: Ticket, status: dict[str, Any]) -> None:
        self._write(ticket, status)  # first the answer: one that is written twice does no harm, a missing one does
        self.ledger.close(ticket.id)
        self.open.pop(ticket.id, None)
        self._checked.pop(ticket.id, None)
        self._written.pop(ticket.id, None)

    def _write(self, ticket: Ticket, status: dict[str, Any]) -> None:
        if self._written.get(ticket.id) == status:
            return
        folder = self.place.tickets / ticket.id
        folder.mkdir(exist_ok=True)
        write_json(folder / "status.json", status, synced=False)
        self._written[ticket.id] = status

    def write_board(self, running: list[JobRow], order: list[JobRow], waits: Mapping[int, tuple[int, float]]) -> None:
        """Write the queue as everybody may see it: who waits for which step, nothing of its parameters."""
        board = {
            "time": time.time(),
            "running": [{"step": row.step, "users": self.users(row.number), "since": row.started} for row in running],
            "waiting": [
                {"step": row.step, "users": self.users(row.number), "expected_wait_s": waits[row.number][1]}
                for row in order
            ],
            "users": len({ticket.user for ticket in self.open.values()}),
        }
        write_json(self.place.root / "board.json", board, synced=False)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise UserError(f"The request has a {type(value).__name__} where a text is expected.")
    return value


def _object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UserError(f"The request has a {type(value).__name__} where names with values are expected.")
    return value


def _is_in_the_making(folder: int, name: str) -> bool:
    """Tell whether a session may still be writing a file; what was left half-written goes after a while."""
    if name.endswith(".json"):
        return False
    try:
        return time.time() - os.stat(name, dir_fd=folder, follow_symlinks=False).st_ctime < _WRITING_S
    except FileNotFoundError:
        return True


def _remove(folder: int, name: str, spool: Path) -> bool:
    """Take a name out of the spool, whatever it is, following nothing; tell whether it is gone."""
    try:
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            shutil.rmtree(spool / name, ignore_errors=True)
            return not (spool / name).exists()
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        pass
    except OSError:
        return False
    return True
