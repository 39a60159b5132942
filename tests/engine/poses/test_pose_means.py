"""Means over candidate poses, and which of them go into the map as one."""

from __future__ import annotations

import numpy as np
import pytest

from engine.geometry import random_rotations, rotation_angle_deg
from engine.poses.candidates import Candidates
from engine.poses.grid import rotation_offsets
from engine.poses.means import mean_pose, merged


@pytest.fixture
def two_hills(rng: np.random.Generator) -> Candidates:
    """Five images with eight candidates about each of two far orientations, in turns; their shifts are 1 and 3 px."""
    hills = random_rotations(10, rng).reshape(5, 2, 3, 3)
    hills[:, 1] = np.diag([-1.0, 1.0, -1.0]) @ hills[:, 0]
    rotations = (rotation_offsets(2, 0.5)[None, :, None] @ hills[:, None]).reshape(5, 16, 3, 3)
    shifts = np.tile(np.array([1.0, 3.0], np.float32)[None, :, None], (5, 8, 2))
    return Candidates(rotations, shifts, np.zeros((5, 16)), np.ones((5, 16)))


def test_the_mean_of_a_cube_of_rotations_is_its_middle(two_hills: Candidates, rng: np.random.Generator) -> None:
    first = two_hills.best(16).rotations[:, ::2]
    part = Candidates(first, two_hills.shifts_px[:, ::2], two_hills.score[:, ::2], two_hills.scale[:, ::2])
    rotation, shift = mean_pose(part, np.ones((5, 8)))
    middle = rotation_offsets(2, 0.5)[0].T @ first[:, 0]
    assert rotation_angle_deg(rotation, middle).max() < 1e-3
    assert np.allclose(shift, 1.0)
    assert np.allclose(np.linalg.det(rotation), 1.0)


def test_candidates_of_one_hill_go_in_as_one(two_hills: Candidates) -> None:
    weight = np.full((5, 16), 1 / 16)
    weight[0, 4:] = 0
    rotations, shifts, total = merged(two_hills, weight, 1.0)
    assert np.array_equal(np.count_nonzero(total, axis=1), [2] * 5)
    assert np.allclose(total.sum(axis=1), weight.sum(axis=1))
    assert np.allclose(total[1:, :2], 0.5)
    assert np.allclose(shifts[total > 0].reshape(5, 2, 2), [[[1, 1], [3, 3]]] * 5)
    whole, _ = mean_pose(two_hills, np.where(np.arange(16) % 2 == 0, weight, 0.0))
    assert rotation_angle_deg(rotations[:, 0], whole).max() < 1e-3


def test_no_angle_puts_none_together(two_hills: Candidates) -> None:
    weight = np.full((5, 16), 1 / 16)
    rotations, shifts, total = merged(two_hills, weight, 0.0)
    assert np.array_equal(total, weight)
    assert np.array_equal(rotations, two_hills.rotations)
    assert np.array_equal(shifts, two_hills.shifts_px)
