"""Automatic choice of 2D classes against the best one by truth: writes ``docs/benchmarks/classify-2d.md``.

``python -m tests.benchmarks.selection_table``; with numbers of sets, only their rows are printed.
"""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.classification.select import select_classes
from engine.optics import Optics
from engine.particles import Particles
from engine.simulation.atoms import Atoms
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from tests.benchmarks.picking_cases import DATA, HELD_OUT, heap
from tests.benchmarks.run import REPOSITORY

SNR = 0.3
"""That of 0.04 in boxes of 180² px of 1.232 Å: the same noise in a Fourier coefficient."""

_COUNT, _BOX_PX, _PIXEL_A, _CLASSES = 700, 64, 3.465, 12


@dataclass(frozen=True)
class _Set:
    """Particles, and the share of the images that shows an empty nanodisc instead."""

    name: str
    atoms: Callable[[], Atoms]
    junk: float
    snr: float
    diameter_A: float


def _heap(mass_kda: float, symmetry: str, extent_A: tuple[float, float, float], seed: int) -> Callable[[], Atoms]:
    return lambda: heap(mass_kda, symmetry, extent_A, np.random.default_rng(seed))


def _sets() -> list[_Set]:
    known = {case.name: case.model for case in HELD_OUT if case.model is not None} if DATA.is_dir() else {}
    flat = _heap(300.0, "C4", (160, 160, 60), 5)
    octahedral = _heap(480.0, "O", (130, 130, 130), 77)
    sets = [
        _Set("channel", channel_in_nanodisc, 0.4, SNR, 160.0),
        _Set("D7, 700 kDa", _heap(700.0, "D7", (115, 115, 150), 77), 0.4, SNR, 170.0),
        _Set("flat, C4, 300 kDa", flat, 0.0, SNR, 180.0),
        _Set("flat, C4, 300 kDa", flat, 0.3, SNR, 180.0),
        _Set("flat, C6, as heavy as the junk", _heap(350.0, "C6", (170, 170, 50), 17), 0.4, SNR, 190.0),
        _Set("C1, 250 kDa", _heap(250.0, "C1", (140, 110, 100), 77), 0.3, SNR, 160.0),
        _Set("C3, 200 kDa", _heap(200.0, "C3", (110, 110, 90), 15), 0.4, SNR, 140.0),
        _Set("O, 480 kDa", octahedral, 0.4, SNR, 160.0),
        _Set("channel", channel_in_nanodisc, 0.4, 0.05, 160.0),
        _Set("O, 480 kDa", octahedral, 0.4, 0.06, 160.0),
    ]
    atoms, galactosidase = (known.get(name) for name in ("atoms of a C8 channel", "beta-galactosidase (5a1a)"))
    if atoms and galactosidase:
        sets.append(_Set("atoms of a C8 channel", atoms, 0.4, SNR, 150.0))
        sets.append(_Set("beta-galactosidase (5a1a)", galactosidase, 0.2, SNR, 190.0))
        sets.append(_Set("beta-galactosidase (5a1a)", galactosidase, 0.0, 0.04, 190.0))
    return sets


def _row(number: int, made: _Set) -> str:
    optics = Optics(300.0, 1.6, 0.1)
    images, truth = simulate_particles(
        made.atoms(),
        _COUNT,
        _BOX_PX,
        _PIXEL_A,
        optics,
        (8e3, 22e3),
        made.snr,
        np.random.default_rng(700 + number),
        junk_fraction=made.junk,
        offset_px=1.2,
    )
    particles = Particles.from_array(images, _PIXEL_A, truth.defocus, optics)
    options = ClassificationOptions(classes=_CLASSES, mask_diameter_A=made.diameter_A, max_resolution_A=8.0)
    started = time.process_time()
    state = list(classify_2d(particles, options, np.random.default_rng(number)))[-1]
    seconds = time.process_time() - started
    counts = np.stack(
        [np.bincount(state.class_index[truth.is_junk == junk], minlength=_CLASSES) for junk in (False, True)], axis=1
    )
    try:
        chosen = select_classes(class_figures(state))
    except ValueError:
        chosen = np.zeros(0, np.intp)
    kept, junk, f1 = choice_figures(counts, chosen)
    by_hand = choice_figures(counts, best_choice(counts))[2]
    return (
        f"| {made.name} | {made.junk:.0%} | {made.snr:g} | {kept:.3f} | {junk:.3f} | {f1:.3f} | "
        f"{by_hand:.3f} | {seconds:.1f} |"
    )


def choice_figures(counts: NDArray[np.integer], chosen: NDArray[np.integer]) -> tuple[float, float, float]:
    """Share of the particles kept, share of junk among what is kept, and F1, from (C, 2) particles and junk."""
    particles, junk = counts[chosen].sum(axis=0)
    total = counts[:, 0].sum()
    return particles / total, junk / max(particles + junk, 1), 2 * particles / (particles + junk + total)


def best_choice(counts: NDArray[np.integer]) -> NDArray[np.intp]:
    """Return the best choice by truth: the purest classes, as many as give the largest F1."""
    order = np.argsort(-counts[:, 0] / np.maximum(counts.sum(axis=1), 1), kind="stable")
    return order[: max(range(1, len(order) + 1), key=lambda m: choice_figures(counts, order[:m])[2])]


def main() -> None:
    """Measure all sets and write the table, or measure some."""
    rows = []
    wanted = [int(text) for text in sys.argv[1:]]
    for number, made in enumerate(_sets()):
        if not wanted or number in wanted:
            rows.append(_row(number, made))
            print(rows[-1], flush=True)
    if wanted:
        return
    text = f"""# 2D classes and their automatic choice

Made by `python -m tests.benchmarks.selection_table` on {datetime.now(UTC):%Y-%m-%d}, {platform.machine()}, Python
{platform.python_version()}, one thread. {_COUNT} simulated images of {_BOX_PX}² px ({_PIXEL_A:g} Å/px), 0.8–2.2 µm, in
{_CLASSES} classes; junk is empty nanodiscs. An SNR of {SNR:g} is that of 0.04 in boxes of 180² px of 1.232 Å.
F1 by hand is that of the best choice of the same classes by truth: what it lacks to 1 is a matter of the classes, what
the automatic one lacks to it a matter of the choice.

| set | junk | SNR | particles kept | junk among the kept | F1, automatic | F1, by hand | CPU s |
|---|---|---|---|---|---|---|---|
{chr(10).join(rows)}
"""
    (REPOSITORY / "docs" / "benchmarks" / "classify-2d.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
