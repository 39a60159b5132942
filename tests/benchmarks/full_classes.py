"""2D classification at the workshop's size: 27,680 particles, 40 % of them junk, in 50 classes.

``python -m tests.benchmarks.full_classes [COUNT …]``; prints a line after each iteration and a row of the table for
each number of particles. The images are made once under ``build/`` and read from there as they are needed.
"""

from __future__ import annotations

import resource
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.classification.select import select_classes
from engine.classification.state import ClassificationState
from engine.optics import Defocus
from engine.particles import Particles
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from tests.benchmarks.data import DIAMETER_A, OPTICS, kept
from tests.benchmarks.run import REPOSITORY
from tests.benchmarks.selection_table import SNR, best_choice, choice_figures
from tests.benchmarks.truth import best_correlations

COUNT, CLASSES = 27_680, 50
BOX_PX, PIXEL_A = 64, 3.465
_JUNK, _OFFSET_PX, _PART, _VERSION = 0.4, 2.0, 1000, 1
_TRUTH = ("u_A", "v_A", "angle_deg", "is_junk")
HEAD = (
    "| particles | kept, automatic | junk, automatic | kept, by hand | junk, by hand | F1, automatic | F1, by hand | "
    "likeness to 14 Å | likeness to own resolution | resolution, Å | classes used | effective | largest share | "
    "CPU s | peak MB |"
)


@dataclass(frozen=True)
class _Set:
    """Images on disk and which of them are junk."""

    particles: Particles
    is_junk: NDArray[np.bool_]


def classified_set(count: int, folder: Path = REPOSITORY / "build" / "benchmark-data") -> _Set:
    """Return the first particles of the set; it is made in parts, as many as are needed."""
    places = [folder / f"classes-snr{SNR:g}-v{_VERSION}" / f"part-{i:03d}" for i in range(-(-count // _PART))]
    for number, place in enumerate(places):
        kept(place, lambda folder, number=number: _make(folder, number))  # type: ignore[misc]
    images = [np.load(place / "images.npy", mmap_mode="r") for place in places]
    truths = [np.load(place / "truth.npz") for place in places]

    def load(indices: NDArray[np.intp]) -> NDArray[np.float32]:
        loaded = np.empty((len(indices), BOX_PX, BOX_PX), np.float32)
        for part in np.unique(indices // _PART):
            mine = indices // _PART == part
            loaded[mine] = images[part][indices[mine] % _PART]
        return loaded

    u_A, v_A, angle_deg, is_junk = (np.concatenate([t[name] for t in truths])[:count] for name in _TRUTH)
    particles = Particles(load, count, BOX_PX, PIXEL_A, Defocus(u_A, v_A, angle_deg), OPTICS)
    return _Set(particles, is_junk.astype(bool))


def _make(place: Path, number: int) -> None:
    images, truth = simulate_particles(
        channel_in_nanodisc(),
        _PART,
        BOX_PX,
        PIXEL_A,
        OPTICS,
        (8e3, 22e3),
        SNR,
        np.random.default_rng([27, number]),
        junk_fraction=_JUNK,
        offset_px=_OFFSET_PX,
    )
    defocus = truth.defocus
    np.save(place / "images.npy", images)
    np.savez(place / "truth.npz", u_A=defocus.u_A, v_A=defocus.v_A, angle_deg=defocus.angle_deg, is_junk=truth.is_junk)
    print(f"  {_PART * (number + 1)} images made", flush=True)


def row(count: int) -> str:
    """Classify, choose, and return a row of the table."""
    made = classified_set(count)
    options = ClassificationOptions(classes=CLASSES, mask_diameter_A=DIAMETER_A)
    started = time.process_time()
    for state in classify_2d(made.particles, options, np.random.default_rng(1)):
        print(f"  iteration {state.iteration} of {state.total}: {state.resolution_A:.1f} Å, "
              f"{time.process_time() - started:.1f} CPU s", flush=True)  # fmt: skip
    seconds = time.process_time() - started
    peak_MB = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return f"| {count} | {_accuracy(state, made.is_junk)} | {seconds:.0f} | {peak_MB:.0f} |"


def _accuracy(state: ClassificationState, is_junk: NDArray[np.bool_]) -> str:
    figures = class_figures(state)
    counts = np.stack(
        [np.bincount(state.class_index[is_junk == junk], minlength=CLASSES) for junk in (False, True)], axis=1
    )
    automatic = choice_figures(counts, select_classes(figures))
    by_hand = choice_figures(counts, best_choice(counts))
    mainly = np.flatnonzero(counts[:, 0] > counts.sum(axis=1) / 2)
    share = counts[mainly, 0] / counts[mainly, 0].sum()
    averages = np.asarray(state.averages)[mainly]
    resolution_A = np.maximum(figures["resolution_A"][mainly], 2 * state.pixel_size_A)
    sharp = np.isfinite(resolution_A)  # a class whose halves nowhere agree has none
    coarse = best_correlations(averages, state.pixel_size_A, np.full(len(mainly), 14.0))
    fine = best_correlations(averages, state.pixel_size_A, resolution_A)
    of_all = counts.sum(axis=1) / counts.sum()
    used = of_all[of_all > 0]
    effective = np.exp(-np.sum(used * np.log(used)))
    return " | ".join(
        [
            *(f"{value:.3f}" for value in (*automatic[:2], *by_hand[:2], automatic[2], by_hand[2])),
            *(f"{share @ values:.3f}" for values in (coarse, fine)),
            f"{np.average(resolution_A[sharp], weights=share[sharp]):.1f}",
            f"{len(used)} | {effective:.1f} | {of_all.max():.3f}",
        ]
    )


def main() -> None:
    """Print a row for each number of particles asked for."""
    rows = [row(int(text)) for text in sys.argv[1:] or [str(COUNT)]]
    print("\n".join([HEAD, "|---" * (HEAD.count("|") - 1) + "|", *rows]))


if __name__ == "__main__":
    main()
