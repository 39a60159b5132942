"""2D classes of faint images against truth: ``python -m tests.benchmarks.faint_classes [SEED …]`` prints a table."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.classification.select import select_classes
from engine.classification.setup import make_sampling
from engine.classification.state import ClassificationState
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import rfft2_centred
from engine.particles import Particles
from engine.simulation.atoms import Atoms
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from tests.benchmarks.data import OPTICS
from tests.benchmarks.picking_cases import DATA, HELD_OUT, heap
from tests.benchmarks.selection_table import best_choice, choice_figures

_COUNT, _BOX_PX, _PIXEL_A, _CLASSES, _FINEST_A = 700, 64, 3.465, 12, 12.0
HEAD = "| set | junk | SNR | seed | F1, automatic | F1, by hand | purity | likeness to 12 Å | CPU s |"


@dataclass(frozen=True)
class _Set:
    name: str
    atoms: Callable[[], Atoms]
    junk: float
    snr: float
    diameter_A: float


def _heap(mass_kda: float, symmetry: str, extent_A: tuple[float, float, float], seed: int) -> Callable[[], Atoms]:
    return lambda: heap(mass_kda, symmetry, extent_A, np.random.default_rng(seed))


def _sets() -> list[_Set]:
    sets = [
        _Set("channel", channel_in_nanodisc, 0.4, 0.05, 160.0),
        _Set("C3, 200 kDa", _heap(200.0, "C3", (110, 110, 90), 15), 0.4, 0.05, 140.0),
        _Set("flat, C4, 300 kDa", _heap(300.0, "C4", (160, 160, 60), 5), 0.3, 0.05, 180.0),
        _Set("O, 480 kDa", _heap(480.0, "O", (130, 130, 130), 77), 0.4, 0.06, 160.0),
        _Set("C1, 250 kDa", _heap(250.0, "C1", (140, 110, 100), 77), 0.3, 0.05, 160.0),
        _Set("D2, 465 kDa", _heap(465.0, "D2", (180, 140, 90), 31), 0.2, 0.04, 190.0),
        _Set("C2, 220 kDa", _heap(220.0, "C2", (120, 100, 90), 21), 0.3, 0.05, 150.0),
        _Set("D7, 700 kDa", _heap(700.0, "D7", (115, 115, 150), 77), 0.4, 0.04, 170.0),
    ]
    known = {case.name: case.model for case in HELD_OUT if case.model is not None} if DATA.is_dir() else {}
    atoms, galactosidase = (known.get(name) for name in ("atoms of a C8 channel", "beta-galactosidase (5a1a)"))
    if atoms and galactosidase:
        sets.append(_Set("atoms of a C8 channel", atoms, 0.4, 0.04, 150.0))
        sets.append(_Set("beta-galactosidase (5a1a)", galactosidase, 0.2, 0.04, 190.0))
    return sets


def likeness(
    state: ClassificationState, particles: Particles, clean: NDArray[np.float32], options: ClassificationOptions
) -> NDArray[np.float64]:
    """Correlation ``(m,)`` of noiseless images with their class averages in the poses that were found.

    Parameters
    ----------
    state : the end of a classification.
    particles : the images that were classified.
    clean : (m, n, n) the same without noise, seen through the CTF.
    options : those of the classification.
    """
    sampling = make_sampling(particles, options)
    count = sampling.disc.count_within(sampling.radius_of(_FINEST_A))
    source = HalfDisc(particles.box_px, sampling.disc.radius_px)
    turned = sampling.rotation.forward(np.asarray(state.averages), count)
    angle = np.rint(state.psi_deg * turned.shape[1] / 360).astype(np.intp) % turned.shape[1]
    found = np.empty(particles.count)
    for part in np.array_split(np.arange(particles.count), max(1, particles.count // 200)):
        shift_px = (state.shift_A[part] / sampling.pixel_size_A).astype(np.float32)
        image = source.gather(rfft2_centred(clean[part]))[:, :count] * sampling.disc.phase_ramps(shift_px, count)
        average = turned[state.class_index[part], angle[part]]
        average = average * particles.ctf_on_disc(sampling.disc, part)[:, :count]
        power = (abs(image) ** 2).sum(axis=1) * (abs(average) ** 2).sum(axis=1)
        found[part] = (image * average.conj()).real.sum(axis=1) / np.sqrt(np.maximum(power, 1e-12))
    return found


def row(made: _Set, seed: int) -> str:
    """Classify, choose, and return a row of the table."""
    atoms = made.atoms()
    # the truth is drawn before the noise: the same seed gives the same particles without any
    (images, truth), (clean, _) = (
        simulate_particles(
            atoms, _COUNT, _BOX_PX, _PIXEL_A, OPTICS, (8e3, 22e3), snr, np.random.default_rng([5, seed]), made.junk, 2.0
        )
        for snr in (made.snr, np.inf)
    )
    particles = Particles.from_array(images, _PIXEL_A, truth.defocus, OPTICS)
    options = ClassificationOptions(classes=_CLASSES, mask_diameter_A=made.diameter_A, max_resolution_A=8.0)
    started = time.process_time()
    state = list(classify_2d(particles, options, np.random.default_rng(seed)))[-1]
    seconds = time.process_time() - started
    counts = np.stack(
        [np.bincount(state.class_index[truth.is_junk == junk], minlength=_CLASSES) for junk in (False, True)], axis=1
    )
    automatic, by_hand = (
        choice_figures(counts, chosen)[2] for chosen in (select_classes(class_figures(state)), best_choice(counts))
    )
    like = likeness(state, particles, clean, options)[~truth.is_junk].mean()
    purity = counts.max(axis=1).sum() / counts.sum()
    return (
        f"| {made.name} | {made.junk:.0%} | {made.snr:g} | {seed} | {automatic:.3f} | {by_hand:.3f} | {purity:.3f} | "
        f"{like:.3f} | {seconds:.1f} |"
    )


def main() -> None:
    """Print a row for each set and seed."""
    print(HEAD, "|---" * (HEAD.count("|") - 1) + "|", sep="\n")
    for seed in [int(text) for text in sys.argv[1:]] or [1]:
        for made in _sets():
            print(row(made, seed), flush=True)


if __name__ == "__main__":
    main()
