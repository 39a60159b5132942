"""Alignment of maps whose true rotation, shift and hand are known: densities summed from points in real space."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.alignment.align import align_maps, map_fsc_to_truth
from engine.alignment.rigid import mirror_volume, transform_volume
from engine.alignment.symmetry_axis import find_symmetry
from engine.geometry import rotation_angle_deg
from engine.symmetry import point_group

BOX_PX, PIXEL_A, SIGMA_A = 48, 4.6, 7.0


def points_of(symmetry: str, count: int, seed: int) -> NDArray[np.float64]:
    rng = np.random.default_rng(seed)
    points = rng.standard_normal((count, 3))
    points *= 55.0 * rng.random((count, 1)) ** (1 / 3) / np.linalg.norm(points, axis=1, keepdims=True)
    if symmetry == "C8":  # one arm of a ring, away from the axis
        points[:, 0] = 20.0 + 0.6 * np.abs(points[:, 0])
    return np.concatenate([points @ operator.T for operator in point_group(symmetry)])


def density_of(points: NDArray[np.float64], noise: float = 0.0, seed: int = 0) -> NDArray[np.float32]:
    axis = (np.arange(BOX_PX) - BOX_PX // 2) * PIXEL_A
    x, y, z = (np.exp(-((axis[None, :] - points[:, i, None]) ** 2) / (2 * SIGMA_A**2)) for i in range(3))
    volume = np.einsum("pz,py,px->zyx", z, y, x, optimize=True)
    rng = np.random.default_rng(seed)
    return (volume + noise * volume.std() * rng.standard_normal(volume.shape)).astype(np.float32)


def test_transform_volume_moves_a_point_where_it_should() -> None:
    turn = Rotation.from_euler("zyx", [30.0, 50.0, -20.0], degrees=True).as_matrix()
    points = points_of("C1", 20, 1)
    expected = density_of(points @ turn.T + np.array([1.5, -2.25, 0.75]) * PIXEL_A)
    moved = transform_volume(density_of(points), turn, np.array([1.5, -2.25, 0.75]))
    assert np.abs(moved - expected).max() < 0.02 * expected.max()
    mirrored = density_of(points * [1.0, 1.0, -1.0])
    assert np.abs(mirror_volume(density_of(points)) - mirrored).max() < 1e-4


@pytest.mark.parametrize(("symmetry", "count", "flip"), [("C1", 40, True), ("C8", 12, False)])
def test_align_maps_finds_rotation_shift_and_hand(symmetry: str, count: int, flip: bool) -> None:
    points = points_of(symmetry, count, 3)
    turn, shift_A = Rotation.random(random_state=5).as_matrix(), np.array([8.0, -6.0, 4.0])
    moved = (points - shift_A) @ turn  # aligned = turn @ moved + shift
    moving = density_of(moved * [1.0, 1.0, -1.0 if flip else 1.0], noise=0.5)
    found = align_maps(moving, density_of(points), PIXEL_A, symmetry)
    operators = np.asarray(point_group(symmetry))
    errors_deg = rotation_angle_deg(operators @ turn, found.rotation)
    mate = int(errors_deg.argmin())
    assert found.hand_flipped == flip
    assert errors_deg[mate] < 0.5
    assert np.linalg.norm(operators[mate] @ shift_A - found.shift_A) < 0.2 * PIXEL_A
    assert np.corrcoef(found.aligned.ravel(), density_of(points).ravel())[0, 1] > 0.88


def test_hands_that_differ_in_fine_detail_alone_are_told_apart() -> None:
    sector, rng = points_of("C8", 8, 3)[:8], np.random.default_rng(3)
    sector = np.concatenate([sector, sector * [1.0, 1.0, -1.0] + 7.0 * rng.standard_normal(sector.shape)])
    points = np.concatenate([sector @ operator.T for operator in point_group("C8")])
    turn = Rotation.random(random_state=5).as_matrix()
    moving = density_of((points @ turn) * [1.0, 1.0, -1.0], noise=0.5)
    assert align_maps(moving, density_of(points), PIXEL_A, "C8").hand_flipped


@pytest.mark.parametrize(("symmetry", "count"), [("C8", 12), ("D2", 12)])
def test_symmetry_axes_are_found(symmetry: str, count: int) -> None:
    turn, shift_A = Rotation.random(random_state=8).as_matrix(), np.array([5.0, -7.0, 6.0])
    volume = density_of(points_of(symmetry, count, 5) @ turn.T + shift_A, noise=0.5)
    found = find_symmetry(volume, PIXEL_A, symmetry, may_stand=True)  # it does not
    assert found.score > 0.8
    total = found.rotation @ turn  # takes the true axes to where they were put
    operators = np.asarray(point_group(symmetry))
    for operator in operators:  # an axis lies right when the group is the same group as before
        assert rotation_angle_deg(operators, total @ operator @ total.T).min() < 0.7
    centre_A = found.rotation @ shift_A + found.shift_A
    assert np.linalg.norm(centre_A[:2] if symmetry == "C8" else centre_A) < 0.2 * PIXEL_A
    standing = find_symmetry(density_of(points_of(symmetry, count, 5)), PIXEL_A, symmetry, may_stand=True)
    assert standing.score > 0.95
    assert rotation_angle_deg(standing.rotation, np.eye(3)) < 0.7  # a search would have turned it about its axis


def test_score_tells_a_wrong_fold_of_a_ring() -> None:
    volume = density_of(points_of("C8", 12, 5), noise=0.5)
    assert find_symmetry(volume, PIXEL_A, "C7").score < 0.2


def test_fsc_to_truth_sees_the_resolution_of_a_map() -> None:
    truth = density_of(points_of("C1", 40, 9))
    rotated = transform_volume(truth, Rotation.random(random_state=1).as_matrix(), np.zeros(3))
    noise = np.random.default_rng(0).standard_normal(truth.shape)
    result = map_fsc_to_truth(rotated + 0.5 * rotated.std() * noise, truth, PIXEL_A)
    direct = map_fsc_to_truth(truth + 0.5 * truth.std() * noise, truth, PIXEL_A, align=False)
    assert result["resolution_05_A"] == pytest.approx(direct["resolution_05_A"], rel=0.08)


def test_maps_of_different_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="same size"):
        align_maps(np.zeros((8, 8, 8)), np.zeros((10, 10, 10)), 1.0)
