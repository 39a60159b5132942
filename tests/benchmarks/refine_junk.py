"""What refinement claims of images that cannot hold it, over several seeds; part of ``docs/benchmarks/refine.md``.

``python -m tests.benchmarks.refine_junk [CASE …]``. The channel at 30 Å in C8 is the reference of all cases.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.alignment.align import align_maps
from engine.alignment.rigid import transform_volume
from engine.fourier.filters import low_pass
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.optics import Defocus, Optics
from engine.particles import Particles
from engine.refinement.products import refinement_products
from engine.refinement.refine import refine
from engine.refinement.state import RefinementOptions, RefinementState
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc, empty_nanodisc
from engine.simulation.projection import density
from engine.validation.masks import soft_mask_from_inside
from spa_widgets.steps.refine.params import STEP
from tests.benchmarks.run import BUILD

KEPT = BUILD / "refine-junk.json"
CASES = {
    "noise": "pure noise",
    "discs": "empty nanodiscs only",
    "mostly": "nine in ten are pure noise",
    "tight": "particles, an over-tight mask for the curves",
}
_SEEDS = (1, 2, 3)
_COUNT, _BOX_PX, _PIXEL_A, _SNR = 400, 64, 3.465, 0.05
_OPTICS = Optics(300.0, 1.6, 0.1)
_OPTIONS = RefinementOptions(symmetry="C8", mask_diameter_A=160.0)
Volume = NDArray[np.float32]


def run_case(case: str, seed: int) -> dict[str, Any]:
    """Refine, and tell what is claimed and what is true."""
    rng = np.random.default_rng(seed)
    channel = density(channel_in_nanodisc(), _BOX_PX, _PIXEL_A)
    shown = empty_nanodisc() if case == "discs" else channel_in_nanodisc()
    images, truth = simulate_particles(shown, _COUNT, _BOX_PX, _PIXEL_A, _OPTICS, (8e3, 22e3), _SNR, rng, offset_px=2.0)
    if case in ("noise", "mostly"):
        first = 0 if case == "noise" else _COUNT // 10
        images[first:] = rng.standard_normal(images[first:].shape)
    started = time.process_time()
    last = _refined(images, truth.defocus, channel, rng)
    found: dict[str, Any] = {"case": case, "seed": seed, "version": STEP.version}
    found |= {"cpu_s": time.process_time() - started, "iterations": last.iteration, "reported_A": last.resolution_A}
    mask = None
    if case == "tight":
        smooth = low_pass(np.asarray(last.volume), _PIXEL_A, 10.0, ndim=3)
        mask = soft_mask_from_inside(smooth > 0.5 * smooth.max(), _PIXEL_A, 0.0, 5.0)
    products = refinement_products(last, _PIXEL_A, np.random.default_rng(0), mask)
    curves = products.curves
    found |= {"tight_A": curves.resolution("tight"), "corrected_A": curves.resolution()}
    if case == "noise":
        return found
    true_map = density(shown, _BOX_PX, _PIXEL_A)
    return found | {"truth_A": _with_truth(last, true_map, products.mask_fsc if mask is None else last.mask)}


def _refined(images: Volume, defocus: Defocus, channel: Volume, rng: np.random.Generator) -> RefinementState:
    particles = Particles.from_array(images, _PIXEL_A, defocus, _OPTICS)
    order = rng.permutation(len(images))  # halves of a mixture hold alike shares
    halves = 1 + order % 2
    *_, last = refine(particles, halves, channel, _OPTIONS, np.random.default_rng(0))
    return last


def _with_truth(last: RefinementState, truth: Volume, mask: Volume) -> float:
    mean = np.asarray(last.half_maps.mean(axis=0))
    found = align_maps(last.volume, truth, _PIXEL_A, "C8", check_hand=False)
    inside, aligned = (transform_volume(each, found.rotation, found.shift_A / _PIXEL_A) for each in (mask, mean))
    curve = fourier_shell_correlation(aligned * inside, truth * inside)
    return float(resolution_at(curve, _BOX_PX, _PIXEL_A, 0.5))


def section() -> str:
    """Return the section of the page, empty where nothing has been measured."""
    kept = read()
    if not kept:
        return ""
    rows = [
        f"| {CASES[found['case']]} | {found['seed']} | {found['version']} | {found['iterations']} | "
        f"{found['cpu_s']:.0f} | {_coarse(found['reported_A'])} | {_coarse(found['tight_A'])} | "
        f"{_coarse(found['corrected_A'])} | {_coarse(found['truth_A']) if 'truth_A' in found else '–'} |"
        for case in CASES
        for found in kept.values()
        if found["case"] == case
    ]
    return f"""## What is claimed of junk

{_COUNT} images of {_BOX_PX}² (made by `python -m tests.benchmarks.refine_junk`), the channel at 30 Å as the reference,
C8. Both halves are shown that reference, so what is coarser than 30 Å says nothing.

| images | seed | version | iterations | CPU s | reported, Å | tight mask 0.143, Å | corrected 0.143, Å | truth 0.5, Å |
|---|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}

"""


def _coarse(resolution_A: float) -> str:
    return f"{resolution_A:.1f}" if np.isfinite(resolution_A) else "none"


def read() -> dict[str, dict[str, Any]]:
    """Return what has been measured."""
    found: dict[str, dict[str, Any]] = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.exists() else {}
    return found


def main() -> None:
    """Measure the cases that are named, all without a name."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[[], *CASES], metavar="CASE", help=", ".join(CASES))
    KEPT.parent.mkdir(exist_ok=True)
    for case in parser.parse_args().cases or CASES:
        for seed in _SEEDS:
            found = run_case(case, seed)
            print(json.dumps(found), flush=True)
            KEPT.write_text(json.dumps({**read(), f"{case}@{seed}": found}, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
