"""A class of participants at one engine service: nothing lost, one computation for all, fair shares, cost of each.

Every participant is a process with a session and a project of its own; as root each is an account of its own.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil

from spa_widgets.io.mrc import write_mrc
from spa_widgets.io.star import write_star
from spa_widgets.session.outputs import read_any
from spa_widgets.session.queue import FINISHED, Queue
from spa_widgets.session.session import Session
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import SERVICE_VARIABLE, ServicePlace
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import REPOSITORY, Settings

FIRST_UID = 64200
STEPS = 4
DATA = {"micrographs": 2, "size_px": 1024, "objects_per_micrograph": 60}
Answer = dict[str, Any]


@dataclass
class ClassRun:
    """What a class gave: answers of the participants, and what the service did for them."""

    answers: list[Answer]
    service_cpu_s: float
    service_peak_bytes: int
    wall_s: float
    computed: int
    faults: int
    served: list[tuple[str, float]]  # who was served, and how many seconds, in this order

    @property
    def cpu_s(self) -> float:
        """CPU time of all."""
        return self.service_cpu_s + sum(answer["cpu_s"] for answer in self.answers)


def run(settings: Settings) -> list[Row]:
    """Let one, four and eighty ask for the same, and four for different things."""
    _warm()
    many = settings.size(80, 8)
    runs = {count: _class(count, lambda session, index: _tutorial(session)) for count in (1, 4, many)}
    own = _class(4, _own_simulations)
    if not settings.quick:
        write_report(runs, own)
    rows = [Row(f"{count} ask for the same", _cost(found), _facts(found)) for count, found in runs.items()]
    rows[1].reference, rows[1].theirs = "one person", rows[0].ours
    return [*rows, Row("4 ask for different things", _cost(own), {**_facts(own), "share of the greedy": _greed(own)})]


def _cost(found: ClassRun) -> Cost:
    return Cost(found.wall_s, found.cpu_s, found.service_peak_bytes)


def _facts(found: ClassRun) -> dict[str, float]:
    count = len(found.answers)
    return {
        "requests": float(sum(answer["asked"] for answer in found.answers)),
        "answered": float(sum(answer["answered"] for answer in found.answers)),
        "computed": float(found.computed),
        "different keys": float(len({tuple(answer["keys"]) for answer in found.answers})),
        "damaged": float(found.faults),
        "CPU s a participant": sum(answer["cpu_s"] for answer in found.answers) / count,
        "own memory a participant, MB": max(answer["own_bytes"] for answer in found.answers) / 1e6,
        "slowest participant, s": max(answer["wall_s"] for answer in found.answers),
    }


def _greed(found: ClassRun) -> float:
    """Return the share of the worker's seconds that the greedy one got until the others had all theirs (fair: 1/4)."""
    users = [user for user, _ in found.served]
    greedy = max(set(users), key=users.count)
    last = max(index for index, user in enumerate(users) if user != greedy)
    until = found.served[: last + 1]
    return sum(seconds for user, seconds in until if user == greedy) / sum(seconds for _, seconds in until)


# -- what participants do --------------------------------------------------------------------------------------------


def _tutorial(session: Any) -> Answer:
    """Ask for the first steps of the tutorial at once, wait for them, and fetch tables and pictures."""
    simulated = session.simulate(**DATA)
    ctf = session.estimate_ctf(simulated.micrographs)
    particles = session.extract(ctf.micrographs, simulated.truth_picks, box_px=128, crop_px=64)
    classes = session.classify_2d(particles, classes=4, mask_diameter_A=160)
    jobs = [simulated, ctf, particles, classes]
    fetched = 0
    for job in jobs:
        job.wait(900)
        fetched += len(job.table())
        fetched += sum(len(path.read_bytes()) for path, _ in job.pictures.values())
        job._repr_html_()
    assert fetched > 0 and classes.read("class_averages.mrcs").shape[0] == 4
    return {"asked": len(jobs), "answered": sum(job.status == FINISHED for job in jobs), "keys": [j.key for j in jobs]}


def _own_simulations(session: Any, index: int) -> Answer:
    """Ask for data sets of one's own; the first participant for three times as many as the others."""
    count = 9 if index == 0 else 3
    if index:
        time.sleep(0.5)  # the greedy one is first
    jobs = [session.simulate(micrographs=1, size_px=512, objects_per_micrograph=9, seed=99 * index + number)
            for number in range(count)]  # fmt: skip
    for job in jobs:
        job.wait(900)
    return {"asked": count, "answered": sum(job.status == FINISHED for job in jobs), "keys": [j.key for j in jobs]}


# -- the class -------------------------------------------------------------------------------------------------------


def _warm() -> None:
    """Import what sessions need, so that participants, which are forked, share it as far as they do not change it."""
    folder = Path(tempfile.mkdtemp())
    session: Any = Session(folder / "warm", device="cpu")
    session._repr_html_()
    write_mrc(folder / "a.mrc", np.zeros((2, 4, 4), np.float32), 1.0)
    write_star(folder / "a.star", {"particles": pd.DataFrame({"x": [1.0]})})
    (folder / "a.csv").write_text("x\n1\n")
    for name in ("a.mrc", "a.star", "a.csv"):
        read_any(folder / name)
    shutil.rmtree(folder)


def _class(count: int, act: Callable[[Any, int], Answer]) -> ClassRun:
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
    answers = [json.loads((root / f"{index}.json").read_text()) for index in range(count)]
    served = _served(root / "srv")
    faults = Store(place.store).verify()
    shutil.rmtree(root, ignore_errors=True)
    return ClassRun(answers, spent, peak, wall_s, len(served), len(faults), served)


def _fork(root: Path, index: int, act: Callable[[Any, int], Answer]) -> int:
    folder = root / f"home{index}"
    folder.mkdir()
    answer = root / f"{index}.json"
    answer.write_text('{"asked": 0, "answered": 0, "keys": [], "cpu_s": 0, "own_bytes": 0, "wall_s": 0}')
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
        answer.write_text(json.dumps({**found, **costs, "own_bytes": own}))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(0)


def _cpu_s(process: psutil.Process) -> float:
    times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    return float(sum(found.user + found.system for found in times))


def _memory(process: psutil.Process) -> int:
    return int(sum(one.memory_full_info().pss for one in (process, *process.children(recursive=True))))


def _served(root: Path) -> list[tuple[str, float]]:
    """Return who asked first for each job that was computed, and its seconds, in the order in which they started."""
    rows = [row for row in Queue(root / "engine" / ".spa" / "queue.sqlite").jobs(states=(FINISHED,)) if not row.reused]
    served = []
    with sqlite3.connect(root / "private" / "ledger.sqlite") as ledger:
        for row in sorted(rows, key=lambda row: row.started or 0.0):
            user = ledger.execute("SELECT user FROM tickets WHERE job=? ORDER BY created", (row.number,)).fetchone()
            served.append((str(user[0]), (row.ended or 0.0) - (row.started or 0.0)))
    return served


# -- the report ------------------------------------------------------------------------------------------------------


def write_report(runs: dict[int, ClassRun], own: ClassRun) -> None:
    """Write ``docs/benchmarks/class.md``."""
    one = runs[1]
    names = list(_facts(one))
    lines = [
        "# A class at one engine service",
        "",
        f"Written by `write_report` of `tests/benchmarks/bench_class.py`. {datetime.now(UTC):%Y-%m-%d}, one worker "
        f"with one thread on {os.cpu_count()} cores of {platform.machine()} that other work shared, Python "
        f"{platform.python_version()}. Each participant is a process, with a project of its own"
        f"{' and an account of its own' if os.geteuid() == 0 else ''}: it opens a session, asks for four steps of the "
        "tutorial (simulation, CTF, extraction, 2D classes), waits, and fetches every table and picture.",
        "",
        f"| figure | {' | '.join(f'{count} ask for the same' for count in runs)} | 4 ask for different things |",
        f"|---|{'---|' * (len(runs) + 1)}",
    ]
    every = [*runs.values(), own]
    lines += [f"| {name} | {' | '.join(f'{_facts(found)[name]:.3g}' for found in every)} |" for name in names]
    lines += [
        f"| CPU s of the service and its worker | {' | '.join(f'{found.service_cpu_s:.3g}' for found in every)} |",
        f"| CPU s of all together | {' | '.join(f'{found.cpu_s:.3g}' for found in every)} |",
        f"| that, against one person | {' | '.join(f'{found.cpu_s / one.cpu_s:.2f}' for found in runs.values())} | |",
        f"| memory of the service and its worker, MB | "
        f"{' | '.join(f'{found.service_peak_bytes / 1e6:.0f}' for found in every)} |",
        "",
        "Memory a participant is what the session's process does not share with others; what all share (Python and its "
        "libraries) is there once when sessions are forked, and once for each kernel when they are not.",
        "",
        f"Of four who asked for different data sets, one asked for nine before the others asked for three each. Until "
        f"these had all theirs, {_greed(own):.0%} of the worker's seconds were his (fair: 25 %).",
        "",
    ]
    (REPOSITORY / "docs" / "benchmarks" / "class.md").write_text("\n".join(lines), encoding="utf-8")
