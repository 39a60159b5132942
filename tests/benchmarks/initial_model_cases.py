"""What initial models are tried on: simulated particles of several shapes, with junk among them, and real ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.optics import Optics
from engine.particles import Particles
from engine.simulation.atoms import Atoms, protein_atom, replicate
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.symmetry import point_group
from engine.validation.masks import automatic_mask
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from tests.benchmarks.picking_cases import DATA

BOX_PX, PIXEL_A = 64, 3.465
_OPTICS = Optics(300.0, 1.6, 0.1)


@dataclass(frozen=True)
class Images:
    """Particles, the map that they show, which of them show it, and the mask within which maps are judged."""

    particles: Particles
    truth: NDArray[np.float32]
    pixel_size_A: float
    good: NDArray[np.bool_]
    mask: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Case:
    """Where images come from (seed, count and SNR given), the symmetry imposed and the true one."""

    images: Callable[[int, int, float], Images]
    imposed: str
    true: str
    mask_A: float
    classes: int = 1
    real: bool = False


def _simulated(model: Callable[[], Atoms], junk_fraction: float = 0.0) -> Callable[[int, int, float], Images]:
    def images(seed: int, count: int, snr: float) -> Images:
        atoms, rng = model(), np.random.default_rng([seed, 1])
        stack, truth = simulate_particles(
            atoms, count, BOX_PX, PIXEL_A, _OPTICS, (8e3, 22e3), snr, rng, junk_fraction, offset_px=2.0
        )
        particles = Particles.from_array(stack, PIXEL_A, truth.defocus, _OPTICS)
        return Images(particles, density(atoms, BOX_PX, PIXEL_A), PIXEL_A, ~truth.is_junk)

    return images


def _galactosidase(_seed: int, _count: int, _snr: float) -> Images:
    folder = DATA / "betagal"
    particles = ParticleSet.read(folder / "particles_dev.star").to_engine()
    truth, pixel_size_A = read_mrc(folder / "model_5a1a_aligned_64_3.54A.mrc")
    good, mask = np.ones(particles.count, bool), automatic_mask(truth, pixel_size_A)
    return Images(particles, truth, pixel_size_A, good, mask)


def _rod(start: NDArray, end: NDArray, rng: np.random.Generator) -> NDArray:
    """Atoms about a straight line, as many as a helix of that length has, within 4.5 Å of it."""
    count = int(5.3 * np.linalg.norm(end - start))
    points = start + rng.uniform(size=(count, 1)) * (end - start)
    return points + rng.normal(scale=2.5, size=(count, 3))


def rods(symmetry: str, domains: int, first_A: tuple[float, float, float], most_A: float, seed: int) -> Atoms:
    """A particle of any point group: domains of 14 rods each, grown one beside the other."""
    rng = np.random.default_rng(seed)
    operators = point_group(symmetry)
    centres = [np.asarray(first_A, float)]
    while len(centres) < domains:
        step = rng.normal(size=3)
        new = centres[rng.integers(len(centres))] + 31.0 * step / np.linalg.norm(step)
        mates = [g @ new - c for g in operators[1:] for c in [*centres, new]]
        apart = min(np.linalg.norm(new - c) for c in centres) > 26.0 and all(np.linalg.norm(m) > 27.0 for m in mates)
        if apart and np.linalg.norm(new) < most_A:
            centres.append(new)
    places = []
    for centre in centres:
        for _ in range(14):
            axis, middle = rng.normal(size=(2, 3))
            axis *= rng.uniform(6.0, 14.0) / np.linalg.norm(axis)
            middle *= 13.6 * rng.uniform() ** (1 / 3) / np.linalg.norm(middle)
            places.append(_rod(centre + middle - axis, centre + middle + axis, rng))
    points = np.concatenate(places)
    if symmetry == "C1":
        points -= points.mean(axis=0)
    one = Atoms(points.astype(np.float32), np.zeros(len(points), np.int64), (protein_atom(60.0),))
    return replicate(one, operators)


CASES = {
    "channel-C1": Case(_simulated(channel_in_nanodisc), "C1", "C8", 160.0),
    "channel-C8": Case(_simulated(channel_in_nanodisc), "C8", "C8", 160.0),
    "asymmetric": Case(_simulated(lambda: rods("C1", 10, (0, 0, 0), 58.0, 5)), "C1", "C1", 160.0),
    "D2": Case(_simulated(lambda: rods("D2", 4, (22, 16, 18), 62.0, 6)), "D2", "D2", 165.0),
    "D7": Case(_simulated(lambda: rods("D7", 2, (45, 10, 20), 66.0, 7)), "D7", "D7", 170.0),
    "junk-C1": Case(_simulated(channel_in_nanodisc, 0.35), "C1", "C8", 160.0, classes=2),
    "junk-C8": Case(_simulated(channel_in_nanodisc, 0.35), "C8", "C8", 160.0, classes=2),
    "galactosidase-C1": Case(_galactosidase, "C1", "D2", 200.0, real=True),
    "galactosidase-D2": Case(_galactosidase, "D2", "D2", 200.0, real=True),
}
