"""Finding and waiting for the processes of a session."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from unittest.mock import patch

import psutil
import toy_steps

from spa_widgets.session import registry
from spa_widgets.session.session import Session


def runner_process(session: Session) -> psutil.Process:
    """The live runner of a project."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        found = session.project.queue.runner()
        if found is not None and session.runner.is_running():
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(found["pid"])
                if process.status() != psutil.STATUS_ZOMBIE:
                    return process
        time.sleep(0.05)
    raise AssertionError("no runner came up")


def worker_process(session: Session) -> psutil.Process:
    """The process in which the runner's jobs are computed."""
    children = runner_process(session).children()
    return next(child for child in children if "spawn_main" in " ".join(child.cmdline()))


def wait_until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def end_runner(session: Session) -> None:
    """End a project's runner with all its processes."""
    found = session.project.queue.runner()
    if found is None or not session.runner.is_running():
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(found["pid"])
        family = [process, *process.children(recursive=True)]
        process.send_signal(signal.SIGTERM)
        _, alive = psutil.wait_procs(family, timeout=10)
        for one in alive:
            one.kill()


@contextmanager
def toy_steps_registered() -> Iterator[None]:
    """Register the toy steps, for this process and those it starts, and take them out again."""
    registry.load_steps()
    with patch.dict(registry._STEPS), patch.dict(os.environ, {registry.EXTRA_STEPS_VARIABLE: "toy_steps"}):
        registry.register(toy_steps.ITERATE)
        registry.register(toy_steps.SCALE)
        yield


def free_ports(count: int) -> list[int]:
    """Ports of this machine that nobody listens at."""
    opened = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in opened]
    for one in opened:
        one.close()
    return ports
