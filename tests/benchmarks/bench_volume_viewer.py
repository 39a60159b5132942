"""The volume viewer: what travels to the browser, and how long a new contour level takes in the view's worker."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import numpy as np

from tests.benchmarks.measure import Cost, run_command
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings

SCRIPT = Path(__file__).with_name("contour.mjs")


def run(settings: Settings) -> list[Row]:
    """Pack a noisy map of 180³ (its size is the figure) and contour it as the worker does, beside marching cubes."""
    from spa_widgets.viewers.volume.maps import quantise

    side = settings.size(180, 90)
    volume = _ball_with_channels(side)
    start = (time.perf_counter(), time.process_time())
    packed = quantise(volume, 1.0)
    cost = Cost(time.perf_counter() - start[0], time.process_time() - start[1], 0)
    rows = [Row(f"pack {side}³ for the browser", cost, {"MB sent": len(packed.packed) / 1e6})]
    if shutil.which("node") is None:
        return rows
    file = settings.work / "levels.raw"
    file.write_bytes(packed.levels.tobytes())
    rounds = json.loads(run_command(["node", SCRIPT, file, str(side), "4"], settings.work).output.splitlines()[-1])
    best = min(rounds[1:], key=lambda each: each["cpu_s"])  # the first one compiles
    ours = Cost(best["cpu_s"], best["cpu_s"], 0)
    theirs = _marching_cubes(packed.levels)
    rows.append(
        Row(f"new level of {side}³ in the worker", ours, {"triangles": best["triangles"]},
            reference="skimage marching cubes", theirs=theirs)
    )  # fmt: skip
    return rows


def _ball_with_channels(side: int) -> np.ndarray:
    z, y, x = np.mgrid[:side, :side, :side].astype(np.float32) - side // 2
    ripple = np.sin(x / 4) * np.sin(y / 4) + np.sin(z / 4)
    ball = (np.hypot(np.hypot(x, y), z) < 0.33 * side) * (1.0 + 0.5 * ripple)
    return (ball + 0.05 * np.random.default_rng(0).standard_normal(ball.shape)).astype(np.float32)


def _marching_cubes(levels: np.ndarray) -> Cost:
    from skimage.measure import marching_cubes

    start = (time.perf_counter(), time.process_time())
    marching_cubes(levels.astype(np.float32), 114.0)
    return Cost(time.perf_counter() - start[0], time.process_time() - start[1], 0)
