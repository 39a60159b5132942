"""The slice kernels against their plain forms, and their independence of the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.geometry import random_rotations
from engine.kernels import slices, slices_reference
from engine.reconstruction.half_cube import complete_plane
from engine.symmetry import point_group

PADDING = 2.0


@pytest.fixture
def cube(rng: np.random.Generator) -> NDArray[np.complex64]:
    radius = slices.cube_radius(PADDING, 10)
    shape = (2 * radius + 1, 2 * radius + 1, radius + 1)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_reading_agrees_with_the_plain_form(cube: NDArray[np.complex64], rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 10)
    rotations = random_rotations(70, rng).astype(np.float32)
    fast = slices.extract_slices(cube, PADDING, rotations, disc.kx, disc.ky)
    plain = slices_reference.extract_slices_reference(cube, PADDING, rotations, disc.kx, disc.ky)
    assert np.abs(fast - plain).max() < 2e-5


def test_inserting_agrees_with_the_plain_form(cube: NDArray[np.complex64], rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 10)
    rotations = random_rotations(20, rng).astype(np.float32)
    values = slices.extract_slices(cube, PADDING, rotations, disc.kx, disc.ky)
    weights = rng.random(values.shape).astype(np.float32)
    fast = np.zeros_like(cube), np.zeros(cube.shape, np.float32)
    plain = np.zeros(cube.shape, complex), np.zeros(cube.shape)
    slices.insert_slices(values, weights, rotations, disc.kx, disc.ky, PADDING, *fast)
    slices_reference.insert_slices_reference(values, weights, rotations, disc.kx, disc.ky, PADDING, *plain)
    assert np.abs(fast[0] - plain[0]).max() < 1e-4
    assert np.abs(fast[1] - plain[1]).max() < 1e-4


def test_inserting_is_the_adjoint_of_reading(cube: NDArray[np.complex64], rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 9)
    rotations = random_rotations(5, rng).astype(np.float32)
    values = (rng.standard_normal((5, len(disc))) + 1j * rng.standard_normal((5, len(disc)))).astype(np.complex64)
    read = slices_reference.extract_slices_reference(complete_plane(cube), PADDING, rotations, disc.kx, disc.ky)
    numerator, denominator = np.zeros_like(cube), np.zeros(cube.shape, np.float32)
    weights = np.ones(values.shape, np.float32)
    slices.insert_slices(values, weights, rotations, disc.kx, disc.ky, PADDING, numerator, denominator)
    # the half cube stands for both members of each pair; its plane x = 0 holds both itself once completed
    full, hermitian = complete_plane(numerator), complete_plane(cube)
    share = np.ones(cube.shape)
    share[:, :, 0] = 0.5
    assert np.vdot(hermitian, full * share).real == pytest.approx(np.vdot(read, values).real, rel=1e-4)


@pytest.mark.parametrize("group", ["C3", "D2", "T", "O", "I1"])
def test_symmetrising_agrees_with_the_plain_form(
    cube: NDArray[np.complex64], rng: np.random.Generator, group: str
) -> None:
    numerator = complete_plane(cube)
    denominator = complete_plane(rng.random(cube.shape).astype(np.float32))
    operators = point_group(group).astype(np.float32)
    radius = float(cube.shape[2] - 2)
    fast = slices.symmetrise(numerator, denominator, operators, radius)
    plain = slices_reference.symmetrise_reference(numerator, denominator, operators, radius)
    assert np.abs(fast[0] - plain[0]).max() < 1e-4 * len(operators)
    assert np.abs(fast[1] - plain[1]).max() < 1e-4 * len(operators)


def test_sums_are_the_same_bits_on_one_thread_and_on_three(
    cube: NDArray[np.complex64], rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    disc = HalfDisc(24, 10)
    rotations = random_rotations(100, rng).astype(np.float32)
    results = []
    for count in (1, 3):
        monkeypatch.setenv("NUMBA_NUM_THREADS", str(count))
        values = slices.extract_slices(cube, PADDING, rotations, disc.kx, disc.ky)
        numerator, denominator = np.zeros_like(cube), np.zeros(cube.shape, np.float32)
        slices.insert_slices(values, np.abs(values), rotations, disc.kx, disc.ky, PADDING, numerator, denominator)
        results.append((numerator, denominator))
    assert np.array_equal(results[0][0], results[1][0])
    assert np.array_equal(results[0][1], results[1][1])
