"""A class of participants at one engine service: nothing lost, one computation for all, fair shares, cost of each.

Every participant is a process with a session and a project of its own; as root each is an account of its own.
"""

from __future__ import annotations

import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from spa_widgets.service.engine_service import EngineService
from spa_widgets.service.folder import ServiceSettings
from spa_widgets.session.queue import FINISHED
from spa_widgets.session.registry import load_steps
from spa_widgets.session.tickets import new_ticket
from tests.benchmarks.class_run import FIRST_UID, Answer, ClassRun, run_class, warm
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import REPOSITORY, Settings

DATA = {"micrographs": 2, "size_px": 1024, "objects_per_micrograph": 60}
# micrographs of each data set, and how many data sets, of those who ask for different things; the first is greedy
MIX = ((1, 30), (4, 8), (8, 6), (12, 5))
LINE = 500
PAIRS = 3


def run(settings: Settings) -> list[Row]:
    """Let one, four and eighty ask for the same, and four for different things; fill the line of a desk."""
    warm()
    pairs = _pairs(settings.size(PAIRS, 1))
    runs = dict(zip((1, 4), sorted(pairs, key=_time_ratio)[len(pairs) // 2], strict=True))
    many = settings.size(80, 8)
    runs[many] = run_class(many, lambda session, index: _tutorial(session))
    own = run_class(4, _own_simulations)
    desk = _desk_with_line(settings.size(LINE, 50))
    if not settings.quick:
        write_report(pairs, runs, own, desk)
    rows = [Row(f"{count} ask for the same", _cost(found), _facts(found)) for count, found in runs.items()]
    rows[1].reference, rows[1].theirs = "one person", rows[0].ours
    shares = {f"share {place}": share for place, share in enumerate(own.shares().values(), 1)}
    rows.append(Row("4 ask for different things", _cost(own), {**_facts(own), **shares}))
    return [*rows, Row(f"a line of {settings.size(LINE, 50)}", Cost(0.0, desk["CPU s a second"], 0), desk)]


def _pairs(count: int) -> list[tuple[ClassRun, ClassRun]]:
    """Let one, and then four at once, ask for the same on one CPU, several times: other work disturbs both alike."""
    pairs = []
    with _one_cpu():
        for number in range(count):
            one, four = (run_class(people, lambda session, index: _tutorial(session)) for people in (1, 4))
            pairs.append((one, four))
            print(f"pair {number + 1}: time {_time_ratio(pairs[-1]):.3f}, CPU {_cpu_ratio(pairs[-1]):.3f}", flush=True)
    return pairs


@contextmanager
def _one_cpu() -> Iterator[None]:
    """Let this process and all that it starts run on one CPU."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _time_ratio(pair: tuple[ClassRun, ClassRun]) -> float:
    one, four = (max(answer["wall_s"] for answer in found.answers) for found in pair)
    return float(four / one)


def _cpu_ratio(pair: tuple[ClassRun, ClassRun]) -> float:
    return pair[1].cpu_s / pair[0].cpu_s


def _cost(found: ClassRun) -> Cost:
    return Cost(found.wall_s, found.cpu_s, found.service_peak_bytes)


def _facts(found: ClassRun) -> dict[str, float]:
    count = len(found.answers)
    return {
        "requests": float(sum(answer["asked"] for answer in found.answers)),
        "answered": float(sum(answer["answered"] for answer in found.answers)),
        "computed": float(len(found.served)),
        "different keys": float(len({tuple(answer["keys"]) for answer in found.answers})),
        "damaged": float(found.faults),
        "CPU s a participant": sum(answer["cpu_s"] for answer in found.answers) / count,
        "own memory a participant, MB": max(answer["own_bytes"] for answer in found.answers) / 1e6,
        "slowest participant, s": max(answer["wall_s"] for answer in found.answers),
    }


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
    """Ask for data sets of one's own: many small ones, or a few large ones."""
    micrographs, count = MIX[index]
    if index:
        time.sleep(0.5)  # the greedy one is first
    jobs = [session.simulate(micrographs=micrographs, size_px=512, objects_per_micrograph=9, seed=99 * index + number)
            for number in range(count)]  # fmt: skip
    for job in jobs:
        job.wait(1800)
    return {"asked": count, "answered": sum(job.status == FINISHED for job in jobs), "keys": [j.key for j in jobs]}


def _desk_with_line(count: int) -> dict[str, float]:
    """Return what a long line costs the service itself, with workers that never finish."""
    load_steps()
    root = Path(tempfile.mkdtemp(prefix="spa-desk-"))
    service = EngineService(ServiceSettings(root / "srv"))
    begun = time.process_time()
    for number in range(count):
        ticket, params = new_ticket(), {"micrographs": 1, "size_px": 512, "seed": number}
        service.place.submit(ticket, {"kind": "ask", "step": "simulate", "params": params, "inputs": {}})
        if os.geteuid() == 0:
            os.chown(service.place.spool / f"{ticket}.json", FIRST_UID + number % 20, FIRST_UID)
    while len(service.project.queue.jobs()) < count:
        service._tick()
    taking_s = time.process_time() - begun
    begun, wall = time.process_time(), time.monotonic()
    while time.monotonic() - wall < 10:
        service._tick()
        time.sleep(0.05)
    idle = (time.process_time() - begun) / (time.monotonic() - wall)
    begun = time.process_time()
    for _ in range(20):
        service._version = -1  # as when a job has ended
        service._tick()
    look_s = (time.process_time() - begun) / 20
    shutil.rmtree(root, ignore_errors=True)
    return {"CPU ms to take a request": 1e3 * taking_s / count, "CPU s a second": idle, "CPU ms a look": 1e3 * look_s}


# -- the report ------------------------------------------------------------------------------------------------------


def write_report(
    pairs: list[tuple[ClassRun, ClassRun]], runs: dict[int, ClassRun], own: ClassRun, desk: dict[str, float]
) -> None:
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
        f"One and four were measured in turn, {len(pairs)} times, with the participants, the service and its worker on "
        "one CPU. Four who ask for the same took, against one: CPU time of all together "
        f"{_listed([_cpu_ratio(pair) for pair in pairs])}, time until the slowest has everything "
        f"{_listed([_time_ratio(pair) for pair in pairs])}. The table shows the pair in the middle.",
        "",
        "Memory a participant is what the session's process does not share with others; what all share (Python and its "
        "libraries) is there once when sessions are forked, and once for each kernel when they are not.",
        "",
        f"Of four who asked for data sets of their own, one asked first, for {MIX[0][1]} of {MIX[0][0]} micrograph, "
        f"the others for {', '.join(f'{count} of {size}' for size, count in MIX[1:])}. As long as all wanted more, "
        f"their shares of the worker's seconds were {', '.join(f'{share:.0%}' for share in own.shares().values())} "
        "(fair: 25 % each).",
        "",
        f"A line of {LINE} requests costs the service {desk['CPU s a second']:.1%} of a core while nothing happens, "
        f"{desk['CPU ms a look']:.0f} ms each time a job ends, and {desk['CPU ms to take a request']:.1f} ms for each "
        "request that comes in.",
        "",
    ]
    (REPOSITORY / "docs" / "benchmarks" / "class.md").write_text("\n".join(lines), encoding="utf-8")


def _listed(ratios: list[float]) -> str:
    """List ratios and their median."""
    return f"{median(ratios):.2f} ({', '.join(f'{ratio:.2f}' for ratio in ratios)})"
