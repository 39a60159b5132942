"""Start the runner when there is work and none is there."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.disk import require_writable
from spa_widgets.session.lease import try_lock
from spa_widgets.session.project import Project
from spa_widgets.session.queue import JobRow

_LOOK_EVERY_S = 1.0
_MAX_FAILURES = 3
_SILENT_S = 15.0


class RunnerStarter:
    """Keep a runner alive for a project while somebody waits for its jobs.

    Parameters
    ----------
    project
        The project.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._looked = 0.0
        self._failures = 0

    def is_running(self) -> bool:
        """Tell whether a runner holds the project's lock."""
        handle = try_lock(self._project.runner_lock)
        if handle is None:
            return True
        os.close(handle)
        return False

    def state(self) -> str:
        """Return ``running``, ``silent`` (alive, but it did not report for a while) or ``off``."""
        if not self.is_running():
            return "off"
        found = self._project.queue.runner()
        return "running" if found is not None and time.time() - found["heartbeat"] < _SILENT_S else "silent"

    def stop(self, timeout_s: float = 15.0) -> bool:
        """End the runner, if it is on this machine; its jobs go on when it is started again. Tell whether it is off."""
        found = self._project.queue.runner()
        if found is not None and found["host"] == socket.gethostname() and self.is_running():
            with suppress(ProcessLookupError):
                os.kill(found["pid"], signal.SIGTERM)
            deadline = time.monotonic() + timeout_s
            while self.is_running() and time.monotonic() < deadline:
                time.sleep(0.05)
        return not self.is_running()

    def cancel(self, row: JobRow) -> None:
        """Do what cancelling takes besides the flag in the queue, at which the runner looks itself: nothing."""

    def standing(self, row: JobRow) -> dict[str, Any]:
        """Return where a job stands in a queue of several users: nothing, as this one is one's own."""
        return {}

    def ensure(self, at_once: bool = True) -> None:
        """Start a runner unless there is one; with `at_once` false look at most once a second."""
        with self._lock:
            if not at_once and time.monotonic() - self._looked < _LOOK_EVERY_S:
                return
            self._looked = time.monotonic()
            ended = None if self._process is None else self._process.poll()
            if (self._process is not None and ended is None) or self.is_running():
                return
            self._count_failure(ended)
            self._process = self._start()

    def _count_failure(self, ended: int | None) -> None:
        """Give up when the runner cannot start; one that was killed is simply started again."""
        self._failures = self._failures + 1 if ended is not None and ended > 0 else 0
        if self._failures >= _MAX_FAILURES:
            self._failures = 0
            require_writable(self._project.path / ".spa")  # on a full disk the log has no word of it
            last = (
                self._project.runner_log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
                or ["no message"]
            )[-1]
            raise UserError(f"The runner cannot start ({last}); see {self._project.runner_log}.")

    def _start(self) -> subprocess.Popen[bytes]:
        # the runner finds the same modules as this process, wherever it was started from
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        with self._project.runner_log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "spa_widgets.session.runner", str(self._project.path)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                start_new_session=True,  # it outlives the kernel, and an interrupt of the kernel does not reach it
            )
