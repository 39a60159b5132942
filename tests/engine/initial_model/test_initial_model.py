"""Ab-initio models of particles simulated in real space, judged against the truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from engine.alignment.align import map_fsc_to_truth
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.disc import HalfDisc
from engine.geometry import axis_rotation, euler_to_matrix, random_rotations, rotation_angle_deg
from engine.initial_model.ab_initio import (
    InitialModelOptions,
    InitialModelState,
    initial_model,
)
from engine.initial_model.candidates import Poses
from engine.initial_model.images import ImagePreparer, PreparedImages
from engine.initial_model.marginal import _product, marginal_sums
from engine.initial_model.poses import assign_poses
from engine.initial_model.run import Run, trust_in
from engine.initial_model.search import (
    climb,
    score_poses,
    search_globally,
    search_grid,
    shift_grid,
)
from engine.optics import Optics
from engine.particles import Particles
from engine.reconstruction.fourier_volume import extract_slices, fourier_volume
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.symmetry import point_group

BOX_PX, PIXEL_A, COUNT = 40, 5.5, 240


@pytest.fixture(scope="module")
def simulated() -> tuple[Particles, Any, np.ndarray]:
    atoms, optics = channel_in_nanodisc(), Optics(300.0, 1.6, 0.1)
    rng = np.random.default_rng(3)
    images, truth = simulate_particles(atoms, COUNT, BOX_PX, PIXEL_A, optics, (8000, 20000), 0.15, rng, offset_px=1.5)
    particles = Particles.from_array(images, PIXEL_A, truth.defocus, optics)
    return particles, truth, density(atoms, BOX_PX, PIXEL_A)


OPTIONS = InitialModelOptions(
    160.0,
    symmetry="C8",
    starts=3,
    start_iterations=5,
    iterations=12,
    batch_first=30,
    final_resolution_A=14.0,
    candidates=16,
)


@pytest.fixture(scope="module")
def states(simulated: tuple[Particles, Any, np.ndarray]) -> list[InitialModelState]:
    return list(initial_model(simulated[0], OPTIONS, np.random.default_rng(2)))


def test_a_random_start_becomes_the_channel(
    simulated: tuple[Particles, Any, np.ndarray], states: list[InitialModelState]
) -> None:
    found = map_fsc_to_truth(states[-1].volumes[0], simulated[2], PIXEL_A, "C8")
    assert found["resolution_05_A"] < 18.0
    assert states[-1].best_start == int(np.argmax(states[-1].start_scores))
    assert np.isfinite(states[-1].start_agreement_A).sum() == 2  # starts given by number are all made
    assert len(states[4].symmetry_score) == 0  # no symmetry before the starts have been compared
    assert len(states[-1].symmetry_score) == 1


def test_poses_of_all_particles_agree_with_the_model(
    simulated: tuple[Particles, Any, np.ndarray], states: list[InitialModelState]
) -> None:
    particles, truth, true_map = simulated
    poses = assign_poses(particles, OPTIONS, states[-1])
    assert np.array_equal(poses.indices, np.arange(COUNT))
    found = map_fsc_to_truth(states[-1].volumes[0], true_map, PIXEL_A, "C8")
    turn = found["rotation"]
    matrices = euler_to_matrix(poses.angles_deg)
    if found["hand_flipped"]:  # the mirrored map gives the same image from the mirrored direction
        mirror = np.diag([1.0, 1.0, -1.0])
        matrices = mirror @ matrices @ mirror
    true = euler_to_matrix(truth.angles_deg)
    errors = [rotation_angle_deg(matrices @ turn.T, true @ operator) for operator in point_group("C8")]
    assert np.median(np.min(errors, axis=0)) < 8.0


def test_resumed_run_is_the_same(simulated: tuple[Particles, Any, np.ndarray], states: list[InitialModelState]) -> None:
    middle = len(states) - 2
    kept = {key: np.asarray(value) for key, value in states[middle - 1].to_dict().items()}
    resumed = list(initial_model(simulated[0], OPTIONS, np.random.default_rng(7), InitialModelState.from_dict(kept)))
    assert len(resumed) == len(states) - middle
    assert np.array_equal(resumed[-1].volumes, states[-1].volumes)
    assert np.array_equal(resumed[-1].score, states[-1].score)


def test_global_search_is_the_plain_likelihood(rng: np.random.Generator) -> None:
    n, keep = 24, 6
    disc = HalfDisc(n, 6.0)
    count = len(disc)
    volume = fourier_volume(rng.standard_normal((n, n, n)).astype(np.float32), 2.0, 6.0)
    data = (rng.standard_normal((5, count)) + 1j * rng.standard_normal((5, count))).astype(np.complex64)
    images = PreparedImages(data, rng.random((5, count), dtype=np.float32) * 0.01)
    grid, shifts = search_grid(40.0, "C1", np.eye(3)), shift_grid(2.0, 1.0)
    poses = search_globally(images, [volume], disc, count, grid, shifts, keep)
    assert np.allclose(score_poses(images, [volume], disc, count, poses), poses.score, rtol=1e-3, atol=0.05)
    slices = extract_slices(volume, grid, disc)
    slices = np.concatenate([slices, np.conj(slices)])
    moved = data[:, None] * disc.phase_ramps(shifts)
    plain = 2 * np.einsum("msk,rk->mrs", moved, slices.conj()).real.max(axis=2)
    plain -= images.weight @ (np.abs(slices) ** 2).T
    assert np.allclose(np.sort(poses.score, axis=1), np.sort(plain, axis=1)[:, -keep:], rtol=1e-3, atol=0.05)


def test_climbing_never_loses_and_comes_near_the_truth(simulated: tuple[Particles, Any, np.ndarray]) -> None:
    particles, truth, true_map = simulated
    preparer = ImagePreparer(particles, 160.0, 10.0, 14.0, np.random.default_rng(0))
    chosen = np.arange(24)
    images = preparer.prepare(chosen)
    box = preparer.box_px
    disc = preparer.disc
    inner = slice(BOX_PX // 2 - preparer.field_px // 2, BOX_PX // 2 + preparer.field_px // 2)
    small = fourier_resize_volume(np.ascontiguousarray(true_map[inner, inner, inner]), box)
    # the images are in units of the noise; the amplitude that fits them best
    start = poses_of(truth, chosen, preparer.pixel_size_A)
    model = fourier_volume(small, 2.0, disc.radius_px)
    one = score_poses(images, [model], disc, len(disc), start)
    two = score_poses(images, [fourier_volume(2 * small, 2.0, disc.radius_px)], disc, len(disc), start)
    # score(a) = 2 a c - a² q: from two amplitudes the best one
    q = (2 * one - two).sum() / 2
    c = (one.sum() + q) / 2
    model = fourier_volume(np.float32(c / q) * small, 2.0, disc.radius_px)
    before = score_poses(images, [model], disc, len(disc), start)
    after = climb(images, [model], disc, len(disc), start, 3.0, 0.5)
    assert np.all(after.score >= before - 1e-2)
    matrices = after.rotation[:, 0].astype(np.float64)
    assert np.median(rotation_angle_deg(matrices, euler_to_matrix(truth.angles_deg[chosen]))) < 5.0


def poses_of(truth: Any, chosen: np.ndarray, pixel_size_A: float) -> Poses:
    rotation = euler_to_matrix(truth.angles_deg[chosen]).astype(np.float32)[:, None]
    shift = (truth.shifts_A[chosen] / pixel_size_A).astype(np.float32)[:, None]
    return Poses(rotation, shift, np.zeros((len(chosen), 1), np.int64), np.zeros((len(chosen), 1), np.float32))


def test_candidates_beside_a_better_one_are_given_up() -> None:
    turns = [axis_rotation((1, 0, 0), angle) for angle in (0.0, 4.0, 9.0, 30.0, 31.0)]
    rotation = np.stack(turns).astype(np.float32)[None]
    score, model = np.array([[9.0, 8.0, 7.0, 6.0, 5.0]], np.float32), np.array([[0, 0, 0, 0, 1]])
    found = Poses(rotation, np.zeros((1, 5, 2), np.float32), model, score).distinct(6.0)
    # the third is near the second, which is no candidate any more; the last is of another class
    assert np.isfinite(found.score).tolist() == [[True, False, True, True, True]]


def test_an_image_unlike_the_others_is_not_trusted(rng: np.random.Generator) -> None:
    score = rng.normal(30.0, 2.0, 100).astype(np.float32)
    score[7] = 5.0
    trust = trust_in(score)
    assert trust[7] == 0.0
    assert trust.mean() > 0.95


def test_all_poses_are_weighed_as_one_by_one(rng: np.random.Generator) -> None:
    n, heat = 24, 0.4
    disc = HalfDisc(n, 5.0)
    count = len(disc)
    models = [fourier_volume(rng.standard_normal((n, n, n)).astype(np.float32), 2.0, 5.0) for _ in range(2)]
    data = (rng.standard_normal((3, count)) + 1j * rng.standard_normal((3, count))).astype(np.complex64) * 0.05
    images = PreparedImages(data, rng.random((3, count), dtype=np.float32) * 0.001)
    grid, shifts = search_grid(50.0, "C1", np.eye(3)), shift_grid(2.0, 1.0)
    found = marginal_sums(images, models, disc, count, grid, shifts, heat)
    slices = np.stack([extract_slices(m, grid, disc) for m in models])
    slices = np.stack([slices, np.conj(slices)])  # upright and turned by 180°
    moved = data[:, None] * disc.phase_ramps(shifts)
    score = 2 * np.einsum("msk,hcrk->mshcr", moved, slices.conj()).real
    score -= np.einsum("mk,hcrk->mhcr", images.weight, np.abs(slices) ** 2)[:, None]
    weight = np.exp(heat * (score - score.max(axis=(1, 2, 3, 4), keepdims=True)))
    weight /= weight.sum(axis=(1, 2, 3, 4), keepdims=True)
    expected = np.einsum("mscr,msk->crk", weight[:, :, 0], moved) + np.einsum(
        "mscr,msk->crk", weight[:, :, 1], moved.conj()
    )
    assert np.allclose(found.data, expected, rtol=1e-3, atol=1e-5)
    assert np.allclose(found.weight, np.einsum("mshcr,mk->crk", weight, images.weight), rtol=1e-3, atol=1e-7)
    assert np.allclose(found.score, score.max(axis=(1, 2, 3, 4)), rtol=1e-4)
    assert np.allclose(found.class_weight, weight.sum(axis=(1, 2, 4)), atol=1e-4)


def test_long_sums_are_added_in_blocks(rng: np.random.Generator) -> None:
    a, b = rng.standard_normal((5, 700), dtype=np.float32), rng.standard_normal((700, 3), dtype=np.float32)
    assert np.allclose(_product(a, b), a.astype(np.float64) @ b, atol=1e-3)


def test_a_finer_grid_keeps_the_model(simulated: tuple[Particles, Any, np.ndarray]) -> None:
    preparer = ImagePreparer(simulated[0], 160.0, 10.0, 14.0, np.random.default_rng(0))
    run = Run(preparer, OPTIONS, 5)
    run.begin()
    run.measure_fsc(30.0)
    before, coarse = run.model(0, 30.0), run.grid
    run.refine_grid(15.0)
    after, disc = run.model(0, 30.0), coarse.disc
    assert run.grid.box_px > coarse.box_px
    count = disc.count_within(run.radius_px(30.0))
    views = random_rotations(20, np.random.default_rng(1))
    old = extract_slices(fourier_volume(before, 2.0, disc.radius_px), views, disc, count)
    new = extract_slices(fourier_volume(after, 2.0, disc.radius_px), views, run.grid.disc, count)
    assert np.linalg.norm(new - old) < 0.1 * np.linalg.norm(old)


def test_strong_images_are_held_back_until_the_run_cools_down() -> None:
    options = InitialModelOptions(160.0)
    assert options.heat(5, 10.0) == 1.0
    assert options.heat(5, 400.0) == pytest.approx(0.03)
    assert options.heat(options.iterations - 1, 400.0) == 1.0
    resolutions = [options.resolution_A(i) for i in range(options.iterations)]
    assert all(np.diff(resolutions) <= 0)
    assert (resolutions[0], resolutions[-1]) == pytest.approx((35.0, 9.0))


def test_bad_input_is_refused_in_one_sentence(simulated: tuple[Particles, Any, np.ndarray]) -> None:
    particles = simulated[0]
    with pytest.raises(ValueError, match="needs at least"):
        next(initial_model(particles.take(np.arange(5)), OPTIONS, np.random.default_rng(0)))
    with pytest.raises(ValueError, match="larger than the box"):
        next(initial_model(particles, InitialModelOptions(900.0), np.random.default_rng(0)))
    with pytest.raises(ValueError, match="must get finer"):
        InitialModelOptions(100.0, start_resolution_A=10.0, final_resolution_A=20.0)
