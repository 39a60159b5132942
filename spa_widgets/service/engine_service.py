"""The service itself: a runner whose queue many users fill, each through requests of data in a spool."""

from __future__ import annotations

import logging
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.service.desk import Desk
from spa_widgets.service.fairness import FairQueue, History, Waiting
from spa_widgets.service.intake import Intake
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FINISHED, RUNNING, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.runner import Runner
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import FORMAT_VERSION, SERVICE_VARIABLE, ServicePlace
from spa_widgets.session.whole import write_json

_ANSWER_EVERY_S = 0.2
_FOREVER_S = float("inf")
_log = logging.getLogger("spa.service")


@dataclass(frozen=True)
class ServiceSettings:
    """How a service runs.

    Attributes
    ----------
    root
        Its folder: spool, tickets, board.
    store
        The class store; ``store`` in `root` by default.
    memory_gb
        A worker that uses more is ended and its job resumed; 0 for no limit.
    max_request_mb, max_file_gb
        Size of a request, and of a participant's file.
    max_open_jobs
        How many unanswered requests a user may have.
    group
        Only members of this group may ask; everybody on the machine by default.
    """

    root: Path
    store: Path | None = None
    memory_gb: float = 0.0
    max_request_mb: float = 16.0
    max_file_gb: float = 16.0
    max_open_jobs: int = 200
    group: str = ""


def prepare_folder(settings: ServiceSettings) -> ServicePlace:
    """Make the folder of a service with the permissions that its safety rests on.

    Raises
    ------
    UserError
        If the folder cannot be made, or belongs to another account.
    """
    os.umask(0o022)
    os.environ.pop(SERVICE_VARIABLE, None)  # the service asks no other service
    root = settings.root.expanduser().absolute()
    store = (settings.store or root / "store").expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        if root.stat().st_uid != os.geteuid():
            raise UserError(f"{root} belongs to another account; run the service as its owner, or choose a new folder.")
        # requests may be put, not listed, and not taken by others; answers are found by those who know their number
        for name, mode in (("spool", 0o1733), ("tickets", 0o711), ("private", 0o700), ("raw", 0o755)):
            (root / name).mkdir(exist_ok=True)
            (root / name).chmod(mode)
        if settings.group:
            import shutil

            shutil.chown(root / "spool", group=settings.group)
            (root / "spool").chmod(0o1730)
    except (OSError, LookupError) as error:
        raise UserError(f"Cannot make the folder {root} of the service: {error}.") from error
    Store.open(store)
    write_json(root / "service.json", {"format": FORMAT_VERSION, "store": str(store)})
    return ServicePlace.open(root)


class EngineService(Runner):
    """Work off the requests of all users of a machine.

    Parameters
    ----------
    settings
        How.
    """

    def __init__(self, settings: ServiceSettings) -> None:
        self.place = prepare_folder(settings)
        project = Project.open(self.place.root / "engine", title="Engine service", store=self.place.store)
        super().__init__(project, _FOREVER_S, int(settings.memory_gb * 1e9))
        intake = Intake(self.place.root / "raw", int(settings.max_file_gb * 1e9))
        request_bytes = int(settings.max_request_mb * 1e6)
        self.desk = Desk(self.place, project, intake, request_bytes, settings.max_open_jobs)
        self.fair = FairQueue()
        self.history = History()
        for row in project.queue.jobs(states=(FINISHED,))[-1000:]:
            self._note_seconds(row)
        self._taken: dict[int, tuple[str, Waiting, float]] = {}  # slot, job and start of what the workers are at
        self._answered = 0.0
        self._order: list[JobRow] = []

    def _tick(self) -> bool:
        if self.desk.look():
            self._version = -1
        worked = super()._tick()
        if time.monotonic() - self._answered > _ANSWER_EVERY_S:
            self._answered = time.monotonic()
            self._answer()
        return worked

    # -- who is next ---------------------------------------------------------------------------------------------------

    def _start_some(self, waiting: list[JobRow]) -> bool:
        """Start the jobs whose turn it is, as far as workers are free."""
        ready = {row.number: row for row in waiting if self._readiness(row)}
        running = [(job, time.monotonic() - since) for _, job, since in self._taken.values()]
        self._order = [
            ready[job.number] for job in self.fair.order([self._job(row) for row in ready.values()], running)
        ]
        started = [row for row in self._order if self._start_if_free(row)]
        self._order = [row for row in self._order if row not in started]
        return bool(started)

    def _start_if_free(self, row: JobRow) -> bool:
        device = self._device(row)
        wanted = self._slot(row, device)
        busy = {slot for slot, _, _ in self._taken.values()}
        slots = [f"GPU{number}" for number in range(self.gpus)] if wanted == "GPU" else [wanted]
        free = [slot for slot in slots if slot not in busy]
        if not free:
            return False
        job = self._job(row)
        self._hand_to_worker(row, device, free[0])
        self._taken[row.number] = free[0], job, time.monotonic()
        self.fair.started(job)
        return True

    def _job(self, row: JobRow) -> Waiting:
        expected_s = self.history.expected_s(row.step, get_step(row.step).quick)
        return Waiting(row.number, self.desk.users(row.number) or ("nobody",), expected_s)

    def _look_after(self, number: int, future: Any) -> None:
        super()._look_after(number, future)
        if number in self._taken:
            _, job, since = self._taken.pop(number)
            self.fair.ended(job, time.monotonic() - since, any(not self._job(row).is_short for row in self._order))
        row = self.project.queue.get(number)
        if row is not None and row.state == FINISHED:
            self._note_seconds(row)

    def _note_seconds(self, row: JobRow) -> None:
        if not row.reused and row.started and row.ended:
            self.history.note(row.step, row.ended - row.started)

    # -- what people see -----------------------------------------------------------------------------------------------

    def _answer(self) -> None:
        waits = self._waits()
        running = self.project.queue.jobs(states=(RUNNING,))
        self.desk.answer(waits)
        self.desk.write_board(running, [row for row in self._order if row.number in waits], waits)

    def _waits(self) -> dict[int, tuple[int, float]]:
        """Return position and expected wait of the jobs that wait, as if all went through one line."""
        left = [max(job.expected_s - (time.monotonic() - since), 0.0) for _, job, since in self._taken.values()]
        passed_s = min(left, default=0.0)
        workers = max(self.gpus, 1)
        waits = {}
        for position, row in enumerate(self._order, 1):
            waits[row.number] = position, float(round(passed_s))
            passed_s += self._job(row).expected_s / workers
        return waits


def run_service(settings: ServiceSettings) -> int:
    """Run a service until it is told to end; return the exit status.

    Raises
    ------
    UserError
        If another one runs on the same folder.
    """
    import signal

    from spa_widgets.session.lease import try_lock
    from spa_widgets.session.registry import load_steps

    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    logging.getLogger("spa").setLevel(logging.INFO)
    load_steps()
    service = EngineService(settings)
    signal.signal(signal.SIGTERM, service.stop)
    signal.signal(signal.SIGINT, service.stop)
    handle = try_lock(service.project.runner_lock)
    if handle is None:
        raise UserError(f"A service already runs on {service.place.root}; 'spa service status' shows its queue.")
    _log.info("service on %s, %s, class store %s", socket.gethostname(), service.place.root, service.place.store)
    service.run()
    return 0
