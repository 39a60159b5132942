"""Every step of the engine on device arrays against NumPy: same code, same numbers within the tolerance stated."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from cases import (
    BOX,
    DIAMETER_A,
    MICROGRAPHS,
    OPTICS,
    PIXEL_A,
    banks,
    half_maps,
    micrograph,
    movie_frames,
    particle_case,
)
from cupy_on_cpu import Traffic

from engine.arrays import is_gpu, to_numpy
from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures
from engine.classification.options import ClassificationOptions
from engine.classification.state import ClassificationState
from engine.ctf.estimate import estimate_ctf
from engine.extraction.extract import ExtractSettings, extract_particles
from engine.fourier.filters import high_pass, low_pass
from engine.fourier.shells import fourier_ring_correlation, radial_average
from engine.initial_model.ab_initio import InitialModelOptions, InitialModelState, initial_model
from engine.initial_model.poses import assign_poses
from engine.motion.correct import MotionSettings, correct_movie
from engine.picking.pick import PickSettings, pick_micrograph
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.refinement.refine import refine
from engine.refinement.state import RefinementOptions
from engine.validation.comparison import HalfMapComparison
from engine.validation.fsc import automatic_fsc_mask, fsc_curves
from engine.validation.guinier import guinier_b_factor, sharpening_b_factor
from engine.validation.hand import flip_hand
from engine.validation.local_resolution import local_resolution
from engine.validation.masks import soft_mask_from_inside
from engine.validation.sharpening import sharpen

SINGLE = 1e-5
"""Share of the largest value by which two orders of additions in single precision may differ."""


def assert_close(ours: Any, plain: Any, share: float = SINGLE) -> None:
    ours, plain = to_numpy(ours), to_numpy(plain)
    assert ours.shape == plain.shape
    assert ours.dtype == plain.dtype
    assert np.abs(ours - plain).max() <= share * np.abs(plain).max()


def test_motion_of_a_movie(xp: Any) -> None:
    frames = movie_frames()
    settings = MotionSettings(MICROGRAPHS.pixel_size_A, dose_e_per_A2=60.0, patches=2)
    ours, plain = (correct_movie(lambda: iter(frames), settings, None, x) for x in (xp, np))
    assert is_gpu(ours.image)
    assert np.abs(ours.shifts_A - plain.shifts_A).max() < 0.01 * MICROGRAPHS.pixel_size_A
    assert_close(ours.image, plain.image, 1e-3)


def test_ctf_of_a_micrograph(xp: Any) -> None:
    image = micrograph().image
    ours = estimate_ctf(xp.asarray(image), MICROGRAPHS.pixel_size_A, OPTICS)
    plain = estimate_ctf(image, MICROGRAPHS.pixel_size_A, OPTICS)
    assert ours.mean_defocus_A == pytest.approx(plain.mean_defocus_A, abs=1.0)
    assert ours.astigmatism_A == pytest.approx(plain.astigmatism_A, abs=2.0)
    assert ours.confidence == pytest.approx(plain.confidence, abs=1e-3)


@pytest.mark.parametrize("views", [2, 24])  # each template for itself; mixed from a basis
def test_picking(xp: Any, views: int) -> None:
    found = micrograph()
    grid, templates = banks(views)
    assert (templates[0].span is not None) == (views > 2)
    ours, plain = (
        pick_micrograph(x, grid, templates, PickSettings(DIAMETER_A), found.truth.defocus, MICROGRAPHS.optics)
        for x in (xp.asarray(found.image), found.image)
    )
    # two peaks of nearly the same height may change places
    positions = [{(round(x), round(y)) for x, y in zip(c.x_px, c.y_px, strict=True)} for c in (ours, plain)]
    assert len(positions[0] & positions[1]) > 0.98 * len(positions[1])
    assert_close(np.sort(ours.ncc)[-20:], np.sort(plain.ncc)[-20:], 1e-4)


def test_extraction(xp: Any) -> None:
    image = micrograph().image
    centres = np.array([[100, 120], [5, 8], [300, 200], [310, 210]])
    settings = ExtractSettings(64, 25.0, crop_px=32)
    ours, plain = (list(extract_particles(x, centres, settings)) for x in (xp.asarray(image), image))
    for (index, images), (plain_index, plain_images) in zip(ours, plain, strict=True):
        assert np.array_equal(index, plain_index)
        assert_close(images, plain_images)


def test_2d_classes(xp: Any) -> None:
    particles = particle_case().particles
    options = ClassificationOptions(classes=3, iterations=4, max_resolution_A=16)
    ours, plain = (list(classify_2d(particles, options, np.random.default_rng(1), xp=x))[-1] for x in (xp, np))
    assert is_gpu(ours.averages)
    assert np.mean(ours.class_index == plain.class_index) > 0.95
    assert_close(ours.averages, plain.averages, 0.02)
    assert_close(class_figures(ours)["mean_score"], class_figures(plain)["mean_score"], 0.01)


def test_2d_classes_resume_on_the_device(xp: Any) -> None:
    particles = particle_case().particles
    options = ClassificationOptions(classes=3, iterations=3, max_resolution_A=16)
    states = list(classify_2d(particles, options, np.random.default_rng(1), xp=xp))
    kept = ClassificationState.from_dict(states[0].to_dict(), xp)
    again = list(classify_2d(particles, options, np.random.default_rng(1), kept, xp))
    assert_close(again[-1].averages, states[-1].averages, 1e-3)


def test_reconstruction_from_poses(xp: Any) -> None:
    case = particle_case()
    ours, plain = (reconstruct_from_poses(case.particles, case.rotations, case.shifts_A, "C8", xp=x) for x in (xp, np))
    assert_close(ours, plain)


def test_sums_of_a_reconstruction_are_kept(xp: Any, rng: np.random.Generator) -> None:
    sums = [Accumulator(BOX, 2.0, 10.0, x) for x in (xp, np)]
    shape = sums[1].numerator.shape
    numerator = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    denominator = rng.random(shape).astype(np.float32) + 1
    for each, library in zip(sums, (xp, np), strict=True):
        each.numerator, each.denominator = library.asarray(numerator), library.asarray(denominator)
    ours, plain = (
        Accumulator.from_dict((each + each.scaled(0.5)).symmetrised("D2").to_dict(), library)
        for each, library in zip(sums, (xp, np), strict=True)
    )
    assert is_gpu(ours.numerator)
    assert_close(ours.solve(np.full(BOX // 2 + 1, 3.0), 9.0), plain.solve(np.full(BOX // 2 + 1, 3.0), 9.0))


@pytest.mark.parametrize("refine_defocus", [False, True])
def test_refinement(xp: Any, refine_defocus: bool) -> None:
    case = particle_case()
    options = RefinementOptions(
        symmetry="C8", mask_diameter_A=DIAMETER_A, max_iterations=2, align_symmetry=False, coarse_step_deg=15.0,
        refine_defocus=refine_defocus,
    )  # fmt: skip
    start = low_pass(case.volume, PIXEL_A, 30.0, ndim=3)
    ours, plain = (
        list(refine(case.particles, case.halves, start, options, np.random.default_rng(3), xp=x))[-1] for x in (xp, np)
    )
    assert np.abs(ours.fsc - plain.fsc).max() < 0.02
    assert ours.resolution_A == pytest.approx(plain.resolution_A, rel=0.02)
    assert np.mean(np.abs(ours.rotations - plain.rotations).max(axis=(1, 2)) < 1e-3) > 0.95


def test_initial_model(xp: Any) -> None:
    particles = particle_case().particles.take(np.arange(30))
    options = InitialModelOptions(
        DIAMETER_A, symmetry="C8", classes=2, starts=1, start_iterations=1, iterations=3, batch_first=5, batch_last=5,
        start_resolution_A=45.0, search_resolution_A=40.0, final_resolution_A=25.0, angular_sampling=3.0, candidates=4,
    )  # fmt: skip
    plain = list(initial_model(particles, options, np.random.default_rng(1)))
    # each iteration from the same state: what is chosen at random between alike poses would drift apart over several
    for before, after in itertools.pairwise([None, *plain]):
        kept = None if before is None else InitialModelState.from_dict(before.to_dict())
        ours = next(initial_model(particles, options, np.random.default_rng(1), kept, xp))
        assert ours.score == pytest.approx(after.score, rel=0.01)
        assert_close(ours.volumes, after.volumes, 0.02)
    poses, expected = (assign_poses(particles, options, plain[-1], x) for x in (xp, np))
    assert np.mean(poses.model == expected.model) > 0.95
    assert np.mean(np.abs(poses.angles_deg - expected.angles_deg).max(axis=1) < 0.1) > 0.9


def test_curves_and_masks(xp: Any) -> None:
    ours, plain = (fsc_curves(*half_maps(x), PIXEL_A, np.random.default_rng(1)) for x in (xp, np))
    for name, curve in plain.curves.items():
        assert np.abs(ours.curves[name] - curve).max() < 1e-4, name
    for name, mask in plain.masks.items():
        assert np.abs(ours.masks[name] - mask).max() < 1e-4, name
    automatic = [automatic_fsc_mask(*half_maps(x), plain) for x in (xp, np)]
    assert np.abs(automatic[0] - automatic[1]).max() < 1e-3


def test_a_new_mask_stays_on_the_device(xp: Any, traffic: Traffic) -> None:
    compared = HalfMapComparison(*half_maps(xp), PIXEL_A, np.random.default_rng(1))
    compared.curves()
    traffic.clear()
    found = compared.curves(compared.mask(0.3, 6.0, 12.0))
    one_map = 4 * BOX**3
    assert traffic.up_bytes < 0.1 * one_map, "a mask is made where the maps are"
    assert traffic.down_bytes < 1.5 * one_map, "the mask itself comes back, the maps do not"
    assert found.curves["corrected"].shape == (BOX // 2 + 1,)


def test_an_empty_mask_is_empty_on_the_device(xp: Any) -> None:
    mask = soft_mask_from_inside(xp.zeros((8, 8, 8), dtype=xp.bool), 3.0, 6.0, 12.0)
    assert is_gpu(mask)
    assert not to_numpy(mask).any()


def test_sharpening_and_its_b_factor(xp: Any) -> None:
    volume, curve = particle_case().volume, np.linspace(1, 0.3, BOX // 2 + 1)
    inside = (volume > 0.1 * volume.max()).astype(np.float32)
    for fit in (guinier_b_factor, sharpening_b_factor):
        # as if of finer sampling, so that there is something to fit
        ours, plain = (fit(x.asarray(volume), 2.0, 6.0, curve, mask=x.asarray(inside)) for x in (xp, np))
        assert ours.b_factor_A2 == pytest.approx(plain.b_factor_A2, rel=1e-4)
    sharp = sharpen(xp.asarray(volume), 2.0, -50.0, curve, 6.0)
    assert is_gpu(sharp)
    assert_close(sharp, sharpen(volume, 2.0, -50.0, curve, 6.0))
    assert np.array_equal(to_numpy(flip_hand(xp.asarray(volume))), flip_hand(volume))


def test_local_resolution(xp: Any) -> None:
    ours, plain = (local_resolution(*half_maps(x), PIXEL_A, 60.0) for x in (xp, np))
    assert np.mean(np.abs(ours - plain) < 0.01 * plain) > 0.99


def test_filters_shells_and_ring_correlation(xp: Any) -> None:
    images = particle_case().particles.images(np.arange(4))
    on_device = xp.asarray(images)
    assert_close(high_pass(low_pass(on_device, PIXEL_A, 20.0), PIXEL_A, 120.0),
                 high_pass(low_pass(images, PIXEL_A, 20.0), PIXEL_A, 120.0))  # fmt: skip
    others = images + np.roll(images, 1, axis=0)
    frc = fourier_ring_correlation(on_device, xp.asarray(others))
    assert np.abs(frc - fourier_ring_correlation(images, others)).max() < 1e-5
    power = np.abs(np.fft.rfft2(images)) ** 2
    found, plain = (radial_average(x.asarray(power), (BOX, BOX)) for x in (xp, np))
    assert found.shape == (4, BOX // 2 + 1)
    assert np.allclose(found, plain, rtol=1e-9)
