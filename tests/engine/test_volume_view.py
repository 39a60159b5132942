"""Geometry for looking at maps, judged by figures whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from engine.volume_view import (
    axis_surface,
    colour_range,
    height,
    placed,
    reach_px,
    symmetry_axes,
    unit_vector,
    values_at,
)


@pytest.mark.parametrize(
    ("name", "folds"),
    [("C1", []), ("C8", [8]), ("D3", [3, 2, 2, 2]), ("T", [3] * 4 + [2] * 3), ("O", [4] * 3 + [3] * 4 + [2] * 6),
     ("I1", [5] * 6 + [3] * 10 + [2] * 15)],
)  # fmt: skip
def test_point_groups_have_their_axes(name: str, folds: list[int]) -> None:
    axes = symmetry_axes(name)
    assert [fold for fold, _ in axes] == folds
    assert all(np.isclose(np.hypot(np.hypot(*axis[:2]), axis[2]), 1) for _, axis in axes)


def test_the_main_axis_is_z_and_d3_has_a_twofold_on_x() -> None:
    assert symmetry_axes("C8")[0][1].tolist() == [0, 0, 1]
    assert any(np.allclose(axis, (1, 0, 0)) for fold, axis in symmetry_axes("D3") if fold == 2)


def test_axes_are_closed_surfaces_with_outward_corners_as_long_as_asked() -> None:
    vertices, triangles, folds = axis_surface(symmetry_axes("D2"), (5, 6, 7), 10.0)
    assert set(folds.tolist()) == {2.0}
    away = vertices - np.array([5, 6, 7])
    assert np.abs(away).max() == pytest.approx(10.12, abs=0.01)
    corners = away[triangles].astype(float)
    volume = np.einsum("ij,ij->i", corners[:, 0], np.cross(corners[:, 1], corners[:, 2])).sum() / 6
    assert volume > 0, "corners turn to the left as seen from outside"
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    assert {tuple(edge) for edge in edges.tolist()} == {tuple(edge[::-1]) for edge in edges.tolist()}


def test_reach_values_and_places() -> None:
    volume = np.zeros((9, 9, 9), np.float32)
    volume[4, 4, 7] = 2.0
    assert reach_px(volume, 1.0) == 3.0 and reach_px(volume, 5.0) == 4.5
    assert values_at(volume, np.array([[4, 4, 6.5], [4, 3.5, 7]])).tolist() == [1.0, 1.0]
    turn = np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    moved = np.eye(4)
    moved[:3, 3] = (100, 0, 0)
    assert placed([[1, 2, 3]], (2, 2, 2), turn, (1, 1, 1), moved).tolist() == [[105, 3, 7]]
    assert height((0, 0, 1), (1, 2, 3)) == 3.0
    assert colour_range(volume, 1.0, volume + 1) == (3.0, 3.0)
    with pytest.raises(ValueError, match="no direction"):
        unit_vector((0, 0, 0))
