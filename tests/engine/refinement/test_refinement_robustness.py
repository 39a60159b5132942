"""What refinement claims of junk, of an over-tight mask and of every kind of point group; odd boxes; defocus."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.fourier.filters import low_pass
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.geometry import euler_to_matrix
from engine.optics import Optics
from engine.particles import Particles
from engine.reconstruction.fourier_volume import extract_slices, fourier_volume
from engine.reconstruction.image_coefficients import ImageCoefficients
from engine.refinement import plan
from engine.refinement.defocus_search import defocus_offsets
from engine.refinement.products import refinement_products
from engine.refinement.refine import pose_distance_deg, refine
from engine.refinement.solve import sphere_mask
from engine.refinement.state import RefinementOptions, RefinementState
from engine.simulation.atoms import Atoms, replicate
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from engine.symmetry import point_group
from engine.validation.masks import soft_mask_from_inside

OPTICS = Optics(300.0, 1.6, 0.1)
Volume = NDArray[np.float32]


def _refined(
    images: NDArray[np.float32], truth_volume: Volume, pixel_size_A: float, options: RefinementOptions, defocus: object
) -> RefinementState:
    particles = Particles.from_array(images, pixel_size_A, defocus, OPTICS)  # type: ignore[arg-type]
    start = low_pass(truth_volume, pixel_size_A, options.initial_low_pass_A, ndim=3)
    halves = np.arange(len(images)) % 2 + 1
    *_, last = refine(particles, halves, start, options, np.random.default_rng(1))
    return last


def _against(truth: Volume, volume: Volume, mask: Volume, pixel_size_A: float) -> float:
    curve = fourier_shell_correlation(volume * mask, truth * mask)
    return resolution_at(curve, len(truth), pixel_size_A, 0.5)


@pytest.fixture(scope="module")
def channel_volume() -> Volume:
    return density(channel_in_nanodisc(), 48, 4.62)


CHANNEL = RefinementOptions(symmetry="C8", mask_diameter_A=160, max_iterations=4, align_symmetry=False)


def test_an_over_tight_mask_gains_nothing(channel_volume: Volume) -> None:
    rng = np.random.default_rng(21)
    images, truth = simulate_particles(
        channel_in_nanodisc(), 200, 48, 4.62, OPTICS, (8000, 22000), 0.06, rng, offset_px=2.0
    )
    last = _refined(images, channel_volume, 4.62, CHANNEL, truth.defocus)
    honest = refinement_products(last, 4.62, np.random.default_rng(0))
    mean = np.asarray(last.half_maps.mean(axis=0))
    reached_A = _against(channel_volume, mean, honest.mask_fsc, 4.62)
    smooth = low_pass(channel_volume, 4.62, 10.0, ndim=3)
    tight = soft_mask_from_inside(smooth > 0.2 * smooth.max(), 4.62, 0.0, 5.0)
    cut = refinement_products(last, 4.62, np.random.default_rng(0), tight)
    uncorrected_A, corrected_A = cut.curves.resolution("tight"), cut.curves.resolution()
    print(f"truth {reached_A:.2f} Å, claimed {honest.curves.resolution():.2f} Å", end="; ")
    print(f"over-tight mask {uncorrected_A:.2f} Å, corrected {corrected_A:.2f} Å")
    assert reached_A > 2.2 * 4.62  # away from Nyquist
    assert honest.curves.resolution() == pytest.approx(reached_A, rel=0.07)
    assert tight.mean() < 0.5 * honest.mask_fsc.mean()
    assert uncorrected_A < 0.93 * reached_A  # the mask alone correlates
    assert corrected_A > 0.93 * reached_A


def test_mostly_junk_claims_no_more_than_it_shows(channel_volume: Volume) -> None:
    rng = np.random.default_rng(22)
    images, truth = simulate_particles(channel_in_nanodisc(), 120, 48, 4.62, OPTICS, (8000, 22000), 0.1, rng)
    images[12:] = rng.standard_normal(images[12:].shape)
    order = rng.permutation(len(images))
    last = _refined(images[order], channel_volume, 4.62, CHANNEL, truth.defocus.take(order))
    products = refinement_products(last, 4.62, np.random.default_rng(0))
    reached_A = _against(channel_volume, np.asarray(last.half_maps.mean(axis=0)), products.mask_fsc, 4.62)
    print(f"claimed {last.resolution_A:.1f} and {products.curves.resolution():.1f} Å, truth {reached_A:.1f} Å")
    assert min(last.resolution_A, products.curves.resolution()) > 13
    assert products.curves.resolution() > 0.8 * reached_A


def _assembly(group: str, rng: np.random.Generator) -> Atoms:
    """Random coil in one asymmetric unit, 34 Å from the centre, and its mates."""
    seed = np.array([0.9511, 0.2113, 0.2253]) * 34
    positions = seed + np.cumsum(rng.normal(0, 2.5, (max(720 // len(point_group(group)), 12), 3)), axis=0) * 0.7
    model = channel_in_nanodisc()
    unit = Atoms(positions.astype(np.float32), np.zeros(len(positions), np.int64), model.form_factors)
    return replicate(unit, point_group(group))


@pytest.mark.parametrize(("group", "box_px"), [("T", 32), ("O", 33), ("I1", 32), ("D2", 33)])
def test_point_groups_refine_in_even_and_odd_boxes(group: str, box_px: int) -> None:
    rng = np.random.default_rng(6)
    atoms = _assembly(group, rng)
    images, truth = simulate_particles(atoms, 96, box_px, 4.5, OPTICS, (8000, 20000), 1.0, rng, offset_px=1.0)
    options = replace(CHANNEL, symmetry=group, mask_diameter_A=120, initial_low_pass_A=20.0, shift_range_A=8.0)
    options = replace(options, mask_start_A=3.0)  # finer than Nyquist: the mask comes when poses have settled
    volume = density(atoms, box_px, 4.5)
    last = _refined(images, volume, 4.5, options, truth.defocus)
    error_deg = pose_distance_deg(last.rotations, euler_to_matrix(truth.angles_deg), group)
    likeness = fourier_shell_correlation(last.volume, volume)[2:10].min()
    print(f"{group}: median error {np.median(error_deg):.2f}°, worst shell to {4.5 * box_px / 9:.0f} Å {likeness:.2f}")
    assert last.volume.shape == (box_px,) * 3
    assert np.median(error_deg) < 3.0
    assert likeness > 0.8
    assert last.masked
    assert last.mask.mean() < 0.9 * sphere_mask(box_px, 4.5, 120).mean()


def test_sums_too_large_for_the_memory_give_maps_on_the_whole_box(
    channel_volume: Volume, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(23)
    images, truth = simulate_particles(channel_in_nanodisc(), 60, 48, 4.62, OPTICS, (8000, 22000), 0.3, rng)
    options = replace(CHANNEL, max_iterations=2)
    whole = _refined(images, channel_volume, 4.62, options, truth.defocus)
    monkeypatch.setattr(plan, "_LARGEST_SUMS", 0)
    cut = _refined(images, channel_volume, 4.62, options, truth.defocus)
    assert cut.half_maps.shape == whole.half_maps.shape
    assert cut.volume.shape == cut.mask.shape == whole.volume.shape
    assert cut.fsc.shape == whole.fsc.shape
    assert cut.resolution_A == pytest.approx(whole.resolution_A, rel=0.03)
    assert fourier_shell_correlation(cut.volume, whole.volume)[1:12].min() > 0.98


def test_defocus_of_each_particle_is_found() -> None:
    rng = np.random.default_rng(8)
    atoms = channel_in_nanodisc()
    images, truth = simulate_particles(atoms, 60, 96, 2.2, OPTICS, (8000, 20000), 0.3, rng)
    error_A = rng.normal(0, 300, 60)
    particles = Particles.from_array(images, 2.2, truth.defocus.shifted(error_A), OPTICS)
    disc = HalfDisc(96, 44.0)
    store = ImageCoefficients(particles, disc)
    everything = np.arange(60)
    coefficients, ctf = store.batch(everything)
    slices = extract_slices(fourier_volume(density(atoms, 96, 2.2)), euler_to_matrix(truth.angles_deg), disc)
    scale = np.vdot(slices * ctf, coefficients).real / np.vdot(slices * ctf, slices * ctf).real
    power = np.full(len(disc), np.mean(np.abs(coefficients[:, -500:]) ** 2), np.float32)
    ramps = disc.phase_ramps((truth.shifts_A / 2.2).astype(np.float32))
    found_A = defocus_offsets(particles, disc, everything, coefficients * ramps, scale * slices, power, 1000.0)
    before_A, after_A = np.std(error_A), np.std(error_A + found_A)
    print(f"defocus error {before_A:.0f} → {after_A:.0f} Å")
    assert after_A < 0.4 * before_A
    store.set_defocus_shift(found_A)
    assert np.allclose(store.particles.defocus.u_A, particles.defocus.u_A + found_A)
    changed = store.batch(everything)[1]
    assert np.array_equal(changed, store.particles.ctf_on_disc(disc, everything).astype(np.float32))
