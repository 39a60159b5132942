"""Sampling of Fourier space: even views, a belt of side views, and views along one axis only."""

from __future__ import annotations

import numpy as np
import pytest

from engine.geometry import matrix_to_euler, random_rotations
from engine.validation.orientation import orientation_distribution


def test_even_views_are_efficient_and_counted_once(rng: np.random.Generator) -> None:
    found = orientation_distribution(matrix_to_euler(random_rotations(4000, rng)))
    print(f"even views: {found.efficiency:.3f}")
    assert 0.97 < found.efficiency <= 1.0
    few = orientation_distribution(matrix_to_euler(random_rotations(150, rng)))
    print(f"150 views: {few.efficiency:.3f}")
    assert few.efficiency > 0.9
    assert found.counts.sum() == found.views == 4000
    assert found.counts.std() < 1.3 * np.sqrt(found.counts.mean()), "bins have equal areas"


def test_missing_views_cost_efficiency(rng: np.random.Generator) -> None:
    rot, psi = rng.uniform(-180, 180, (2, 3000))
    near_axis = np.stack([rot, rng.uniform(0, 25, 3000), psi], axis=1)
    side = np.stack([rot, rng.normal(90, 4, 3000), psi], axis=1)
    one = np.stack([0 * rot + 30.0, 0 * rot + 90.0, psi], axis=1)
    found = {
        name: orientation_distribution(a).efficiency for name, a in (("axis", near_axis), ("side", side), ("one", one))
    }
    print({name: round(value, 3) for name, value in found.items()})
    # side views all round fill every direction, though not evenly; top views alone leave a cone empty
    assert found["side"] > 0.6 > 0.3 > found["axis"] > found["one"]
    assert orientation_distribution(one, "C8").efficiency > found["one"], "mates fill more planes"


def test_a_view_lands_in_its_bin_and_none_is_refused() -> None:
    found = orientation_distribution([[50.0, 20.0, 10.0]] * 3, rows=4, columns=8)
    row, column = np.unravel_index(int(found.counts.argmax()), found.counts.shape)
    assert abs(found.rot_deg[column] - 50) <= 22.5 and abs(found.cos_tilt[row] - np.cos(np.deg2rad(20))) <= 0.25
    with pytest.raises(ValueError, match="no views"):
        orientation_distribution(np.zeros((0, 3)))
