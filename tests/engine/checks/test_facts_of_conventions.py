"""The facts behind the convention guard, judged by what the data were made with."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.checks.axial_order import axial_scores, most_likely_order
from engine.checks.contrast import contrast_significance
from engine.checks.delocalisation import aliasing_resolution_A, delocalisation_A
from engine.checks.extent import apparent_diameter_A
from engine.checks.neighbours import near_pairs
from engine.checks.units import defocus_unit, look_like_radians
from engine.ctf.model import ctf
from engine.optics import Defocus, Optics
from engine.particles import Particles
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from spa_widgets.io.datasets import ParticleSet

OPTICS = Optics(300.0, 1.6, 0.1)


@pytest.mark.parametrize(("defocus_A", "seed"), [((6000, 9000), 3), ((12000, 25000), 4)])
def test_the_sign_of_contrast_is_told_from_simulated_images(defocus_A: tuple[float, float], seed: int) -> None:
    images, truth = simulate_particles(
        channel_in_nanodisc(), 150, 48, 4.6, OPTICS, defocus_A, 0.05, np.random.default_rng(seed), 0.3, 2.0
    )
    white = Particles.from_array(images, 4.6, truth.defocus, OPTICS)
    black = replace(white, load=lambda indices: -white.load(indices))
    assert contrast_significance(white, 80.0) > 5
    assert contrast_significance(black, 80.0) == pytest.approx(-contrast_significance(white, 80.0))
    noise = np.random.default_rng(seed).standard_normal(images.shape).astype(np.float32)
    assert abs(contrast_significance(Particles.from_array(noise, 4.6, truth.defocus, OPTICS), 80.0)) < 4


def test_the_sign_of_contrast_is_told_from_real_images(shared_data: Path) -> None:
    white = ParticleSet.read(shared_data / "betagal" / "particles_dev.star").to_engine()
    assert contrast_significance(white, 60.0) > 10
    assert contrast_significance(white.take(np.arange(20)), 60.0) > 3
    black = ParticleSet.read(shared_data / "formats" / "empiar_10076_7.star").to_engine()
    assert contrast_significance(black, 60.0) < -3


@pytest.mark.parametrize(("pixel_A", "snr", "seed"), [(4.6, 0.1, 5), (3.2, 0.05, 6)])
def test_the_width_of_particles_is_told_from_their_images(pixel_A: float, snr: float, seed: int) -> None:
    """The nanodisc is 160 Å wide and 50 Å thick; seen from all sides it resembles a disc between the two."""
    images, truth = simulate_particles(
        channel_in_nanodisc(), 100, 64, pixel_A, OPTICS, (8000, 18000), snr, np.random.default_rng(seed), 0.2, 2.0
    )
    particles = Particles.from_array(images, pixel_A, truth.defocus, OPTICS)
    found_A, sure = apparent_diameter_A(particles)
    assert 100 < found_A < 150 and sure > 8
    assert apparent_diameter_A(replace(particles, pixel_size_A=2 * pixel_A))[0] == pytest.approx(2 * found_A, rel=0.1)
    noise = np.random.default_rng(seed).standard_normal(images.shape).astype(np.float32)
    assert apparent_diameter_A(Particles.from_array(noise, pixel_A, truth.defocus, OPTICS))[1] < 5


def test_one_image_tells_nothing() -> None:
    one = Particles.from_array(np.ones((1, 16, 16), np.float32), 4.0, Defocus(*np.full((3, 1), 1e4)), OPTICS)
    assert contrast_significance(one, 20.0) == 0.0


def test_near_pairs_are_those_of_every_distance(rng: np.random.Generator) -> None:
    group, positions = rng.integers(0, 3, 60), rng.uniform(0, 100, (60, 2))
    near = np.linalg.norm(positions[:, None] - positions, axis=2) <= 12.0
    expected = [(i, j) for i in range(60) for j in range(i + 1, 60) if near[i, j] and group[i] == group[j]]
    assert near_pairs(group, positions, 12.0).tolist() == [list(pair) for pair in expected]
    assert near_pairs(np.zeros(0, int), np.zeros((0, 2)), 5.0).shape == (0, 2)


def test_displacement_is_the_distance_between_rings_of_the_ctf() -> None:
    k = np.linspace(1e-4, 1 / 4.0, 200_000)
    curve = ctf(k, np.zeros_like(k), Defocus(18000.0, 18000.0, 0.0), OPTICS)
    zeros = k[np.flatnonzero(np.diff(np.sign(curve)))]
    between_A = 2 / (zeros[-1] + zeros[-2])
    assert delocalisation_A(18000.0, OPTICS, between_A) == pytest.approx(0.5 / np.diff(zeros)[-1], rel=0.005)


def test_ctf_is_aliased_where_half_the_box_is_passed() -> None:
    limit_A = aliasing_resolution_A(20000.0, OPTICS, 120.0, 2.0)
    assert delocalisation_A(20000.0, OPTICS, limit_A) == pytest.approx(60.0, rel=0.01)
    assert aliasing_resolution_A(8000.0, OPTICS, 400.0, 3.0) == 0.0


@pytest.mark.parametrize(
    ("values", "unit"),
    [([0.8, 1.5, 2.2], "µm"), ([800, 1500, 2200], "nm"), ([8000, 15000, 22000], "Å"), ([0, 0, 12000], "Å"), ([0], "Å")],
)
def test_unit_of_defocus(values: list[float], unit: str) -> None:
    assert defocus_unit(values) == unit


def test_angles_in_radians(rng: np.random.Generator) -> None:
    assert look_like_radians(rng.uniform(-np.pi, np.pi, 50))
    assert not look_like_radians(rng.uniform(-180, 180, 50))
    assert not look_like_radians(np.zeros(50))
    assert not look_like_radians([0.1, 0.2, 0.3])


def ring(order: int, noise: float = 0.0) -> NDArray[np.float32]:
    """A ring of equal subunits, none of them symmetric itself, about z."""
    rng = np.random.default_rng(5)
    axis = (np.arange(40) - 20) * 5.0
    volume = np.zeros((40, 40, 40))
    for radius, angle, height in zip(
        rng.uniform(20, 60, 9), rng.uniform(0, 6.28, 9), rng.uniform(-40, 40, 9), strict=True
    ):
        for turn in angle / order + 2 * np.pi * np.arange(order) / order:
            place = (height, radius * np.sin(turn), radius * np.cos(turn))
            z, y, x = (np.exp(-((axis - at) ** 2) / 128.0) for at in place)
            volume += np.einsum("z,y,x->zyx", z, y, x)
    return (volume + noise * volume.std() * rng.standard_normal(volume.shape)).astype(np.float32)


@pytest.mark.parametrize("order", [2, 4, 7, 8, 9])
def test_order_about_z_is_told_apart_from_every_other(order: int) -> None:
    scores = axial_scores(ring(order, noise=0.5), 5.0)
    assert most_likely_order(scores) == order
    assert scores[order] > 0.6
    assert all(scores[other] < 0.6 for other in range(2, 17) if order % other)


def test_no_order_is_made_up() -> None:
    assert most_likely_order(axial_scores(ring(1), 5.0)) == 1
    assert most_likely_order(axial_scores(np.zeros((16, 16, 16), np.float32), 5.0)) == 1
    noise = np.random.default_rng(1).standard_normal((40, 40, 40)).astype(np.float32)
    assert np.abs(axial_scores(noise, 5.0)[2:]).max() < 0.15
