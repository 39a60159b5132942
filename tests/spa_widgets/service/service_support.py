"""Starting, killing and looking into a real engine service, and acting as another user of the machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil
from session_support import wait_until

from spa_widgets.session.queue import Queue
from spa_widgets.session.tickets import ServicePlace

ALICE, MALLORY = 64101, 64102  # accounts that no system has


class RunningService:
    """`spa service run` in a process of its own."""

    def __init__(self, root: Path, *options: str) -> None:
        self.root = root
        self.options = options
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.root.parent.mkdir(parents=True, exist_ok=True)
        with (self.root.parent / "service.log").open("ab") as log:
            command = [sys.executable, "-m", "spa_widgets.cli", "service", "run", "--root", str(self.root)]
            self.process = subprocess.Popen(
                [*command, *self.options], env=environment, stdout=log, stderr=log, start_new_session=True
            )
        wait_until(lambda: (self.root / "service.json").exists() and ServicePlace(self.root).is_alive(), 60)

    def worker(self) -> psutil.Process:
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return next(child for child in children if "spawn_main" in " ".join(child.cmdline()))

    def kill(self) -> None:
        """End the service as a power cut would, with its workers."""
        assert self.process is not None
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.wait()
        (self.root / "board.json").unlink(missing_ok=True)  # so that `start` waits for the next one's

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self.process.kill()
        self.process.wait()

    @property
    def queue(self) -> Queue:
        return Queue(self.root / "engine" / ".spa" / "queue.sqlite")

    @property
    def place(self) -> ServicePlace:
        return ServicePlace.open(self.root)


def as_user(uid: int, act: Callable[[], object]) -> None:
    """Do something with the rights of another account, in a process that has no others."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            act()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
