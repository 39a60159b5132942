"""What refinement is judged on: simulated particles of several shapes with all truth known, and real ones.

Methods were chosen on the first group of sets; the others are held out: structures that nothing was chosen on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from engine.fourier.crop import fourier_resize, fourier_resize_volume
from engine.geometry import euler_to_matrix
from engine.optics import Optics
from engine.particles import Particles
from engine.simulation.atoms import Atoms, replicate
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.symmetry import point_group
from tests.benchmarks.gpu_data import DIAMETER_A, simulate_stack
from tests.benchmarks.initial_model_cases import CASES as REAL
from tests.benchmarks.initial_model_cases import rods
from tests.benchmarks.picking_cases import HELD_OUT, heap

_OPTICS = Optics(300.0, 1.6, 0.1)
_DEFOCUS_A = (8e3, 22e3)


@dataclass(frozen=True)
class Problem:
    """Particles, the map that they show and their true poses (None where nobody knows them)."""

    particles: Particles
    truth: NDArray[np.float32]
    rotations: NDArray[np.float64] | None
    mask: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class RefineSet:
    """Images of a particle; without ``atoms`` slices of the channel's transform: cheaper where there are many."""

    group: str
    name: str
    symmetry: str
    true: str
    count: int
    box_px: int
    pixel_size_A: float
    snr: float
    mask_A: float
    atoms: Callable[[], Atoms] | None = None
    half_precision: bool = False
    real: bool = False
    enlarged: int = 1

    def problem(self, seed: int | None = None) -> Problem:
        """Make the images; those of the page without a seed."""
        if self.atoms is None and not self.real:
            made = simulate_stack(
                self.count, self.box_px, self.pixel_size_A, self.snr, 0.0, np, 1 if seed is None else seed
            )
            return Problem(self._stored(made.particles), made.volume, made.rotations)
        seed = 11 if seed is None else seed
        if self.real:
            images = REAL["galactosidase-D2"].images(seed, 0, 0.0)
            return Problem(images.particles, images.truth, None, images.mask)
        assert self.atoms is not None
        atoms, rng = self.atoms(), np.random.default_rng(seed)
        box_px, pixel_size_A = self.box_px // self.enlarged, self.pixel_size_A * self.enlarged
        stack, truth = simulate_particles(
            atoms, self.count, box_px, pixel_size_A, _OPTICS, _DEFOCUS_A, self.snr, rng, offset_px=2.0
        )
        volume = density(atoms, box_px, pixel_size_A)
        if self.enlarged > 1:
            # finer pixels without more detail, and as much noise on them: what a box of this size costs, simulated fast
            stack = fourier_resize(stack, self.box_px) + rng.standard_normal((self.count, self.box_px, self.box_px))
            volume = fourier_resize_volume(volume, self.box_px)
        particles = Particles.from_array(stack.astype(np.float32), self.pixel_size_A, truth.defocus, _OPTICS)
        return Problem(self._stored(particles), volume, euler_to_matrix(truth.angles_deg))

    def _stored(self, particles: Particles) -> Particles:
        """Images as a file of half precision gives them, where that is wanted."""
        if not self.half_precision:
            return particles
        halved = particles.images().astype(np.float16)
        return replace(particles, load=lambda wanted: halved[wanted].astype(np.float32))


def _asymmetric() -> Atoms:
    return rods("C1", 10, (0, 0, 0), 58.0, 5)


def _dimer() -> Atoms:
    return rods("D2", 4, (22, 16, 18), 62.0, 6)


def _barrel() -> Atoms:
    return rods("D7", 2, (45, 10, 20), 66.0, 7)


def _octahedral() -> Atoms:
    return _exact(heap(480.0, "O", (130, 130, 130), np.random.default_rng(77)), "O")


def _galactosidase() -> Atoms:
    return _exact(HELD_OUT[1].model(), "D2")


def _exact(filled: Atoms, group: str) -> Atoms:
    """Make all mates alike: atoms drawn at random have the symmetry in outline only, which a symmetric map misses."""
    operators = point_group(group)
    part = slice(None, None, len(operators))
    return replicate(Atoms(filled.positions_A[part], filled.species[part], filled.form_factors), operators)


CHOSEN_ON, HELD, FULL, LINEAR, BOXES = "chosen on", "held out", "full size", "linear", "boxes"

_SETS = (
    RefineSet(CHOSEN_ON, "c8", "C8", "C8", 500, 64, 3.465, 0.05, 160.0, channel_in_nanodisc),
    RefineSet(CHOSEN_ON, "c8-faint", "C8", "C8", 500, 64, 3.465, 0.03, 160.0, channel_in_nanodisc),
    RefineSet(CHOSEN_ON, "d2", "D2", "D2", 600, 64, 3.465, 0.05, 165.0, _dimer),
    RefineSet(CHOSEN_ON, "d7", "D7", "D7", 400, 64, 3.465, 0.05, 170.0, _barrel),
    RefineSet(CHOSEN_ON, "c1", "C1", "C1", 1500, 64, 3.465, 0.05, 160.0, _asymmetric),
    RefineSet(CHOSEN_ON, "c8-in-c1", "C1", "C8", 1500, 64, 3.465, 0.05, 160.0, channel_in_nanodisc),
    RefineSet(CHOSEN_ON, "c8-144", "C8", "C8", 500, 144, 1.54, 0.04, 160.0, channel_in_nanodisc),
    RefineSet(CHOSEN_ON, "c1-128", "C1", "C1", 1000, 128, 1.7325, 0.05, 160.0, _asymmetric),
    RefineSet(HELD, "connexin-c8", "C8", "C8", 500, 80, 2.5, 0.05, 150.0, HELD_OUT[0].model),
    RefineSet(HELD, "connexin-faint", "C8", "C8", 500, 80, 2.5, 0.025, 150.0, HELD_OUT[0].model),
    RefineSet(HELD, "galactosidase-model", "D2", "D2", 600, 80, 2.8, 0.05, 190.0, _galactosidase),
    RefineSet(HELD, "galactosidase-faint", "D2", "D2", 600, 80, 2.8, 0.02, 190.0, _galactosidase),
    RefineSet(HELD, "ribosome", "C1", "C1", 600, 72, 4.6, 0.05, 270.0, HELD_OUT[2].model),
    RefineSet(HELD, "octahedral", "O", "O", 200, 64, 3.465, 0.05, 160.0, _octahedral),
    RefineSet(HELD, "galactosidase", "D2", "D2", 1217, 64, 3.54, 0.0, 200.0, real=True),
    RefineSet(FULL, "c8-180-few", "C8", "C8", 500, 180, 1.232, 0.04, 160.0, channel_in_nanodisc),
    RefineSet(FULL, "c8-180", "C8", "C8", 1803, 180, 1.232, 0.04, DIAMETER_A),
    RefineSet(LINEAR, "1k", "C8", "C8", 1000, 64, 3.465, 0.05, DIAMETER_A),
    RefineSet(LINEAR, "3k", "C8", "C8", 3000, 64, 3.465, 0.05, DIAMETER_A),
    RefineSet(LINEAR, "10k", "C8", "C8", 10000, 64, 3.465, 0.05, DIAMETER_A),
    RefineSet(BOXES, "box-65", "C8", "C8", 500, 65, 3.465, 0.05, 160.0, channel_in_nanodisc),
    RefineSet(BOXES, "box-181", "C8", "C8", 200, 181, 1.232, 0.04, 160.0, channel_in_nanodisc),
    RefineSet(BOXES, "box-512", "C8", "C8", 64, 512, 0.616, 0.1, 160.0, channel_in_nanodisc, enlarged=4),
    RefineSet(BOXES, "float16", "C8", "C8", 500, 64, 3.465, 0.05, 160.0, channel_in_nanodisc, half_precision=True),
)
SETS = {each.name: each for each in _SETS}
