"""The runner: a process of its own that works off a project's queue and outlives the kernel.

``python -m spa_widgets.session.runner PROJECT`` starts it; sessions do so when there is work, and it ends when there
has been none for a while. It takes specifications from the queue, never code. Whatever dies, nothing is lost: a dead
worker is restarted and its job goes on from the last checkpoint; a dead runner's jobs are taken over by the next one.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import TYPE_CHECKING

from spa_widgets import __version__
from spa_widgets.errors import UserError
from spa_widgets.session.clusters.setting import ClusterSetting
from spa_widgets.session.lease import try_lock
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FAILED, QUEUED, RUNNING, JobRow
from spa_widgets.session.readiness import is_ready
from spa_widgets.session.registry import get_step, load_steps

if TYPE_CHECKING:
    from distributed import Client, Future

    from spa_widgets.session.clusters.connect import Workers

IDLE_VARIABLE = "SPA_RUNNER_IDLE_S"
HEARTBEAT_S = 2.0
_IDLE_S = 300.0
_POLL_S = 0.05
_LOCK_PATIENCE_S = 1.0
_log = logging.getLogger("spa.runner")


class Runner:
    """Work off the queue of one project.

    Parameters
    ----------
    project
        The project; the caller holds its runner lock.
    idle_s
        Seconds without work after which `run` returns.
    """

    may_spread = True  # one job over several workers

    def __init__(self, project: Project, idle_s: float = _IDLE_S) -> None:
        self.project = project
        self.idle_s = idle_s
        self.workers: Workers | None = None
        self.gpus = 0
        self.futures: dict[int, Future] = {}
        self._stranded: set[int] = set()
        self._stopping = False
        self._last_beat = 0.0
        self._version = -1
        self._last_look = 0.0

    @property
    def client(self) -> Client | None:
        """The runner's connection to its workers, once it has one."""
        return self.workers.client if self.workers else None

    @property
    def is_stopped(self) -> bool:
        """Whether it was told to end, or its project is gone."""
        return self._stopping or not self.project.path.is_dir()

    def stop(self, signum: int = 0, frame: FrameType | None = None) -> None:
        """Ask the loop to end (a signal handler)."""
        self._stopping = True

    def run(self) -> None:
        """Work until there has been nothing to do for a while."""
        self.take_over()
        if self.workers is None:
            self._open_cluster()
        last_work = time.monotonic()
        while not self.is_stopped:
            self._beat()
            if self._tick():
                last_work = time.monotonic()
            elif time.monotonic() - last_work > self.idle_s:
                break
            time.sleep(_POLL_S)

    def take_over(self) -> None:
        """Queue the jobs that a dead runner left running."""
        for row in self.project.queue.jobs(states=(RUNNING,), remote=False):
            _log.info("taking over %s", row.name)
            self.project.queue.update(row.number, only_if=(RUNNING,), state=QUEUED)

    def _open_cluster(self) -> None:
        from spa_widgets.session.cluster import count_gpus
        from spa_widgets.session.clusters.connect import Workers
        from spa_widgets.session.worker import warm_up

        setting = ClusterSetting.load(self.project.path)
        self.workers = Workers(setting, self.project.path / ".spa" / "dask", count_gpus())
        self.gpus = self.workers.gpus
        if setting.is_here:
            self.workers.client.run(warm_up)
        _log.info("ready: workers %s, %d GPUs", setting.address or setting.kind, self.gpus)

    def _beat(self) -> None:
        if time.monotonic() - self._last_beat > HEARTBEAT_S:
            self.project.queue.beat(socket.gethostname(), os.getpid())
            self._look_at_cluster()
            self._last_beat = time.monotonic()

    def _look_at_cluster(self) -> None:
        """Look after workers that come and go; end when the scheduler went away, so that a new runner starts over."""
        if self.workers is None or self.workers.setting.is_here:
            return
        if self.workers.is_lost:
            raise UserError(f"The cluster {self.workers.setting.address} does not answer any more")
        self.gpus = self.workers.gpus
        stranded = self.workers.stranded(self.futures)
        for number in stranded & self._stranded:  # twice in a row: it is not just on its way
            _log.info("J%d is handed out once more", number)
            self.futures.pop(number).cancel()
            self.project.queue.update(number, only_if=(RUNNING,), state=QUEUED)
            self._version = -1
        self._stranded = stranded

    def _tick(self) -> bool:
        """Look after running jobs and start those that are ready; tell whether there is work."""
        for number, future in list(self.futures.items()):
            if future.done():
                del self.futures[number]
                self._look_after(number, future)
                self._version = -1  # what waited for it may start
        if not self._something_changed():
            return bool(self.futures)
        started = self._start_some([row for row in self._queued() if row.number not in self.futures])
        return bool(self.futures or started)

    def _queued(self) -> list[JobRow]:
        return self.project.queue.jobs(states=(QUEUED,), remote=False)

    def _start_some(self, waiting: list[JobRow]) -> bool:
        """Start what can start; tell whether anything did, or ended by this."""
        return any([self._start(row) for row in waiting])

    def _something_changed(self) -> bool:
        """Tell whether the queue is worth a look: somebody wrote to it, or nobody looked for a while."""
        version, now = self.project.queue.version(), time.monotonic()
        if version == self._version and now - self._last_look < HEARTBEAT_S:
            return False
        self._version, self._last_look = version, now
        return True

    def _look_after(self, number: int, future: Future) -> None:
        """Close a job whose task ended without saying so itself."""
        error = future.exception() if future.status == "error" else None
        state = "lost" if error is not None or future.status != "finished" else future.result()
        _log.info("J%d ended: %s", number, state)
        failed = f"The worker failed: {error}. See {self.project.runner_log}."
        sentence = str(error) if isinstance(error, UserError) else failed
        if error is not None:
            self.project.queue.update(
                number, only_if=(QUEUED, RUNNING), state=FAILED, error=sentence, ended=time.time()
            )

    def _start(self, row: JobRow) -> bool:
        """Hand a job to a worker when its inputs are there; tell whether it is under way or ended by this."""
        ready = self._readiness(row)
        if ready and self.workers is not None:
            device = self._device(row)
            self._hand_to_worker(row, device, self._slot(row, device))
        return ready is not False

    def _readiness(self, row: JobRow) -> bool | None:
        """Tell whether a job can start; None when it has failed because it never can."""
        try:
            if ":" in row.device and self.workers is not None and not self.workers.setting.is_here:
                raise UserError(f"{row.device} was asked for, but a cluster chooses its GPUs; use device 'gpu'.")
            return is_ready(self.project.queue, row, self.gpus)
        except UserError as error:
            self.project.queue.update(row.number, only_if=(QUEUED,), state=FAILED, error=str(error), ended=time.time())
            self.project.describe(row.number)
            return None

    def _hand_to_worker(self, row: JobRow, device: str, slot: str) -> None:
        if self.workers is None:
            return
        from spa_widgets.session.worker import run_job

        here = self.workers.setting.is_here
        facts = {"created": self.project.settings["created"], "host": socket.gethostname(), "version": __version__}
        self.futures[row.number] = self.workers.client.submit(
            run_job,
            str(self.project.path),
            row.number,
            device,
            self.may_spread and self.workers.may_spread and ":" not in row.device,
            None if here else facts,
            key=f"{row.name}-{time.time_ns()}",
            # a worker of another machine has one place for jobs, with a GPU or without
            resources={slot: 1} if here else {slot: 1, "CPU" if slot == "GPU" else slot: 1},
            pure=False,
        )

    def _device(self, row: JobRow) -> str:
        if self.workers is not None and not self.workers.setting.is_here:
            return row.device  # the worker's machine decides what "auto" is
        wants_gpu = row.device == "auto" and self.gpus and _has_cupy() and not get_step(row.step).quick
        return "gpu" if row.device.startswith("gpu") or wants_gpu else "cpu"

    @staticmethod
    def _slot(row: JobRow, device: str) -> str:
        """Return which slot of which worker a job takes."""
        if row.device.startswith("gpu:"):
            return f"GPU{row.device[4:]}"
        return "GPU" if device == "gpu" else "QUICK" if get_step(row.step).quick else "CPU"


def _has_cupy() -> bool:
    import importlib.util

    return importlib.util.find_spec("cupy") is not None


def _patient_lock(project: Project) -> int | None:
    """Take the runner's lock; a session that only looks whether it is free holds it for an instant."""
    deadline = time.monotonic() + _LOCK_PATIENCE_S
    while (handle := try_lock(project.runner_lock)) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    return handle


def main(arguments: list[str]) -> int:
    """Run a project's queue; return 0, also when another runner is at it."""
    if len(arguments) != 1:
        print("usage: python -m spa_widgets.session.runner PROJECT", file=sys.stderr)
        return 2
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    _log.setLevel(logging.INFO)
    load_steps()
    project = Project.open(arguments[0])
    runner = Runner(project, float(os.environ.get(IDLE_VARIABLE) or _IDLE_S))
    signal.signal(signal.SIGTERM, runner.stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupted kernel must not take its jobs along
    while (handle := _patient_lock(project)) is not None:
        try:
            runner.run()
        except UserError as error:
            print(error, file=sys.stderr)
            return 1
        except Exception:
            _log.exception("the runner broke off")
            return 1
        finally:
            if runner.workers is not None:
                runner.workers.close()
                runner.workers = None
        if runner.is_stopped:
            return 0
        os.close(handle)
        # a job that came in between the last look and giving back the lock saw a runner there: look once more
        if not project.queue.jobs(states=(QUEUED,), remote=False):
            break
    return 0


if __name__ == "__main__":
    status = main(sys.argv[1:])
    logging.shutdown()
    # Workers end with the runner, and resume what they were at under the next one: there is nothing to wait for.
    os._exit(status)
