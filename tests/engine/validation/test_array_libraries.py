"""Validation gives the same numbers for arrays of another library as for NumPy's."""

from __future__ import annotations

import numpy as np
import pytest

from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.fsc import fsc_curves
from engine.validation.guinier import guinier_b_factor
from engine.validation.hand import flip_hand
from engine.validation.sharpening import sharpen

PIXEL_SIZE_A = 3.5


def test_another_array_library_gives_the_same_numbers() -> None:
    strict = pytest.importorskip("array_api_strict")
    truth = density(channel(), 48, PIXEL_SIZE_A)
    rng = np.random.default_rng(0)
    a, b = (truth + truth.std() * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2))
    other_a, other_b = strict.asarray(a), strict.asarray(b)
    ours = fsc_curves(a, b, PIXEL_SIZE_A, np.random.default_rng(1))
    theirs = fsc_curves(other_a, other_b, PIXEL_SIZE_A, np.random.default_rng(1))
    for name, curve in ours.curves.items():
        assert np.abs(theirs.curves[name] - curve).max() < 1e-5, name
    sharp = sharpen(other_a, PIXEL_SIZE_A, -50.0, ours.curves["corrected"], 8.0)
    assert type(sharp) is type(other_a)
    plain = sharpen(a, PIXEL_SIZE_A, -50.0, ours.curves["corrected"], 8.0)
    assert np.abs(np.asarray(sharp) - plain).max() < 1e-5 * np.abs(plain).max()
    fits = [guinier_b_factor(x, PIXEL_SIZE_A, 8.0, mask=ours.masks["tight"]) for x in (a, other_a)]
    assert np.isclose(fits[0].b_factor_A2, fits[1].b_factor_A2, rtol=1e-5)
    assert np.array_equal(np.asarray(flip_hand(other_a)), flip_hand(a))
