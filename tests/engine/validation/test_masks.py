"""Masks: distances in Å from a known surface, specks, thresholds."""

from __future__ import annotations

import numpy as np
import pytest

from engine.validation.masks import (
    automatic_mask,
    otsu_threshold,
    refinement_mask,
    soft_mask_from_inside,
    soft_mask_from_map,
    spherical_mask,
)
from engine.windows import radius_px

BOX_PX, PIXEL_SIZE_A = 64, 3.0


def _ball(radius_A: float) -> np.ndarray:
    return (radius_px((BOX_PX,) * 3) * PIXEL_SIZE_A <= radius_A).astype(np.float32)


def test_near_and_far_are_distances_from_the_surface() -> None:
    mask = soft_mask_from_map(_ball(30.0), PIXEL_SIZE_A, 0.5, 12.0, 30.0, low_pass_A=None)
    radius_A = radius_px((BOX_PX,) * 3) * PIXEL_SIZE_A
    assert mask[radius_A < 40.0].min() == 1.0
    assert mask[radius_A > 61.0].max() == 0.0
    halfway = mask[np.abs(radius_A - 51.0) < 1.0].mean()
    print(f"mask 21 Å from the surface of a 30 Å ball, edge 12 to 30 Å: {halfway:.3f}")
    assert abs(halfway - 0.5) < 0.1


def test_the_low_pass_does_not_move_the_surface_by_more_than_a_voxel() -> None:
    mask = soft_mask_from_map(_ball(45.0), PIXEL_SIZE_A, 0.5, 0.0, 0.0, low_pass_A=15.0)
    radius_A = (3 * mask.sum() / (4 * np.pi)) ** (1 / 3) * PIXEL_SIZE_A
    assert abs(radius_A - 45.0) < PIXEL_SIZE_A


def test_the_spherical_mask_is_one_to_85_percent_and_zero_at_half_the_box() -> None:
    mask = spherical_mask(BOX_PX)
    radius = radius_px((BOX_PX,) * 3)
    assert mask[radius <= 0.85 * BOX_PX / 2].min() == 1.0
    assert mask[radius >= BOX_PX / 2].max() == 0.0
    assert 0.4 < mask[np.abs(radius - 0.925 * BOX_PX / 2) < 0.3].mean() < 0.6


def test_specks_of_noise_are_no_part_of_the_refinement_mask() -> None:
    volume = _ball(40.0)
    volume[4:6, 4:6, 4:6] = 0.6
    with_speck = soft_mask_from_map(volume, PIXEL_SIZE_A, 0.2, 6.0, 14.0, low_pass_A=None)
    without = refinement_mask(volume, PIXEL_SIZE_A, low_pass_A=None)
    assert with_speck[5, 5, 5] == 1.0
    assert without[5, 5, 5] == 0.0
    assert without[32, 32, 32] == 1.0


def test_the_automatic_threshold_parts_particle_from_solvent(rng: np.random.Generator) -> None:
    volume = _ball(40.0) + rng.normal(scale=0.5, size=(BOX_PX,) * 3).astype(np.float32)
    mask = automatic_mask(volume, PIXEL_SIZE_A, near_A=0.0, far_A=0.0)
    truth = _ball(40.0) > 0
    overlap = (mask.astype(bool) & truth).sum() / (mask.astype(bool) | truth).sum()
    print(f"overlap of the automatic mask with the true ball: {overlap:.3f}")
    assert overlap > 0.85
    values = np.concatenate([rng.normal(0, 1, 900), rng.normal(10, 1, 100)])
    assert 2 < otsu_threshold(values) < 8


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="positive density"):
        soft_mask_from_map(-_ball(20.0), PIXEL_SIZE_A, 0.5, 6.0, 12.0, low_pass_A=None)
    with pytest.raises(ValueError, match="near"):
        soft_mask_from_map(_ball(20.0), PIXEL_SIZE_A, 0.5, 12.0, 6.0)
    with pytest.raises(ValueError, match="between 0 and 1"):
        soft_mask_from_map(_ball(20.0), PIXEL_SIZE_A, 1.5, 6.0, 12.0)
    with pytest.raises(ValueError, match="cubic"):
        soft_mask_from_map(_ball(20.0)[:10], PIXEL_SIZE_A, 0.5, 6.0, 12.0)
    assert soft_mask_from_inside(np.zeros((8, 8, 8), bool), 1.0, 2.0, 3.0).max() == 0.0
