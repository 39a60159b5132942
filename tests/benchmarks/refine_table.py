"""Refinement against truth on many sets: keeps ``build/refine-sets.json`` and writes ``docs/benchmarks/refine.md``.

``python -m tests.benchmarks.refine_table [--trace] [SET[@SEED] …]``; without names only the page is written. A seed
makes other images of the same particle. The comparison with RELION is that of the last
``python -m tests.benchmarks.run refine``.
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
from numpy.typing import NDArray

from engine.alignment.align import AlignmentResult, align_maps
from engine.alignment.rigid import transform_volume
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.reconstruction.half_maps import masked_fsc
from engine.refinement.refine import pose_distance_deg, refine
from engine.refinement.state import RefinementOptions, RefinementState
from spa_widgets.steps.refine.params import STEP
from tests.benchmarks.measure import measure
from tests.benchmarks.refine_page import write_page
from tests.benchmarks.refine_sets import SETS, Problem, RefineSet
from tests.benchmarks.run import BUILD, REPOSITORY, THREAD_VARIABLES
from tests.benchmarks.truth import truth_mask

_KEPT = BUILD / "refine-sets.json"
_SURE = 0.8
_INTERPOLATED = 0.9  # of Nyquist: turning a map onto another costs detail beyond


def run_set(name: str, trace: bool = False) -> dict[str, Any]:
    """Refine a set, ``name`` or ``name@seed``, from its truth at 30 Å and compare with truth."""
    name, _, seed = name.partition("@")
    chosen = SETS[name]
    problem = chosen.problem(int(seed) if seed else None)
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
        "seed": seed,
        "version": STEP.version,
        "iterations": state.iteration,
        "cpu_s": cost.cpu_s,
        "peak_MB": cost.peak_bytes / 1e6,
        "half_maps_A": state.resolution_A,
        **_against_truth(state, problem, chosen),
    }


def _against_truth(state: RefinementState, problem: Problem, chosen: RefineSet) -> dict[str, float]:
    """Return where halves and truth stop to agree, all in one mask, and errors of poses."""
    pixel_size_A = problem.particles.pixel_size_A * chosen.enlarged
    # enlarged images hold no more detail than the box they were simulated on
    volume, truth, *halves = (
        fourier_resize_volume(each, chosen.box_px // chosen.enlarged)
        for each in (state.volume, problem.truth, *state.half_maps)
    )
    aligned = align_maps(volume, truth, pixel_size_A, chosen.true, check_hand=False)
    mask = truth_mask(truth, pixel_size_A) if problem.mask is None else problem.mask
    a, b = (_moved(half, aligned, pixel_size_A) for half in halves)
    between = masked_fsc(a, b, mask, np.random.default_rng(1))
    with_truth = fourier_shell_correlation(0.5 * (a + b) * mask, truth * mask)
    found = {
        "same_mask_A": float(resolution_at(between, len(truth), pixel_size_A, 0.143)),
        "truth_A": float(resolution_at(with_truth, len(truth), pixel_size_A, 0.5)),
        "missing": promised_and_missing(between, with_truth),
    }
    if problem.rotations is None:
        return found
    error = pose_distance_deg(state.rotations @ aligned.rotation.T, problem.rotations, chosen.true)
    return found | {"median_deg": float(np.median(error)), "lost": float(np.mean(error > 10))}


def _moved(half: NDArray[np.float32], found: AlignmentResult, pixel_size_A: float) -> NDArray[np.float32]:
    return np.asarray(transform_volume(half, found.rotation, found.shift_A / pixel_size_A), np.float32)


def promised_and_missing(between: NDArray[np.floating], with_truth: NDArray[np.floating]) -> float:
    """Mean of what the halves promise of the FSC with truth less what it is, to where they drop below 0.143.

    Independent halves of correlation c make a map that correlates with truth as ``sqrt(2 c / (1 + c))`` (Rosenthal &
    Henderson, J Mol Biol 333, 721, 2003). Shells where the halves agree better than 0.8 are left out, and those next
    to Nyquist.
    """
    below = np.flatnonzero(between[1:] < 0.143)
    end = int(below[0]) + 1 if len(below) else len(between) - 1
    shells = np.arange(1, min(end, int(_INTERPOLATED * len(between))) + 1)
    shells = shells[between[shells] < _SURE]
    c = np.clip(between[shells], 0, 1)
    return float(np.mean(np.sqrt(2 * c / (1 + c)) - with_truth[shells])) if len(shells) else 0.0


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
    parser.add_argument("names", nargs="*", type=_known, metavar="SET[@SEED]", help=", ".join(SETS))
    parser.add_argument("--trace", action="store_true", help="tell each iteration")
    parser.add_argument("--one", type=_known, help=argparse.SUPPRESS)
    parser.add_argument("--peer", type=Path, default=BUILD / "benchmarks.json", help="result of the benchmark `refine`")
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(run_set(asked.one, asked.trace)))
        return
    _KEPT.parent.mkdir(exist_ok=True)
    for name in asked.names:
        found = in_own_process(name, asked.trace)
        print(json.dumps(found), flush=True)
        _KEPT.write_text(json.dumps({**_read(_KEPT), name: found}, indent=1), encoding="utf-8")
    rows = [row for row in _read(asked.peer).get("rows", []) if row["benchmark"] == "refine"]
    write_page(_read(_KEPT), rows)


def _known(name: str) -> str:
    """Return the name of a set, with a seed perhaps, if there is such a set."""
    chosen, _, seed = name.partition("@")
    if chosen not in SETS or (seed and not seed.isdigit()):
        raise argparse.ArgumentTypeError(f"no set is called {name}; there are {', '.join(SETS)}")
    return name


def _read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return found


if __name__ == "__main__":
    main()
