"""2D classification of images that hold nothing but noise: writes ``docs/benchmarks/classify-2d-noise.md``.

``python -m tests.benchmarks.noise_classes``; with numbers of sets, only their rows are printed.
"""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.optics import Defocus
from engine.particles import Particles
from tests.benchmarks.data import OPTICS
from tests.benchmarks.run import REPOSITORY

_SEEDS = (0, 1, 2)
_FEWEST = 3
HEAD = (
    "| images | classes | box | noise | classes filled | FRC, first ring | FRC, second ring | FRC, all rings | "
    "largest stated FRC | classes with a resolution | CPU s |"
)


@dataclass(frozen=True)
class _Set:
    count: int
    classes: int
    box_px: int
    pixel_size_A: float
    coloured: bool = False
    same_defocus: bool = False


_SETS = (
    _Set(100, 10, 64, 3.465, coloured=True),
    _Set(500, 10, 64, 3.465),
    _Set(500, 30, 64, 3.465, coloured=True),
    _Set(500, 10, 48, 4.5, same_defocus=True),
    _Set(500, 10, 96, 2.3),
    _Set(500, 10, 128, 1.3, coloured=True),
    _Set(2_000, 10, 64, 3.465, coloured=True, same_defocus=True),
    _Set(2_000, 50, 64, 3.465),
    _Set(10_000, 20, 64, 3.465, coloured=True),
    _Set(10_000, 50, 64, 3.465),
)


def _particles(made: _Set, seed: int) -> Particles:
    rng = np.random.default_rng([9, seed, made.count, made.box_px])
    n = made.box_px
    images = rng.standard_normal((made.count, n, n)).astype(np.float32)
    if made.coloured:  # three times more power where ice has it
        radius = np.hypot(np.fft.fftfreq(n)[:, None], np.fft.rfftfreq(n)[None]) / made.pixel_size_A
        filtered = np.fft.rfft2(images) * (0.3 + np.exp(-((radius * 15.0) ** 2)))
        images = np.fft.irfft2(filtered, (n, n)).astype(np.float32)
        images /= images.std(axis=(1, 2), keepdims=True)
    mean_A = 15e3 + rng.uniform(-7e3, 7e3, made.count) * (not made.same_defocus)
    defocus = Defocus(mean_A + 100, mean_A - 100, rng.uniform(0, 180, made.count))
    return Particles.from_array(images, made.pixel_size_A, defocus, OPTICS)


def _classified(made: _Set, seed: int) -> tuple[NDArray[np.float64], float, int]:
    """Return the FRC of filled classes beyond the shared rings, the largest stated one, and classes with resolution."""
    options = ClassificationOptions(
        classes=made.classes, mask_diameter_A=min(160.0, 0.8 * made.box_px * made.pixel_size_A)
    )
    state = list(classify_2d(_particles(made, seed), options, np.random.default_rng(seed)))[-1]
    figures = class_figures(state)
    filled = figures["count"] >= _FEWEST
    beyond = slice(state.shared_shell + 1, None)
    claimed = int(np.count_nonzero(np.isfinite(figures["resolution_A"])))
    return state.frc[filled][:, beyond], float(state.frc_low[:, beyond].max()), claimed


def row(made: _Set) -> str:
    """Return a row of the table, over all seeds."""
    started = time.process_time()
    found = [_classified(made, seed) for seed in _SEEDS]
    seconds = (time.process_time() - started) / len(_SEEDS)
    frc = np.concatenate([curves for curves, _, _ in found])
    rings = [f"{values.mean():+.3f} ± {values.std() / np.sqrt(len(values)):.3f}" for values in (frc[:, 0], frc[:, 1])]
    colour = "coloured" if made.coloured else "white"
    noise = f"{colour}, one defocus" if made.same_defocus else colour
    return (
        f"| {made.count} | {made.classes} | {made.box_px}² × {made.pixel_size_A:g} Å | {noise} | "
        f"{len(frc)} | {' | '.join(rings)} | {frc.mean():+.3f} | {max(low for _, low, _ in found):.3f} | "
        f"{sum(claimed for _, _, claimed in found)} | {seconds:.0f} |"
    )


def main() -> None:
    """Measure all sets and write the table, or measure some."""
    wanted = [int(text) for text in sys.argv[1:]]
    rows = []
    for number, made in enumerate(_SETS):
        if not wanted or number in wanted:
            rows.append(row(made))
            print(rows[-1], flush=True)
    if wanted:
        return
    text = f"""# 2D classes of pure noise

Made by `python -m tests.benchmarks.noise_classes` on {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python
{platform.python_version()}, one thread: images without a particle, classified with the defaults (mask 160 Å or 0.8 of
the box), {len(_SEEDS)} seeds each. Rings are those beyond 40 Å, where even and odd particles have references of their
own. FRC is that of classes of {_FEWEST} images and more, mean and standard error over classes and seeds: 0 where noise
of one half knows nothing of the other. The stated FRC, less three standard errors, is what files, figures and the
gallery show; a class has a resolution where it is 0.143 or more at the first of these rings.

{HEAD}
{"|---" * (HEAD.count("|") - 1)}|
{chr(10).join(rows)}
"""
    (REPOSITORY / "docs" / "benchmarks" / "classify-2d-noise.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
