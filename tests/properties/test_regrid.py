"""Regridding obeys its laws for any boxes and pixel sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fourier.regrid import regrid

SIDES = st.integers(1, 40)
SIZES_A = st.floats(0.05, 50.0)


@given(SIDES, SIDES, SIZES_A, SIZES_A, st.integers(0, 2**31))
def test_a_flat_image_stays_flat_and_the_frame_is_empty(
    side: int, new_side: int, size_A: float, new_size_A: float, seed: int
) -> None:
    ratio = new_size_A / size_A
    level = np.float32(np.random.default_rng(seed).uniform(-3, 3))
    found = regrid(np.full((1, side, side), level), size_A, new_side, new_size_A)[0]
    assert found.shape == (new_side, new_side) and found.dtype == np.float32
    at = (np.arange(new_side) - new_side // 2) * ratio
    inside = (at >= -(side // 2) - 0.5) & (at <= (side - 1) // 2 + 0.5)
    flat = np.where(inside[:, None] & inside[None], level * np.float32(ratio), 0.0)
    assert np.allclose(found, flat, atol=1e-3 * ratio)
    assert inside[new_side // 2], "the centre stays"


@given(SIDES, SIZES_A, st.integers(0, 2**31))
def test_the_same_grid_changes_nothing(side: int, size_A: float, seed: int) -> None:
    images = np.random.default_rng(seed).normal(0, 1, (2, side, side)).astype(np.float32)
    assert np.allclose(regrid(images, size_A, side, size_A), images, atol=2e-5)


@given(st.integers(2, 20), st.floats(1.0, 3.0), st.integers(0, 2**31))
def test_the_centre_keeps_its_value_on_a_finer_grid(half: int, factor: float, seed: int) -> None:
    """What an odd side holds, any finer grid holds; the centre is a point of both."""
    side = 2 * half + 1
    wide = 2 * int(np.ceil(side * factor / 2)) + 3
    images = np.random.default_rng(seed).normal(0, 1, (1, side, side)).astype(np.float32)
    finer = regrid(images, factor, wide, 1.0)
    assert finer[0, wide // 2, wide // 2] * factor == pytest.approx(images[0, half, half], abs=1e-3)
