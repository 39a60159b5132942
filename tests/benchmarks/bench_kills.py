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
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from spa_widgets.session.context import JobContext
from spa_widgets.session.execute import execute
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from tests.benchmarks.kills_in_session import Trial, Undisturbed, kill_in_session
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import REPOSITORY, Settings
from tests.support.killing import forked
from tests.support.tiny_chain import STEPS, run_chain, spec, without

REPORT = REPOSITORY / "docs" / "benchmarks" / "kills.md"
PROCESS, VICTIMS = "process", ("worker", "runner", "kernel", "service", "everything")
_LAST = 15  # operations on files while a result is published
_FULL = {PROCESS: 12, "worker": 3, "runner": 2, "kernel": 2, "service": 2, "everything": 2}  # kills of each in each job
_QUICK = {PROCESS: 2, "worker": 1, "runner": 1, "kernel": 0, "service": 0, "everything": 1}
_WHAT = {
    PROCESS: "process that computes, at random operations on files and after random CPU times",
    "worker": "worker of the runner",
    "runner": "runner, with Dask's scheduler",
    "kernel": "kernel",
    "service": "engine service, or its worker",
    "everything": "kernel, runner and workers at once",
}
_HOW = (
    "Every long job of the tutorial on little data; kill -9 at random points, from the first operation to the "
    "publishing, several times in one job, until an attempt is left alone; parts of a result and iterations that were "
    "kept may not be made again. Then the project is opened anew, its store is read byte by byte, and every file of "
    "the result, its figures and warnings are compared with a run that nobody disturbed, to the last bit."
)


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
    load_steps()
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
    job, behind = spec(trial.step, undisturbed.keys, undisturbed.store), undisturbed.behind[trial.step]
    log = folder / "kept"
    operations, cpu_s = _cost(job, Store.open(folder / "cost", [behind]), folder / "note", log)
    units = _units(log)
    attempt = 0
    while trial.kills < wanted:
        attempt += 1
        own, log = Store.open(folder / str(attempt), [behind]), folder / f"kept-{attempt}"
        # the last attempt of each is left alone
        while trial.kills < wanted and not _attempt(job, own, operations, cpu_s, rng, log):
            trial.kills += 1
            trial.faults += [fault for faults in own.verify().values() for fault in faults]
        _run(job, own, log)
        trial.faults += undisturbed.differences(trial.step, own)
        if _units(log) > units:
            trial.faults.append(f"it kept {_units(log)} parts of the result where {units} suffice: it began anew")
    return trial


def _run(
    job: JobSpec, own: Store, log: Path, at_operation: int = 0, after_cpu_s: float = 0.0, note: Path | None = None
) -> bool:
    return forked(lambda: _execute_noting(job, own, log), at_operation, after_cpu_s, note)


def _execute_noting(job: JobSpec, own: Store, log: Path) -> None:
    """Work at a job and note each part of the result and each checkpoint that is safely kept."""
    keep = JobContext.keep

    def keep_and_note(context: JobContext, name: str, state: Mapping[str, Any]) -> None:
        keep(context, name, state)
        with log.open("a", encoding="utf-8") as stream:
            stream.write(f"{name}\n")

    JobContext.keep = keep_and_note  # type: ignore[method-assign]
    execute(job, own, "cpu")


def _units(log: Path) -> int:
    return len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0


def _cost(job: JobSpec, own: Store, note: Path, log: Path) -> tuple[int, float]:
    """Return how many operations on files and how much CPU time a job takes that nobody kills."""
    _run(job, own, log, note=note)
    operations, cpu_s = note.read_text(encoding="utf-8").split()
    return int(operations), float(cpu_s)


def _attempt(job: JobSpec, own: Store, operations: int, cpu_s: float, rng: np.random.Generator, log: Path) -> bool:
    """Work at a job until a random point, often while the result is published; tell whether it came to its end."""
    draw = rng.random()
    if draw < 0.15:
        return _run(job, own, log, at_operation=operations - int(rng.integers(0, min(_LAST, operations))))
    if draw < 0.55:
        return _run(job, own, log, at_operation=int(rng.integers(1, operations + 1)))
    return _run(job, own, log, after_cpu_s=float(rng.uniform(0.01, cpu_s)))


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
        f"{os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}. {_HOW}",
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
