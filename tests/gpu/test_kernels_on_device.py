"""The CUDA kernels against their plain forms: on the stand-in compiled by g++, on a card as they are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.fourier.disc import HalfDisc
from engine.geometry import random_rotations
from engine.kernels import poses, poses_cuda, slices, slices_cuda, slices_reference
from engine.symmetry import point_group

PADDING = 1.7
DISC = HalfDisc(24, 11)


def spectrum(rng: np.random.Generator, *shape: int) -> NDArray[np.complex64]:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


@pytest.fixture
def cube(rng: np.random.Generator) -> NDArray[np.complex64]:
    radius = slices.cube_radius(PADDING, 11)
    return spectrum(rng, 2 * radius + 1, 2 * radius + 1, radius + 1)


def test_slices_are_read_alike(xp: Any, cube: NDArray, rng: np.random.Generator) -> None:
    rotations = random_rotations(7, rng).astype(np.float32)
    ours = slices_cuda.extract_slices(xp.asarray(cube), PADDING, rotations, DISC.kx, DISC.ky)
    plain = slices_reference.extract_slices_reference(cube, PADDING, rotations, DISC.kx, DISC.ky)
    assert ours.dtype == np.complex64
    assert np.abs(to_numpy(ours) - plain).max() < 2e-5


def test_more_slices_than_blocks_are_all_done(
    xp: Any, cube: NDArray, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices_cuda, "_MOST_ROWS", 4)
    rotations = random_rotations(11, rng).astype(np.float32)
    ours = slices_cuda.extract_slices(xp.asarray(cube), PADDING, rotations, DISC.kx, DISC.ky)
    plain = slices_reference.extract_slices_reference(cube, PADDING, rotations, DISC.kx, DISC.ky)
    assert np.abs(to_numpy(ours) - plain).max() < 2e-5


def test_slices_are_inserted_alike(xp: Any, cube: NDArray, rng: np.random.Generator) -> None:
    rotations = random_rotations(9, rng).astype(np.float32)
    values, start = spectrum(rng, 9, len(DISC)), rng.random(cube.shape).astype(np.float32)
    weights = rng.random(values.shape).astype(np.float32)
    ours = xp.asarray(cube), xp.asarray(start)
    plain = cube.astype(complex), start.astype(float)
    on_device = xp.asarray(values), xp.asarray(weights)
    slices_cuda.insert_slices(*on_device, rotations, DISC.kx, DISC.ky, PADDING, *ours)
    slices_reference.insert_slices_reference(values, weights, rotations, DISC.kx, DISC.ky, PADDING, *plain)
    assert np.abs(to_numpy(ours[0]) - plain[0]).max() < 1e-4
    assert np.abs(to_numpy(ours[1]) - plain[1]).max() < 1e-4
    assert np.abs(to_numpy(ours[0]) - cube).max() > 1


@pytest.mark.parametrize("group", ["C8", "D3"])
def test_half_cubes_are_symmetrised_alike(xp: Any, cube: NDArray, group: str, rng: np.random.Generator) -> None:
    weights, operators = rng.random(cube.shape).astype(np.float32), point_group(group).astype(np.float32)
    radius = float(cube.shape[0] // 2 - 1)
    ours = slices_cuda.symmetrise(xp.asarray(cube), xp.asarray(weights), operators, radius)
    for each, plain in zip(ours, slices_reference.symmetrise_reference(cube, weights, operators, radius), strict=True):
        assert np.abs(to_numpy(each) - plain).max() < 1e-4


@pytest.mark.parametrize(("orientations", "shifts"), [(1, 1), (6, 9), (3, 35)])
def test_poses_are_scored_alike(
    xp: Any, cube: NDArray, rng: np.random.Generator, orientations: int, shifts: int
) -> None:
    images, owner = spectrum(rng, 3, len(DISC)), np.array([0, 2, 2, 1])
    ctf2 = rng.random(images.shape).astype(np.float32)
    rotations = random_rotations(4 * orientations, rng).reshape(4, orientations, 3, 3).astype(np.float32)
    shifts_px = rng.normal(0, 2, (4, shifts, 2)).astype(np.float32)
    rest = (owner, rotations, shifts_px, DISC.kx, DISC.ky, 24)
    cross, norm = poses_cuda.score_poses(xp.asarray(cube), PADDING, xp.asarray(images), xp.asarray(ctf2), *rest)
    plain_cross, plain_norm = poses.score_poses_reference(cube, PADDING, images, ctf2, *rest)
    assert np.abs(to_numpy(cross) - plain_cross).max() < 2e-5 * np.abs(plain_cross).max() + 1e-3
    assert np.allclose(to_numpy(norm), plain_norm, rtol=1e-5)


def test_nothing_to_do_is_no_error(xp: Any, cube: NDArray) -> None:
    none, no_k = np.zeros((0, 3, 3), np.float32), np.zeros(4, np.int16)
    assert slices_cuda.extract_slices(xp.asarray(cube), PADDING, none, no_k, no_k).shape == (0, 4)
    empty = poses_cuda.score_poses(
        xp.asarray(cube), PADDING, xp.zeros((0, 4), dtype=xp.complex64), xp.zeros((0, 4), dtype=xp.float32),
        np.zeros(0, np.int32), np.zeros((0, 2, 3, 3), np.float32), np.zeros((0, 1, 2), np.float32), no_k, no_k, 24,
    )  # fmt: skip
    assert empty[0].shape == (0, 2, 1)
