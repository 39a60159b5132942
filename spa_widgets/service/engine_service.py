"""The service itself: a runner whose queue many users fill, each through requests of data in a spool."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from spa_widgets.service.desk import Desk
from spa_widgets.service.fairness import FairQueue, History, Waiting
from spa_widgets.service.folder import ServiceSettings, prepare_folder
from spa_widgets.service.intake import Intake
from spa_widgets.service.ledger import Ledger
from spa_widgets.service.lines import CPU, QUICK, Slots, waits
from spa_widgets.service.quota import Quota
from spa_widgets.service.spool import Spool
from spa_widgets.service.watch import Excess, Watch
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FAILED, FINISHED, QUEUED, RUNNING, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.runner import Runner

_ANSWER_EVERY_S = 0.2
_SAY_ANYHOW_S = 2.0  # waits grow shorter and the board's clock goes on, also when nothing happens
_TRY_AGAIN_S = 1.0
_FOREVER_S = float("inf")
_log = logging.getLogger("spa.service")


class EngineService(Runner):
    """Work off the requests of all users of a machine.

    Parameters
    ----------
    settings
        How.
    """

    may_spread = False  # it gives each slot to one job: a job on two would take another's turn

    def __init__(self, settings: ServiceSettings) -> None:
        self.place = prepare_folder(settings)
        project = Project.open(self.place.root / "engine", title="Engine service", store=self.place.store)
        super().__init__(project, _FOREVER_S)
        ledger = Ledger(self.place.root / "private" / "ledger.sqlite")
        quota = Quota(ledger, self.place.store, int(settings.max_user_gb * 1e9), int(settings.min_free_gb * 1e9))
        spool = Spool(self.place.spool, int(settings.max_request_mb * 1e6), settings.max_requests_an_hour)
        intake = Intake(self.place.root / "raw", int(settings.max_file_gb * 1e9))
        self.desk = Desk(self.place, project, spool, intake, ledger, quota, settings.max_open_jobs)
        self.watch = Watch(int(settings.memory_gb * 1e9), quota.has_room)
        self.fair = FairQueue()
        self.history = History()
        for row in project.queue.jobs(states=(FINISHED,))[-1000:]:
            self._note_seconds(row)
        self.slots = Slots()
        self._alone: set[int] = set()  # jobs that shared a worker which took too much memory: which one was it?
        self._to_clear: set[int] = set()  # jobs whose half-made results go when they have stopped
        self._valid: set[int] = set()  # jobs that are known to be able to start
        self._unfinished: set[int] = set()
        self._answered = 0.0
        self._has_news = True
        self._answered_version = -1
        self._order: list[JobRow] = []

    def _tick(self) -> bool:
        """Do what is to be done; a full disk, or one that does not answer, is waited for."""
        try:
            return self._do_what_is_to_be_done()
        except (OSError, sqlite3.OperationalError) as error:
            _log.error("cannot go on, trying again: %s", error)
            self._clear_abandoned_work()
            self._version, self._has_news = -1, True
            time.sleep(_TRY_AGAIN_S)
            return True

    def _do_what_is_to_be_done(self) -> bool:
        if self.desk.look():
            self._version, self._has_news = -1, True
        for excess in self.watch.look(self._jobs_by_process(), self._work_folder):
            self._end(excess)
        worked = super()._tick()
        if self._must_answer():
            self._answer()
        return worked

    def _clear_abandoned_work(self) -> None:
        """Delete half-made results of jobs that do not run: when the disk is full, they are why."""
        if self.desk.quota.has_room():
            return
        busy = {self._work_folder(number) for number in self.slots.started}
        for folder in (self.project.store.path / "work").iterdir():
            if folder not in busy:
                shutil.rmtree(folder, ignore_errors=True)

    def _must_answer(self) -> bool:
        """Tell whether people may be told something new: reading a long queue for nothing would cost a core."""
        age_s = time.monotonic() - self._answered
        if age_s < _ANSWER_EVERY_S:
            return False
        version = self.project.queue.version()
        if not self._has_news and version == self._answered_version and age_s < _SAY_ANYHOW_S:
            return False
        self._answered, self._answered_version, self._has_news = time.monotonic(), version, False
        return True

    # -- who is next ---------------------------------------------------------------------------------------------------

    def _start_some(self, waiting: list[JobRow]) -> bool:
        """Start the jobs whose turn it is, as far as workers are free."""
        self._unfinished = {row.number for row in waiting} | set(self.slots.started)
        self._valid &= self._unfinished
        ready = {row.number: row for row in waiting if self._readiness(row)}
        order = self.fair.order([self._job(row) for row in ready.values()], self.slots.running())
        self._order = [row for row in (ready[job.number] for job in order) if not self._start_if_free(row)]
        self._has_news = True
        return len(self._order) < len(order)

    def _readiness(self, row: JobRow) -> bool | None:
        """Tell whether a job can start; what was found valid once is not looked at again, however long it waits."""
        needed = {int(ref["job"]) for ref in row.spec.get("inputs", {}).values() if "job" in ref}
        if needed & self._unfinished:
            return False
        if row.number in self._valid:
            return True
        ready = super()._readiness(row)
        if ready:
            self._valid.add(row.number)
        return ready

    def _start_if_free(self, row: JobRow) -> bool:
        device, job = self._device(row), self._job(row)
        slot = self.slots.take(job, self._slot(row, device), self.gpus, row.number in self._alone)
        if slot is None:
            return False
        self._hand_to_worker(row, device, slot)
        self.fair.started(job)
        return True

    def _job(self, row: JobRow) -> Waiting:
        expected_s = self.history.expected_s(row.step, get_step(row.step).quick)
        return Waiting(row.number, self.desk.users(row.number) or ("nobody",), expected_s)

    def _look_after(self, number: int, future: Any) -> None:
        super()._look_after(number, future)
        self._has_news = True
        self._free(number)
        row = self.project.queue.get(number)
        if row is not None and row.state == FINISHED:
            self._note_seconds(row)

    def _free(self, number: int) -> None:
        """Give back the slots of a job, and let those who asked for it pay."""
        started = self.slots.started.pop(number, None)
        if started is not None:
            self.fair.ended(started.job, started.seconds, any(not self._job(row).is_short for row in self._order))
        folder = self._work_folder(number) if number in self._to_clear else None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        self._to_clear.discard(number)

    def _note_seconds(self, row: JobRow) -> None:
        if not row.reused and row.started and row.ended:
            self.history.note(row.step, row.ended - row.started)

    # -- what takes too much -------------------------------------------------------------------------------------------

    def _jobs_by_process(self) -> dict[int, list[int]]:
        found: dict[int, list[int]] = defaultdict(list)
        for number, started in self.slots.started.items():
            if (pid := self._process_of(started.slots[0])) is not None:
                found[pid].append(number)
        return found

    def _process_of(self, slot: str) -> int | None:
        """Return the process whose slot it is; None while it is started again."""
        if self.client is None or self.client.cluster is None:
            return None
        nannies = list(self.client.cluster.workers.values())  # the CPU's, then those of the GPUs
        pid: int | None = nannies[0 if slot in (CPU, QUICK) else 1 + int(slot.removeprefix("GPU"))].pid
        return pid

    def _work_folder(self, number: int) -> Path | None:
        row = self.project.queue.get(number)
        return None if row is None or row.key is None else self.project.store.work_folder(row.key)

    def _end(self, excess: Excess) -> None:
        """End a job that takes too much; of two in one worker each has another try alone, as one may be innocent."""
        for number in excess.jobs:
            _log.warning("J%d: %s", number, excess.sentence)
            if len(excess.jobs) > 1:
                self._alone.add(number)
                self.project.queue.update(number, only_if=(RUNNING,), state=QUEUED)
            else:
                fields = {"state": FAILED, "error": excess.sentence, "cancel": 1, "ended": time.time()}
                self.project.queue.update(number, only_if=(QUEUED, RUNNING), **fields)
                self.project.describe(number)
            if excess.process is None:
                self._to_clear.add(number)  # it stops at its next report
            elif (future := self.futures.pop(number, None)) is not None:
                future.cancel()
                self._free(number)
        if excess.process is not None:
            excess.process.kill()  # its nanny starts another one
        self._version, self._has_news = -1, True

    # -- what people see -----------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        places = self._places()
        rows = self.project.queue.jobs(states=(QUEUED, RUNNING))
        self.desk.answer(rows, places)
        running = [row for row in rows if row.state == RUNNING]
        self.desk.write_board(running, [row for row in self._order if row.number in places], places)

    def _places(self) -> dict[int, tuple[int, float]]:
        """Return position and expected wait of the jobs that wait."""
        line = [(row.number, self._slot(row, self._device(row)), self._job(row).expected_s) for row in self._order]
        return waits(line, self.slots.left_s(), self.gpus)
