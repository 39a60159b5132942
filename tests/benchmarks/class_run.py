"""Run a class of participants at one engine service: each a process with an account and a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from spa_widgets.session.outputs import read_any
from spa_widgets.session.queue import FINISHED, Queue
from spa_widgets.session.session import Session
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import SERVICE_VARIABLE, ServicePlace
from tests.benchmarks.run import REPOSITORY

FIRST_UID = 64200
Answer = dict[str, Any]


@dataclass(frozen=True)
class Served:
    """A job that was computed: who asked for it first, when it started and ended (s)."""

    user: str
    started: float
    ended: float


@dataclass
class ClassRun:
    """What a class gave: answers of the participants, and what the service did for them."""

    answers: list[Answer]
    service_cpu_s: float
    service_peak_bytes: int
    wall_s: float
    faults: int
    served: list[Served]  # in the order in which they started

    @property
    def cpu_s(self) -> float:
        """CPU time of all."""
        return self.service_cpu_s + sum(answer["cpu_s"] for answer in self.answers)

    def shares(self) -> dict[str, float]:
        """Return each user's part of the worker's seconds, as long as all of them wanted more."""
        last: dict[str, float] = defaultdict(float)
        for job in self.served:
            last[job.user] = max(last[job.user], job.ended)
        until = min(last.values())
        seconds: dict[str, float] = defaultdict(float)
        for job in self.served:
            seconds[job.user] += max(min(job.ended, until) - job.started, 0.0)
        return {user: seconds[user] / sum(seconds.values()) for user in sorted(seconds)}


def warm() -> None:
    """Import what sessions need, so that participants, which are forked, share it as far as they do not change it."""
    folder = Path(tempfile.mkdtemp())
    session: Any = Session(folder / "warm", device="cpu")
    session._repr_html_()
    write_mrc(folder / "a.mrc", np.zeros((2, 4, 4), np.float32), 1.0)
    write_star(folder / "a.star", {"particles": pd.DataFrame({"x": [1.0]})})
    (folder / "a.csv").write_text("x\n1\n", encoding="utf-8")
    for name in ("a.mrc", "a.star", "a.csv"):
        read_any(folder / name)
    shutil.rmtree(folder)


def run_class(count: int, act: Callable[[Any, int], Answer]) -> ClassRun:
    root = Path(tempfile.mkdtemp(prefix="spa-class-"))
    root.chmod(0o755)
    environment = {**os.environ, "SPA_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "spa_widgets.cli", "service", "run", "--root", str(root / "srv")]
    with (
        (root / "log").open("wb") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as service,
    ):
        try:
            place = ServicePlace(root / "srv")
            while not place.is_alive():
                time.sleep(0.1)
            process = psutil.Process(service.pid)
            before = _cpu_s(process)
            begun = time.monotonic()
            children = [_fork(root, index, act) for index in range(count)]
            for child in children:
                os.waitpid(child, 0)
            wall_s = time.monotonic() - begun
            spent, peak = _cpu_s(process) - before, _memory(process)
        finally:
            family = psutil.Process(service.pid).children(recursive=True)
            service.terminate()
            service.wait(20)
            for one in family:
                if one.is_running():
                    one.kill()
    answers = [json.loads((root / f"{index}.json").read_text(encoding="utf-8")) for index in range(count)]
    served = _served(root / "srv")
    faults = Store(place.store).verify()
    shutil.rmtree(root, ignore_errors=True)
    return ClassRun(answers, spent, peak, wall_s, len(faults), served)


def _fork(root: Path, index: int, act: Callable[[Any, int], Answer]) -> int:
    folder = root / f"home{index}"
    folder.mkdir()
    answer = root / f"{index}.json"
    answer.write_text(
        '{"asked": 0, "answered": 0, "keys": [], "cpu_s": 0, "own_bytes": 0, "wall_s": 0}', encoding="utf-8"
    )
    if os.geteuid() == 0:
        for path in (folder, answer):
            os.chown(path, FIRST_UID + index, FIRST_UID + index)
    child = os.fork()
    if child:
        return child
    try:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(FIRST_UID + index)
            os.setuid(FIRST_UID + index)
        os.environ[SERVICE_VARIABLE] = str(root / "srv")
        cpu, wall = time.process_time(), time.monotonic()
        found = act(Session(folder / "project"), index)
        costs = {"cpu_s": time.process_time() - cpu, "wall_s": time.monotonic() - wall}
        own = psutil.Process().memory_full_info().uss
        answer.write_text(json.dumps({**found, **costs, "own_bytes": own}), encoding="utf-8")
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _cpu_s(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(found.user + found.system for found in times))


def _memory(process: psutil.Process) -> int:
    return int(sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))))


def _served(root: Path) -> list[Served]:
    rows = [row for row in Queue(root / "engine" / ".spa" / "queue.sqlite").jobs(states=(FINISHED,)) if not row.reused]
    served = []
    with sqlite3.connect(root / "private" / "ledger.sqlite") as ledger:
        for row in sorted(rows, key=lambda row: row.started or 0.0):
            user = ledger.execute("SELECT user FROM tickets WHERE job=? ORDER BY created", (row.number,)).fetchone()
            served.append(Served(str(user[0]), row.started or 0.0, row.ended or 0.0))
    return served
