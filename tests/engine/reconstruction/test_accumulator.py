"""Reconstruction from slices: what goes in comes out, with symmetry, weights and a prior."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.fourier.grids import shell_index
from engine.fourier.shells import fourier_shell_correlation
from engine.fourier.transforms import rfft3
from engine.geometry import random_rotations
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import extract_slices, fourier_volume
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.symmetry import point_group
from engine.windows import soft_sphere

BOX, PIXEL_A = 40, 5.0


@pytest.fixture(scope="module")
def volume() -> NDArray[np.float32]:
    return density(channel(), BOX, PIXEL_A)


def test_projections_inserted_again_give_the_volume(volume: NDArray[np.float32], rng: np.random.Generator) -> None:
    disc = HalfDisc(BOX, 19)
    rotations = random_rotations(800, rng)
    slices = extract_slices(fourier_volume(volume), rotations, disc)
    sums = Accumulator(BOX)
    # weights as of a CTF: numerator and denominator carry its square
    ctf = np.cos(disc.radius / 3 + rng.uniform(0, 6, (800, 1))).astype(np.float32)
    sums.insert(slices * ctf**2, ctf**2, rotations, disc)
    result = sums.solve()
    curve = fourier_shell_correlation(result, volume)
    # the disc has no mean, so the lowest shell is not known well
    band = (shell_index(volume.shape) >= 2) & (shell_index(volume.shape) <= 17)
    truth, found = rfft3(volume)[band], rfft3(result)[band]
    gain = float(np.vdot(truth, found).real / np.vdot(truth, truth).real)
    print(f"FSC {curve[:18].min():.4f} at worst, grey scale {gain:.4f}")
    assert curve[:18].min() > 0.99
    assert gain == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("group", ["C8", "D2", "T", "O", "I1"])
def test_symmetry_of_the_sums_equals_inserting_every_mate(
    volume: NDArray[np.float32], rng: np.random.Generator, group: str
) -> None:
    disc = HalfDisc(BOX, 12)
    rotations = random_rotations(60, rng)
    slices = extract_slices(fourier_volume(volume), rotations, disc)
    weights = np.ones(slices.shape, np.float32)
    once, every = Accumulator(BOX, radius_px=12), Accumulator(BOX, radius_px=12)
    once.insert(slices, weights, rotations, disc)
    for operator in point_group(group):
        every.insert(slices, weights, rotations @ operator, disc)
    ball = soft_sphere(BOX, 15, 3)
    curve = fourier_shell_correlation(once.symmetrised(group).solve() * ball, every.solve() * ball)
    print(f"{group}: FSC {curve[:11].min():.4f} at worst")
    assert curve[:11].min() > 0.97


def test_sums_add_and_survive_a_dictionary(volume: NDArray[np.float32], rng: np.random.Generator) -> None:
    disc = HalfDisc(BOX, 10)
    rotations = random_rotations(20, rng)
    slices = extract_slices(fourier_volume(volume), rotations, disc)
    weights = rng.random(slices.shape).astype(np.float32)
    whole, first, second = (Accumulator(BOX, radius_px=10) for _ in range(3))
    whole.insert(slices, weights, rotations, disc)
    first.insert(slices[:9], weights[:9], rotations[:9], disc)
    second.insert(slices[9:], weights[9:], rotations[9:], disc)
    again = Accumulator.from_dict((first + second).to_dict())
    assert np.abs(again.numerator - whole.numerator).max() < 1e-5 * np.abs(whole.numerator).max()
    assert np.abs(again.denominator - whole.denominator).max() < 1e-4
    with pytest.raises(ValueError, match="cannot be added"):
        _ = first + Accumulator(BOX, radius_px=8)


def test_the_prior_brings_a_noisy_map_nearer_to_the_truth(
    volume: NDArray[np.float32], rng: np.random.Generator
) -> None:
    disc = HalfDisc(BOX, 18)
    rotations = random_rotations(60, rng)
    clean = extract_slices(fourier_volume(volume), rotations, disc)
    sigma = 2.0 * float(np.abs(clean).mean())
    noise = rng.standard_normal((2, *clean.shape)) * sigma / np.sqrt(2)
    sums = Accumulator(BOX, radius_px=18)
    sums.insert(clean + (noise[0] + 1j * noise[1]), np.ones(clean.shape, np.float32), rotations, disc)
    plain = sums.solve()
    curve = fourier_shell_correlation(plain, volume)
    # FSC with the truth c means that the share c² of the map's power is signal
    ssnr = curve**2 / np.maximum(1 - curve**2, 1e-3)
    with_prior = sums.solve(ssnr)
    error_plain, error_prior = np.linalg.norm(plain - volume), np.linalg.norm(with_prior - volume)
    print(f"error {error_plain:.1f} without, {error_prior:.1f} with the prior")
    assert error_prior < 0.7 * error_plain
