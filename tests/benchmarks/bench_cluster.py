"""One job over two workers of this machine against one worker: speed-up, and the same bits.

Other work on the machine changes wall times, so the speed-up is also told from CPU times: that of the worker that did
most against all that one worker took. It is what the wall would show on a machine with nothing else to do.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_widgets.session.clusters.connect import Workers
from spa_widgets.session.clusters.remote import run_on
from spa_widgets.session.clusters.setting import HERE, ClusterSetting
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import JobSpec, RawFiles
from spa_widgets.session.store import Store
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.support.particle_files import write_particles

BOX_PX, PIXEL_A = 48, 4.62
FILES = {"refine": "map.mrc", "classify_2d": "class_averages.mrcs", "initial_model": "volume_1.mrc"}


@dataclass(frozen=True)
class Run:
    """What a job took: by the clock, and CPU seconds of each worker."""

    wall_s: float
    cpu_s: tuple[float, ...]
    digest: str


def run(settings: Settings) -> list[Row]:
    """Measure each step with one worker and with two."""
    load_steps()
    write_particles(settings.work, settings.size(2048, 400), BOX_PX, PIXEL_A)
    found = {count: _on_workers(count, settings) for count in (1, 2)}
    return [_row(step, found[1][step], found[2][step]) for step in FILES]


def _row(step: str, alone: Run, shared: Run) -> Row:
    facts = {
        "speed-up by CPU": alone.cpu_s[0] / max(shared.cpu_s),
        "speed-up by the clock": alone.wall_s / shared.wall_s,
        "busiest worker, CPU s": max(shared.cpu_s),
        "other worker, CPU s": min(shared.cpu_s),
        "same bits": float(alone.digest == shared.digest),
    }
    row = Row(f"{step}, 2 workers", Cost(shared.wall_s, sum(shared.cpu_s), 0), facts)
    row.reference, row.theirs = "1 worker", Cost(alone.wall_s, sum(alone.cpu_s), 0)
    return row


def _on_workers(count: int, settings: Settings) -> dict[str, Run]:
    """Run each step on so many workers of one thread, each step once before: compiled code is loaded then."""
    os.environ["SPA_THREADS"] = str(count)
    with tempfile.TemporaryDirectory(dir=settings.work) as folder:
        workers = Workers(ClusterSetting(HERE, workers=count), Path(folder) / "dask", 0)
        small = settings.work / "small"
        if not small.exists():
            small.mkdir()
            write_particles(small, 40, 32, 2 * PIXEL_A)
        store = Store.open(Path(folder) / "store")
        try:
            for step in FILES:
                _timed(workers, store, step, small)
            return {step: _timed(workers, store, step, settings.work) for step in FILES}
        finally:
            workers.client.shutdown()


def _timed(workers: Workers, store: Store, step: str, data: Path) -> Run:
    before, begun = workers.client.run(_cpu_s), time.monotonic()
    key = run_on(workers, _spec(step, data), store, "cpu", lambda event: None)
    wall_s, after = time.monotonic() - begun, workers.client.run(_cpu_s)
    content = store.get(key).files[FILES[step]].read_bytes()
    spent = sorted((after[address] - before[address] for address in after), reverse=True)
    print(f"{step} on {len(spent)}: {wall_s:.1f} s, CPU s of each worker {spent}", file=sys.stderr, flush=True)
    return Run(wall_s, tuple(spent), hashlib.sha256(content).hexdigest())


def _cpu_s() -> float:
    return time.process_time()


def _spec(step: str, data: Path) -> JobSpec:
    particles, volume = RawFiles((data / "particles.star",)), RawFiles((data / "volume.mrc",))
    params: dict[str, Any] = {"mask_diameter_A": 160}
    if step == "refine":
        params |= {"symmetry": "C8", "align_symmetry": False, "max_iterations": 5}
        return JobSpec(step, params, {"particles": particles, "volume": volume})
    params |= {"classes": 10} if step == "classify_2d" else {}
    return JobSpec(step, params, {"particles": particles})
