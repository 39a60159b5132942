"""Killing the processes around a job: kernel, worker, runner (with Dask's scheduler) and engine service."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import psutil

from spa_widgets.session.job import Job
from spa_widgets.session.queue import ENDED, FINISHED
from spa_widgets.session.session import Session
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import ServicePlace
from tests.benchmarks.run import REPOSITORY
from tests.support.tiny_chain import CHAIN, STEPS, content, movies_of

_PATIENCE_S = 900.0
_MOST_KILLS_OF_A_JOB = 4  # the queue gives up a job whose process dies five times without getting further
_KERNEL = """
import sys
from tests.benchmarks.kills_in_session import ask
from spa_widgets import Session
session = Session(sys.argv[1], device="cpu", class_store=sys.argv[2])
print("opened", flush=True)
job = ask(session, sys.argv[3], sys.argv[4:])
print("asked", flush=True)
job.wait()
"""


@dataclass
class Trial:
    """What became of one job whose processes were killed.

    Attributes
    ----------
    victim, step
        Who was killed, in the middle of what.
    kills
        How often.
    faults
        What was wrong afterwards; empty when nothing was.
    """

    victim: str
    step: str
    kills: int = 0
    faults: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Undisturbed:
    """What the jobs give when nothing dies.

    Attributes
    ----------
    store, keys
        The results, and their keys by step.
    behind
        For each step a store that has all results but its own.
    """

    store: Store
    keys: dict[str, str]
    behind: dict[str, Path]

    def differences(self, step: str, store: Store) -> list[str]:
        """Compare the result of a step in another store, file by file; return a sentence for each difference."""
        made = store.find(self.keys[step], content=True)
        if made is None:
            return ["the result is not there"]
        places = (store.path, *store.behind, self.behind[step], self.store.path)
        before, now = content(self.store.get(self.keys[step]), *places), content(made, *places)
        return [f"{name} differs" for name in before.keys() | now.keys() if before.get(name) != now.get(name)]


def ask(session: Session, step: str, movies: Sequence[str]) -> Job:
    """Ask for the jobs of the chain that one needs, and for itself."""
    link = CHAIN[STEPS.index(step)]
    inputs: dict[str, Any] = {name: ask(session, job, movies).output(file) for name, (job, file) in link.inputs.items()}
    if link.takes_movies:
        inputs["movies"] = list(movies)
    return session.submit(step, inputs, link.params)


def kill_in_session(
    trial: Trial, wanted: int, undisturbed: Undisturbed, folder: Path, rng: np.random.Generator
) -> Trial:
    """Kill one kind of process several times while a session's job is made; compare what it gives in the end."""
    wanted, step, behind = min(wanted, _MOST_KILLS_OF_A_JOB), trial.step, undisturbed.behind[trial.step]
    movies = [str(path) for path in movies_of(undisturbed.store)]
    with patch.dict(os.environ, {"SPA_RUNNER_IDLE_S": "60", "SPA_THREADS": "1"}):
        if trial.victim in ("kernel", "everything"):
            command = [sys.executable, "-c", _KERNEL, str(folder / "project"), str(behind), step, *movies]
            _kill_kernels(trial, wanted, command, rng)
            session = Session(folder / "project", device="cpu", class_store=behind)
            _finish(trial, ask(session, step, movies))
        elif trial.victim == "service":
            with _service(folder / "srv", behind) as service:
                session = Session(folder / "project", service=folder / "srv")
                job = ask(session, step, movies)
                _kill_often(trial, wanted, job, lambda: service.kill(rng), rng)
                _finish(trial, job)
        else:
            session = Session(folder / "project", device="cpu", class_store=behind)
            job = ask(session, step, movies)
            _kill_often(trial, wanted, job, lambda: _kill_of_runner(session, trial.victim), rng)
            _finish(trial, job)
        _look_again(trial, session.path, undisturbed)
        end_runner(session)
    return trial


def _kill_often(trial: Trial, wanted: int, job: Job, kill: Callable[[], bool], rng: np.random.Generator) -> None:
    """Kill once as soon as there is somebody to kill, then at random events and instants, until it is finished."""
    while trial.kills < wanted and job.status not in ENDED:
        if trial.kills and rng.random() < 0.7:
            _wait_for_events(job, int(rng.integers(1, 8)))
        time.sleep(float(rng.exponential(0.1 if trial.kills else 0.02)))
        if job.status not in ENDED:
            trial.kills += kill()


def _wait_for_events(job: Job, more: int) -> None:
    seen, deadline = len(job.events()), time.monotonic() + _PATIENCE_S
    while job.status not in ENDED and len(job.events()) < seen + more and time.monotonic() < deadline:
        time.sleep(0.005)


def _kill_of_runner(session: Session, victim: str) -> bool:
    """Kill the runner or its worker; tell whether there was one."""
    found = session.project.queue.runner()
    with suppress(psutil.NoSuchProcess, StopIteration):
        if found is not None and session.runner.is_running():
            runner = psutil.Process(found["pid"])
            (runner if victim == "runner" else _worker_of(runner)).kill()
            return True
    return False


def _worker_of(runner: psutil.Process) -> psutil.Process:
    return next(child for child in runner.children() if "spawn_main" in " ".join(child.cmdline()))


def _kill_kernels(trial: Trial, wanted: int, command: list[str], rng: np.random.Generator) -> None:
    """Kill kernels, or (`everything`) each with its runner and workers at once, as when the machine goes down."""
    while trial.kills < wanted:
        with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, encoding="utf-8") as kernel:
            assert kernel.stdout is not None
            everything = trial.victim == "everything"
            for _ in range(2 if everything else int(rng.integers(0, 3))):  # opened, and asked
                kernel.stdout.readline()
            # the runner and its worker take seconds to come up: some are killed before, most in the middle
            time.sleep(float(rng.exponential(3.0 if everything else 0.2)))
            if kernel.poll() is not None:
                return  # the job was finished before this one
            family = psutil.Process(kernel.pid).children(recursive=True) if everything else []
            for one in [kernel, *family]:
                with suppress(psutil.NoSuchProcess):
                    one.kill()
            trial.kills += 1


@dataclass
class _Service:
    root: Path

    def start(self) -> None:
        command = [sys.executable, "-m", "spa_widgets.cli", "service", "run", "--root", str(self.root)]
        with (self.root.parent / "service.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=REPOSITORY)
        deadline = time.monotonic() + _PATIENCE_S
        while not ((self.root / "service.json").exists() and ServicePlace(self.root).is_alive()):
            if time.monotonic() > deadline or self.process.poll() is not None:
                raise RuntimeError(f"The service did not start; see {self.root.parent / 'service.log'}.")
            time.sleep(0.1)

    def kill(self, rng: np.random.Generator) -> bool:
        """Kill the service, or the worker that computes for it; start it again."""
        process = psutil.Process(self.process.pid)
        if rng.random() < 0.4:
            with suppress(StopIteration, psutil.NoSuchProcess):
                _worker_of(process).kill()
                return True
        process.kill()
        self.process.wait()
        (self.root / "board.json").unlink(missing_ok=True)  # so that `start` waits for the next one's
        self.start()
        return True


@contextmanager
def _service(root: Path, behind: Path) -> Iterator[_Service]:
    """Run a service whose store has the results that a job needs."""
    for item in (behind / "objects").glob("??/*"):
        place = root / "store" / "objects" / item.parent.name / item.name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.symlink_to(item.resolve())
    service = _Service(root)
    service.start()
    try:
        yield service
    finally:
        family = psutil.Process(service.process.pid).children(recursive=True)
        service.process.terminate()
        service.process.wait()
        for one in family:
            with suppress(psutil.NoSuchProcess):
                one.kill()


def _finish(trial: Trial, job: Job) -> None:
    try:
        job.wait(_PATIENCE_S)
    except Exception as error:  # whatever it is, it is what this looks for
        trial.faults.append(f"{type(error).__name__}: {error}")
    if job.status != FINISHED:
        trial.faults.append(f"the job ended {job.status}")


def _look_again(trial: Trial, project: Path, undisturbed: Undisturbed) -> None:
    """Open the project anew and note what is not as it would be if nobody had been killed."""
    session = Session(project)
    trial.faults += undisturbed.differences(trial.step, session.store)
    trial.faults += [fault for faults in session.store.verify().values() for fault in faults]
    trial.faults += [f"{job.name} is {job.status}" for job in session.jobs if job.status != FINISHED]


def end_runner(session: Session) -> None:
    """End a project's runner with all its processes."""
    found = session.project.queue.runner()
    with suppress(psutil.NoSuchProcess):
        if found is not None and session.runner.is_running():
            runner = psutil.Process(found["pid"])
            for process in [*runner.children(recursive=True), runner]:
                process.kill()
