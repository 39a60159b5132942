"""The workshop's steps at full size on one GPU: ``make bench-gpu``, or ``python -m tests.benchmarks.gpu [names…]``.

What is timed is the engine's part of each step from images in the host's memory to results there, transfers included,
in a process whose kernels are compiled (the first pass over little data, timed as ``cold``, does that); files and the
job queue are not. The table is written after each row, so a run that is stopped keeps what it has.
"""

from __future__ import annotations

import argparse
import platform
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from engine.arrays import gpu_name, namespace, to_numpy
from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.classification.select import select_classes
from engine.ctf.estimate import estimate_ctf
from engine.extraction.extract import ExtractSettings, extract_particles
from engine.fourier.filters import low_pass
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.picking.grid import picking_grid
from engine.picking.match import match_picks
from engine.picking.pick import PickSettings, pick_micrograph
from engine.picking.templates import template_bank
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.refinement.refine import pose_distance_deg, refine
from engine.refinement.state import RefinementOptions
from engine.validation.comparison import HalfMapComparison
from engine.windows import soft_sphere
from tests.benchmarks.gpu_data import DIAMETER_A, OPTICS, Micrograph, Stack, models, projections, simulate_micrographs
from tests.benchmarks.gpu_data import simulate_stack as simulate

REPOSITORY = Path(__file__).resolve().parents[2]
BOX, PIXEL_A, SNR = 180, 1.232, 0.04
Figures = dict[str, float]


@dataclass(frozen=True)
class Run:
    """Device, and how much of the full size is run."""

    xp: Any
    scale: float
    box_px: int = BOX

    @property
    def pixel_size_A(self) -> float:
        return PIXEL_A * BOX / self.box_px

    def size(self, full: int, least: int) -> int:
        return max(least, round(full * self.scale))

    def stack(self, full: int, least: int, junk: float) -> Stack:
        return simulate(self.size(full, least), self.box_px, self.pixel_size_A, SNR, junk, self.xp)

    def micrographs(self) -> list[Micrograph]:
        shape = (3838, 3710) if self.scale >= 0.1 else (1024, 1024)
        return simulate_micrographs(self.size(50, 2), shape, PIXEL_A if self.scale >= 0.1 else 2 * PIXEL_A, self.xp)

    def micrograph_pixel_A(self) -> float:
        return PIXEL_A if self.scale >= 0.1 else 2 * PIXEL_A


@dataclass(frozen=True)
class Step:
    """One row: makes its data, gives what is to be timed, and judges the result against the truth."""

    title: str
    reference: str
    target_s: str
    prepare: Callable[[Run], Any]
    work: Callable[[Run, Any], Any]
    judge: Callable[[Run, Any, Any], Figures]


def _ctf(run: Run, data: list[Micrograph]) -> list[float]:
    fits = [estimate_ctf(run.xp.asarray(m.image), run.micrograph_pixel_A(), OPTICS) for m in data]
    return [fit.mean_defocus_A for fit in fits]


def _ctf_figures(run: Run, data: list[Micrograph], found: list[float]) -> Figures:
    errors = np.abs(np.array(found) - [float(m.defocus.mean_A) for m in data])
    return {"mean defocus error, Å": float(errors.mean()), "worst, Å": float(errors.max())}


def _pick(run: Run, data: list[Micrograph]) -> list[Any]:
    pixel_A = run.micrograph_pixel_A()
    grid = picking_grid(data[0].image.shape, pixel_A, 20.0)
    rotations = np.stack([np.eye(3), [[0, 1, 0], [0, 0, 1], [1, 0, 0]], [[0.0, 0, -1], [0, 1, 0], [1, 0, 0]]])
    _, transforms = models(2 * round(110.0 / pixel_A), pixel_A, run.xp)
    views = to_numpy(projections(transforms, np.zeros(3, bool), rotations, run.xp))
    bank = template_bank(views, pixel_A, grid.coarse_pixel_size_A, DIAMETER_A)
    settings = PickSettings(DIAMETER_A)
    return [pick_micrograph(run.xp.asarray(m.image), grid, [bank], settings, m.defocus, OPTICS) for m in data]


def _pick_figures(run: Run, data: list[Micrograph], found: list[Any]) -> Figures:
    recall, error = [], []
    for micrograph, candidates in zip(data, found, strict=True):
        count = len(micrograph.centres_px)
        positions = np.stack([candidates.x_px, candidates.y_px], axis=1)[:count]
        match = match_picks(positions, micrograph.centres_px, 40.0 / run.micrograph_pixel_A())
        recall.append(float((match.truth_of_pick >= 0).mean()))
        error.append(match.median_error_px * run.micrograph_pixel_A())
    return {"right among the best n": float(np.mean(recall)), "centre error, Å": float(np.median(error))}


def _extract(run: Run, data: list[Micrograph]) -> int:
    box = 2 * round(0.5 * BOX * PIXEL_A / run.micrograph_pixel_A())
    settings = ExtractSettings(box, 0.5 * DIAMETER_A / run.micrograph_pixel_A())
    total = 0
    for micrograph in data:
        centres = np.rint(micrograph.centres_px).astype(np.int64)
        centres = np.resize(centres, (run.size(27680, 40) // len(data), 2))
        for indices, _ in extract_particles(run.xp.asarray(micrograph.image), centres, settings):
            total += len(indices)
    return total


def _classes(count: int) -> Callable[[Run, Stack], Any]:
    def work(run: Run, data: Stack) -> Any:
        options = ClassificationOptions(classes=count if run.scale >= 0.1 else min(count, 6))
        return list(classify_2d(data.particles, options, np.random.default_rng(3), xp=run.xp))[-1]

    return work


def _class_figures(run: Run, data: Stack, state: Any) -> Figures:
    figures = class_figures(state)
    try:
        chosen = np.isin(state.class_index, select_classes(figures))
    except ValueError:
        return {"classes chosen": 0.0}
    kept = float(chosen[~data.is_junk].mean())
    return {"particles kept": kept, "junk among them": float(data.is_junk[chosen].mean())}


def _refine(run: Run, data: Stack) -> Any:
    start = low_pass(data.volume, run.pixel_size_A, 30.0, ndim=3)
    options = RefinementOptions(symmetry="C8", mask_diameter_A=DIAMETER_A)
    if run.scale < 0.1:
        options = replace(options, max_iterations=3, coarse_step_deg=15.0)
    halves = np.arange(data.particles.count) % 2 + 1
    return list(refine(data.particles, halves, start, options, np.random.default_rng(4), xp=run.xp))[-1]


def _refine_figures(run: Run, data: Stack, state: Any) -> Figures:
    error = np.median(pose_distance_deg(state.rotations, data.rotations, "C8"))
    return {"median pose error, °": float(error), **_map_figures(run, data, state.volume)}


def _map_figures(run: Run, data: Stack, volume: Any) -> Figures:
    ball = soft_sphere(run.box_px, 80.0 / run.pixel_size_A, 3)
    curve = fourier_shell_correlation(to_numpy(volume) * ball, data.volume * ball)
    return {"FSC 0.5 with the truth, Å": resolution_at(curve, run.box_px, run.pixel_size_A, 0.5)}


def _reconstruct(run: Run, data: Stack) -> Any:
    return reconstruct_from_poses(data.particles, data.rotations, data.shifts_A, "C8", xp=run.xp)


def _half_maps(run: Run) -> HalfMapComparison:
    volume, _ = models(run.box_px, run.pixel_size_A, run.xp)
    rng = np.random.default_rng(5)
    halves = [volume + 0.3 * volume.std() * rng.standard_normal(volume.shape).astype(np.float32) for _ in range(2)]
    compared = HalfMapComparison(*(run.xp.asarray(half) for half in halves), run.pixel_size_A, rng)
    compared.curves()
    return compared


def _new_mask(run: Run, compared: HalfMapComparison) -> Any:
    return compared.curves(compared.mask(0.35, 6.0, 12.0))


STEPS = {
    "fsc": Step("a new mask and all curves", "–", "0.1", _half_maps, _new_mask,
                lambda run, _, found: {"corrected 0.143, Å": found.resolution("corrected")}),
    "ctf": Step("CTF, 50 micrographs", "126 s", "5", Run.micrographs, _ctf, _ctf_figures),
    "picking": Step("template picking, 50 micrographs", "66 s", "5", Run.micrographs, _pick, _pick_figures),
    "extraction": Step("extraction, 27,680 boxes", "–", "5", Run.micrographs, _extract,
                       lambda run, _, found: {"boxes": found}),
    "classify_100": Step("2D, 100 particles, 10 classes", "63 s", "2",
                         lambda run: run.stack(100, 40, 0.0), _classes(10), _class_figures),
    "reconstruct": Step("reconstruction from poses, 16,000", "–", "–",
                        lambda run: run.stack(16000, 60, 0.0), _reconstruct, _map_figures),
    "refine_1803": Step("refinement C8, 1,803 particles", "RELION 5 on an H100: 185 s, 0.73°, 3.79 Å", "5",
                        lambda run: run.stack(1803, 60, 0.0), _refine, _refine_figures),
    "refine": Step("refinement C8, 16,000 particles", "320 s", "10",
                   lambda run: run.stack(16000, 60, 0.0), _refine, _refine_figures),
    "classify": Step("2D, 27,680 particles, 50 classes", "391 s (2 GPUs)", "10",
                     lambda run: run.stack(27680, 80, 0.4), _classes(50), _class_figures),
}  # fmt: skip


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for and write the table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(STEPS)}; all unless given")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the full size")
    parser.add_argument("--device", choices=("gpu", "cpu"), default="gpu", help="cpu: to try the script out")
    parser.add_argument("--out", type=Path, help="file of the table")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(STEPS)
    if unknown:
        parser.error(f"no such step: {', '.join(sorted(unknown))}")
    xp = namespace(options.device)  # raises where CuPy sees no card
    device = gpu_name() if options.device == "gpu" else platform.machine()
    slug = re.sub(r"[^a-z0-9]+", "-", device.lower()).strip("-")
    path = options.out or REPOSITORY / "docs" / "benchmarks" / f"{options.device}-{slug}.md"
    rows: list[str] = []
    for name in options.names or STEPS:
        rows.append(_row(STEPS[name], xp, options.scale))
        print(rows[-1], flush=True)
        path.write_text(_table(rows, device, options.scale), encoding="utf-8")
    return 0


def _timed(step: Step, run: Run) -> tuple[float, Any, Any]:
    data = step.prepare(run)
    _finish(run.xp)
    started = time.perf_counter()
    found = step.work(run, data)
    _finish(run.xp)
    return time.perf_counter() - started, data, found


def _finish(xp: Any) -> None:
    """Wait for the device: launches return before their work is done."""
    float(xp.sum(xp.zeros(1)))


def _row(step: Step, xp: Any, scale: float) -> str:
    cold_s, *_ = _timed(step, Run(xp, 0.001, 48))
    run = Run(xp, scale) if scale >= 0.1 else Run(xp, scale, 48)
    warm_s, data, found = _timed(step, run)
    accuracy = "; ".join(f"{name} {value:.3g}" for name, value in step.judge(run, data, found).items())
    return f"| {step.title} | {warm_s:.2f} | {step.target_s} | {step.reference} | {cold_s:.2f} | {accuracy} |"


def _table(rows: list[str], device: str, scale: float) -> str:
    packages = ", ".join(f"{name} {_version(name)}" for name in ("numpy", "scipy", "numba", "cupy"))
    when = datetime.now(UTC).date().isoformat()
    return "\n".join([
        f"# The workshop's steps on {device}", "",
        f"Made by `make bench-gpu` on {when}: Python {platform.python_version()}, {packages}; {100 * scale:g} % of the "
        f"full size. Images of {BOX}² px, {PIXEL_A} Å/px, SNR {SNR}, 40 % junk in the set of 2D classes.", "",
        "Seconds of the engine's part of each step, from the host's memory and back to it, kernels compiled; without "
        "files and queue. Cold is a first run on little data, with the compilation. The workshop ran cryoSPARC v3.2 on "
        "RTX and GTX cards.", "",
        "| step | s | to reach, s | workshop | cold, s | accuracy against the truth |", "|---|---|---|---|---|---|",
        *rows, "",
    ])  # fmt: skip


def _version(name: str) -> str:
    for package in (name, f"{name}-cuda12x", f"{name}-cuda13x", f"{name}-cuda11x"):
        try:
            return version(package)
        except ModuleNotFoundError:
            continue
    return "–"


if __name__ == "__main__":
    raise SystemExit(main())
