"""Refinement against the truth of a simulation, its resumption, and what it makes of noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.filters import low_pass
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.geometry import euler_to_matrix
from engine.optics import Defocus, Optics
from engine.particles import Particles
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.refinement.products import refinement_products
from engine.refinement.refine import RefinementOptions, pose_distance_deg, refine
from engine.refinement.state import RefinementState
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.windows import soft_sphere

BOX, PIXEL_A, COUNT = 48, 4.62, 160
OPTICS = Optics(300.0, 1.6, 0.1)
OPTIONS = RefinementOptions(symmetry="C8", mask_diameter_A=160, max_iterations=4, align_symmetry=False)


@dataclass(frozen=True)
class Case:
    particles: Particles
    halves: NDArray[np.int64]
    rotations: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    truth: NDArray[np.float32]

    @property
    def start(self) -> NDArray[np.float32]:
        return low_pass(self.truth, PIXEL_A, 30.0, ndim=3)

    def resolution_A(self, volume: NDArray[np.float32]) -> float:
        ball = soft_sphere(BOX, 80 / PIXEL_A, 3)
        return resolution_at(fourier_shell_correlation(volume * ball, self.truth * ball), BOX, PIXEL_A, 0.5)


@pytest.fixture(scope="module")
def case() -> Case:
    atoms = channel_in_nanodisc()
    rng = np.random.default_rng(11)
    images, truth = simulate_particles(atoms, COUNT, BOX, PIXEL_A, OPTICS, (8000, 22000), 0.2, rng, offset_px=2.0)
    particles = Particles.from_array(images, PIXEL_A, truth.defocus, OPTICS)
    halves = np.arange(COUNT) % 2 + 1
    return Case(particles, halves, euler_to_matrix(truth.angles_deg), truth.shifts_A, density(atoms, BOX, PIXEL_A))


@pytest.fixture(scope="module")
def states(case: Case) -> list[RefinementState]:
    rng = np.random.default_rng(3)
    return list(refine(case.particles, case.halves, case.start, OPTIONS, rng))


def test_poses_and_map_approach_the_truth(case: Case, states: list[RefinementState]) -> None:
    last = states[-1]
    error_deg = np.median(pose_distance_deg(last.rotations, case.rotations, "C8"))
    error_A = np.median(np.linalg.norm(last.shifts_A - case.shifts_A, axis=1))
    best = case.resolution_A(reconstruct_from_poses(case.particles, case.rotations, case.shifts_A, "C8"))
    reached = case.resolution_A(last.volume)
    print(f"median error {error_deg:.2f}°, {error_A:.2f} Å; FSC 0.5 at {reached:.2f} Å, true poses {best:.2f} Å")
    assert last.finished
    assert error_deg < 2.5
    assert error_A < 1.0
    assert reached < 1.1 * best
    # the halves' own estimate agrees with the truth (0.143 between halves is 0.5 against truth)
    assert last.resolution_A == pytest.approx(reached, rel=0.2)


def test_products_of_a_refinement(states: list[RefinementState]) -> None:
    products = refinement_products(states[-1], PIXEL_A, np.random.default_rng(0))
    assert set(products.curves.curves) == {"no_mask", "spherical", "loose", "tight", "corrected"}
    assert products.curves.resolution("tight") <= products.curves.resolution("no_mask")
    assert products.b_factor_A2 <= 0
    assert products.mask_fsc.shape == products.mask_auto.shape == (BOX, BOX, BOX)


def test_a_resumed_run_gives_the_same_bits(case: Case, states: list[RefinementState]) -> None:
    stored = {key: np.asarray(value) for key, value in states[1].to_dict().items()}
    again = RefinementState.from_dict(stored)
    resumed = list(refine(case.particles, case.halves, case.start, OPTIONS, np.random.default_rng(99), again))
    assert [state.iteration for state in resumed] == [3, 4]
    assert np.array_equal(resumed[-1].volume, states[-1].volume)
    assert np.array_equal(resumed[-1].half_maps, states[-1].half_maps)
    assert np.array_equal(resumed[-1].rotations, states[-1].rotations)


@pytest.mark.parametrize("seed", [5, 6])
def test_noise_has_no_resolution_however_long_it_is_refined(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)
    images = rng.standard_normal((COUNT, BOX, BOX)).astype(np.float32)
    defocus_A = rng.uniform(8000, 22000, COUNT)
    defocus = Defocus(defocus_A, defocus_A, np.zeros(COUNT))
    noise = Particles.from_array(images, PIXEL_A, defocus, OPTICS)
    options = replace(OPTIONS, max_iterations=12)
    states = list(refine(noise, case.halves, case.start, options, rng))
    claimed_A = [round(state.resolution_A, 1) for state in states]
    print(f"noise alone: {claimed_A} Å, reference began at {OPTIONS.initial_low_pass_A} Å")
    # no finer than the detail that both halves were shown at the start
    assert min(claimed_A) > 20


def test_bad_input_is_refused(case: Case) -> None:
    def first(**changes: object) -> RefinementState:
        arguments = {"halves": case.halves, "initial_volume": case.start, **changes}
        return next(refine(case.particles, options=OPTIONS, rng=np.random.default_rng(0), **arguments))  # type: ignore[arg-type]

    with pytest.raises(ValueError, match="half-set labels"):
        first(halves=case.halves[:5])
    with pytest.raises(ValueError, match="neither half may be empty"):
        first(halves=np.ones(COUNT, int))
    with pytest.raises(ValueError, match="resample it first"):
        first(initial_volume=np.zeros((20, 20, 20), np.float32))
