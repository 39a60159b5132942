"""Refinement against truth on many sets: keeps ``build/refine-sets.json`` and writes ``docs/benchmarks/refine.md``.

``python -m tests.benchmarks.refine_table [--trace] [SET …]``; without names only the page is written. The comparison
with RELION is that of the last ``python -m tests.benchmarks.run refine``.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from engine.fourier.crop import fourier_resize_volume
from engine.reconstruction.alignment import align_maps, map_fsc_to_truth
from engine.reconstruction.refinement import pose_distance_deg, refine
from engine.reconstruction.refinement_state import RefinementOptions, RefinementState
from spa_widgets.steps.refine.params import STEP
from tests.benchmarks.measure import measure
from tests.benchmarks.refine_page import write_page
from tests.benchmarks.refine_sets import SETS, Problem, RefineSet
from tests.benchmarks.run import BUILD, REPOSITORY, THREAD_VARIABLES
from tests.benchmarks.truth import truth_mask

_KEPT = BUILD / "refine-sets.json"


def run_set(chosen: RefineSet, trace: bool = False) -> dict[str, Any]:
    """Refine a set from its truth at 30 Å and compare with truth."""
    problem = chosen.problem()
    options = RefinementOptions(symmetry=chosen.symmetry, mask_diameter_A=chosen.mask_A)
    halves = 1 + np.arange(problem.particles.count) % 2

    def whole() -> RefinementState:
        for state in refine(problem.particles, halves, problem.truth, options, np.random.default_rng(0)):
            if trace:
                print(_line(state, problem, chosen), file=sys.stderr, flush=True)
        return state

    state, cost = measure(whole)
    return {
        "set": chosen.name,
        "version": STEP.version,
        "iterations": state.iteration,
        "cpu_s": cost.cpu_s,
        "peak_MB": cost.peak_bytes / 1e6,
        "half_maps_A": state.resolution_A,
        **_against_truth(state, problem, chosen),
    }


def _against_truth(state: RefinementState, problem: Problem, chosen: RefineSet) -> dict[str, float]:
    pixel_size_A = problem.particles.pixel_size_A * chosen.enlarged
    # enlarged images hold no more detail than the box they were simulated on
    volume, truth = (
        fourier_resize_volume(each, chosen.box_px // chosen.enlarged) for each in (state.volume, problem.truth)
    )
    aligned = align_maps(volume, truth, pixel_size_A, chosen.true, check_hand=False)
    mask = truth_mask(truth, pixel_size_A) if problem.mask is None else problem.mask
    compared = map_fsc_to_truth(aligned.aligned, truth, pixel_size_A, chosen.true, mask, align=False)
    found = {"truth_A": float(compared["resolution_05_A"])}
    if problem.rotations is None:
        return found
    error = pose_distance_deg(state.rotations @ aligned.rotation.T, problem.rotations, chosen.true)
    return found | {"median_deg": float(np.median(error)), "lost": float(np.mean(error > 10))}


def _line(state: RefinementState, problem: Problem, chosen: RefineSet) -> str:
    text = (
        f"    {state.iteration:2d} {state.resolution_A:6.2f} Å, all orientations: {state.was_global}, "
        f"jumped {state.jumped:.3f}, moved {state.median_change_deg:.2f}°, confidence {np.median(state.confidence):.2f}"
    )
    if problem.rotations is not None:
        error = pose_distance_deg(state.rotations, problem.rotations, chosen.true)
        text += f", error {np.median(error):.2f}°, lost {np.mean(error > 10):.3f}"
    return text


def in_own_process(name: str, trace: bool) -> dict[str, Any]:
    """Run a set on one thread in a process of its own, so that its memory is its own."""
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    command = [sys.executable, "-m", "tests.benchmarks.refine_table", "--one", name, *["--trace"] * trace]
    done = subprocess.run(
        command, cwd=REPOSITORY, env=environment, check=True, stdout=subprocess.PIPE, encoding="utf-8"
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> None:
    """Measure the sets that are named, keep the figures of each and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *SETS], metavar="SET", help=", ".join(SETS))
    parser.add_argument("--trace", action="store_true", help="tell each iteration")
    parser.add_argument("--one", choices=list(SETS), help=argparse.SUPPRESS)
    parser.add_argument("--peer", type=Path, default=BUILD / "benchmarks.json", help="result of the benchmark `refine`")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(run_set(SETS[asked.one], asked.trace)))
        return
    _KEPT.parent.mkdir(exist_ok=True)
    for name in asked.names:
        found = in_own_process(name, asked.trace)
        print(json.dumps(found), flush=True)
        _KEPT.write_text(json.dumps({**_read(_KEPT), name: found}, indent=1), encoding="utf-8")
    rows = [row for row in _read(asked.peer).get("rows", []) if row["benchmark"] == "refine"]
    write_page(_read(_KEPT), rows)


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


if __name__ == "__main__":
    main()
