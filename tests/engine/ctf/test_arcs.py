"""Rings below the noise of a pixel are seen after smoothing along arcs."""

from __future__ import annotations

import numpy as np
import pytest

from engine.ctf.arcs import smooth_along_arcs


def test_rings_stand_out_of_the_noise_and_the_rest_is_untouched() -> None:
    rng = np.random.default_rng(7)
    half = 128
    y, x = np.mgrid[-half:half, -half:half]
    radius = np.hypot(x * 1.03, y * 0.97)  # astigmatic
    rings = np.cos(radius**2 / 250.0)
    picture = np.clip(128 + 20 * rings + rng.normal(0, 60, rings.shape), 0, 255).astype(np.uint8)
    shown = smooth_along_arcs(picture)
    inside = np.zeros_like(picture, bool)
    inside[:half, half:] = (radius[:half, half:] > 10) & (radius[:half, half:] < 90)
    before, after = (np.corrcoef(image[inside], rings[inside])[0, 1] for image in (picture.astype(float), shown))
    print(f"correlation with the rings: {before:.2f} before, {after:.2f} after")
    assert before < 0.3 and after > 0.75
    outside = np.ones_like(picture, bool)
    outside[:half, half:] = False
    assert np.array_equal(shown[outside], picture[outside])


def test_a_picture_that_is_not_square_is_refused() -> None:
    with pytest.raises(ValueError, match="square"):
        smooth_along_arcs(np.zeros((4, 6), np.uint8))
