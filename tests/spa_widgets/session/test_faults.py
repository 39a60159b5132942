"""kill -9 of worker, runner and kernel in the middle of an iterative job."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from session_support import runner_process, wait_until, worker_process

from spa_widgets.session.context import Cancelled
from spa_widgets.session.execute import execute
from spa_widgets.session.job import Job
from spa_widgets.session.session import Session
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store

VALUES = {"iterations": 40, "noise": 0.3}  # the pause of each test makes its key its own, not its result


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The result of the same job when nothing dies."""
    store = Store.open(tmp_path_factory.mktemp("undisturbed"))
    key = execute(JobSpec("toy_iterate", VALUES), store, "cpu")
    return store.get(key).files["vector.npy"].read_bytes()


def iterations_done(job: Job) -> int:
    return sum(event["kind"] == "progress" for event in job.events())


def assert_resumed_and_identical(job: Job, expected: bytes) -> None:
    job.wait(60)
    assert job.path("vector").read_bytes() == expected
    assert job.events(kind="resumed"), "it started over instead of resuming"
    assert job.status == "finished" and job.session.store.verify() == {}


def test_killed_worker(open_session: Callable[..., Session], undisturbed: bytes) -> None:
    session = open_session()
    job = session.toy_iterate(**VALUES, pause_s=0.03)
    wait_until(lambda: iterations_done(job) > 5)
    worker_process(session).kill()
    assert_resumed_and_identical(job, undisturbed)


def test_killed_runner(open_session: Callable[..., Session], undisturbed: bytes) -> None:
    session = open_session()
    job = session.toy_iterate(**VALUES, pause_s=0.031)
    wait_until(lambda: iterations_done(job) > 5)
    runner, worker = runner_process(session), worker_process(session)
    runner.kill()
    wait_until(lambda: not worker.is_running() or worker.status() == "zombie", 10)
    assert_resumed_and_identical(job, undisturbed)
    assert runner_process(session).pid != runner.pid


KERNEL = """
import sys, time
sys.path[:0] = [{here!r}]
from spa_widgets import Session
session = Session({project!r}, device="cpu")
session.take_over()
session.toy_iterate(iterations=40, noise=0.3, pause_s=0.032)
print("asked", flush=True)
time.sleep(60)
"""


def test_killed_kernel_leaves_the_job_running(open_session: Callable[..., Session], undisturbed: bytes) -> None:
    session = open_session()
    known = len(session)
    code = KERNEL.format(here=str(Path(__file__).parent), project=str(session.path))
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, cwd=root, encoding="utf-8") as kernel:
        assert kernel.stdout is not None and "session.take_over()" in kernel.stdout.readline()
        assert kernel.stdout.readline() == "asked\n"
        kernel.kill()
    job = session.jobs[known].wait(60)
    assert job.path("vector").read_bytes() == undisturbed
    assert len(job.events(kind="started")) == 1 and not job.events(kind="resumed")


def test_a_stopped_runner_hands_its_job_over(open_session: Callable[..., Session]) -> None:
    session = open_session()
    job = session.toy_iterate(iterations=2000, pause_s=0.05)
    wait_until(lambda: iterations_done(job) > 5)
    assert session.runner.state() == "running"
    assert session.runner.stop() and session.runner.state() == "off"
    before = iterations_done(job)
    wait_until(lambda: job.status == "running" and iterations_done(job) > before + 2)
    assert job.events(kind="resumed")
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(20)


def test_a_job_that_kills_its_process_again_and_again_is_given_up(open_session: Callable[..., Session]) -> None:
    session = open_session()
    job = session.toy_iterate(iterations=3).wait(60)
    session.project.queue.update(job.number, state="running", attempts=5, key=None, started=time.time())
    from spa_widgets.session.worker import run_job

    assert run_job(str(session.path), job.number, "cpu") == "failed"
    assert "lost its process 5 times" in job.error
