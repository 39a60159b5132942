"""kill -9 at random points of every long job: what is lost, and whether the result is the same to the last bit.

In the processes that compute, at random operations on files and after random CPU times, one attempt after the other
until one comes to its end; and in the whole machinery: kernel, worker, runner (with Dask's scheduler), engine service.
"""

from __future__ import annotations

import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from spa_widgets.session.execute import execute
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from tests.benchmarks.kills_in_session import Trial, Undisturbed, kill_in_session
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import REPOSITORY, Settings
from tests.support.killing import forked
from tests.support.tiny_chain import STEPS, run_chain, spec, without

REPORT = REPOSITORY / "docs" / "benchmarks" / "kills.md"
PROCESS, VICTIMS = "process", ("worker", "runner", "kernel", "service")
_FULL = {PROCESS: 16, "worker": 4, "runner": 4, "kernel": 3, "service": 2}  # kills of each in each job
_QUICK = {PROCESS: 2, "worker": 1, "runner": 1, "kernel": 0, "service": 0}
_WHAT = {
    PROCESS: "process that computes, at random operations on files and after random CPU times",
    "worker": "worker of the runner",
    "runner": "runner, with Dask's scheduler",
    "kernel": "kernel",
    "service": "engine service, or its worker",
}


def run(settings: Settings) -> list[Row]:
    """Kill, compare, and write the report."""
    trials: list[Trial] = []
    for trial in all_trials(settings.work, _QUICK if settings.quick else _FULL):
        trials.append(trial)
        # at once, so that a run that is stopped leaves what it has seen
        (settings.work / "kills.json").write_text(json.dumps([vars(one) for one in trials]), encoding="utf-8")
        print(
            f"  {trial.victim} in {trial.step}: {trial.kills} kills {trial.faults or ''}", file=sys.stderr, flush=True
        )
        if not settings.quick:
            write_report(trials)
    nothing = Cost(0.0, 0.0, 0)
    return [
        Row(_WHAT[victim], nothing, {"kills": float(kills), "jobs": float(jobs), "faults": float(faults)})
        for victim, kills, jobs, faults in _sums(trials)
    ]


def all_trials(folder: Path, wanted: dict[str, int]) -> Iterator[Trial]:
    """Make the undisturbed results, then kill in every job; yield what became of each."""
    undisturbed = make_undisturbed(folder)
    for victim in (PROCESS, *VICTIMS):
        for step in STEPS:
            if wanted[victim]:
                yield one_trial(victim, step, wanted[victim], undisturbed, folder)


def make_undisturbed(folder: Path) -> Undisturbed:
    """Run every job once, and make stores that lack one of the results each."""
    store = Store.open(folder / "reference")
    # in a process of its own: this one must have no threads when it forks
    forked(lambda: (folder / "keys.json").write_text(json.dumps(run_chain(store)), encoding="utf-8"))
    keys = json.loads((folder / "keys.json").read_text(encoding="utf-8"))
    return Undisturbed(store, keys, {step: without(store, keys[step], folder / "behind" / step) for step in STEPS})


def one_trial(victim: str, step: str, wanted: int, undisturbed: Undisturbed, folder: Path) -> Trial:
    """Kill one kind of process so many times while one job is made."""
    place = folder / victim / step
    place.mkdir(parents=True)
    seed = [(PROCESS, *VICTIMS).index(victim), STEPS.index(step), wanted]
    kill = kill_process if victim == PROCESS else kill_in_session
    return kill(Trial(victim, step), wanted, undisturbed, place, np.random.default_rng(seed))


def kill_process(trial: Trial, wanted: int, undisturbed: Undisturbed, folder: Path, rng: np.random.Generator) -> Trial:
    """Kill the process that makes a result so many times, and compare what comes out in the end each time."""
    job, behind = spec(trial.step, undisturbed.keys), undisturbed.behind[trial.step]
    operations, cpu_s = _cost(job, Store.open(folder / "cost", [behind]), folder / "note")
    attempt = 0
    while trial.kills < wanted:
        attempt += 1
        own = Store.open(folder / str(attempt), [behind])
        # the last attempt of each is left alone
        while trial.kills < wanted and not _attempt(job, own, operations, cpu_s, rng):
            trial.kills += 1
            trial.faults += [fault for faults in own.verify().values() for fault in faults]
        _run(job, own)
        trial.faults += undisturbed.differences(trial.step, own)
    return trial


def _run(job: JobSpec, own: Store, at_operation: int = 0, after_cpu_s: float = 0.0, note: Path | None = None) -> bool:
    return forked(lambda: execute(job, own, "cpu"), at_operation, after_cpu_s, note)


def _cost(job: JobSpec, own: Store, note: Path) -> tuple[int, float]:
    """Return how many operations on files and how much CPU time a job takes that nobody kills."""
    _run(job, own, note=note)
    operations, cpu_s = note.read_text().split()
    return int(operations), float(cpu_s)


def _attempt(job: JobSpec, own: Store, operations: int, cpu_s: float, rng: np.random.Generator) -> bool:
    """Work at a job until a random point; tell whether it came to its end before."""
    if rng.random() < 0.5:
        return _run(job, own, at_operation=int(rng.integers(1, operations + 1)))
    return _run(job, own, after_cpu_s=float(rng.uniform(0.01, cpu_s)))


def _sums(trials: list[Trial]) -> list[tuple[str, int, int, int]]:
    """Kills, jobs and faults by victim."""
    found = []
    for victim in (PROCESS, *VICTIMS):
        mine = [trial for trial in trials if trial.victim == victim]
        if mine:
            faults = sum(len(t.faults) for t in mine)
            found.append((victim, sum(t.kills for t in mine), len({t.step for t in mine}), faults))
    return found


def write_report(trials: list[Trial]) -> None:
    """Write counts by victim and by step."""
    kills: Counter[tuple[str, str]] = Counter()
    for trial in trials:
        kills[trial.victim, trial.step] += trial.kills
    victims = [victim for victim in (PROCESS, *VICTIMS) if any(trial.victim == victim for trial in trials)]
    faults = [f"- {t.victim} in `{t.step}`: {fault}" for t in trials for fault in t.faults]
    lines = [
        "# Killed processes",
        "",
        f"Figures of `tests/benchmarks/bench_kills.py`, {datetime.now(UTC):%Y-%m-%d}, {platform.machine()} with "
        f"{os.cpu_count()} cores, Python {platform.python_version()}. Every long job of the tutorial on little data; "
        "kill -9 at random points, several times in one job, until an attempt is left alone. Then the project is "
        "opened anew, its store is read byte by byte, and every file of the result, its figures and warnings are "
        "compared with a run that nobody disturbed, to the last bit.",
        "",
        f"**{sum(kills.values())} kills, {len(faults)} faults.**",
        "",
        f"| job | {' | '.join(victims)} | all |",
        f"|---|{'---|' * (len(victims) + 1)}",
    ]
    for step in STEPS:
        each = [kills[victim, step] for victim in victims]
        lines.append(f"| `{step}` | {' | '.join(map(str, each))} | {sum(each)} |")
    every = [sum(kills[victim, step] for step in STEPS) for victim in victims]
    lines += [f"| all | {' | '.join(map(str, every))} | {sum(every)} |", ""]
    lines += [f"- {victim}: {_WHAT[victim]}" for victim in victims]
    lines += ["", "Faults:", "", *faults] if faults else []
    REPORT.write_text("\n".join(lines) + "\n", encoding="utf-8")
