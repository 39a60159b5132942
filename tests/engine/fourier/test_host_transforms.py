"""Transforms on the CPU: SciPy's values, and the same bits whatever the number of threads."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft

from engine.fourier import host
from engine.kernels import threads

SHAPES = [
    ((3, 64, 64), 2),
    ((7, 2, 150, 181), 2),
    ((300, 301), 2),
    ((1, 300, 302), 2),
    ((64, 66, 63), 3),
    ((2, 70, 64, 64), 3),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("shape", "dimensions"), SHAPES)
def test_values_and_bits(shape: tuple[int, ...], dimensions: int, dtype: type, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_BY_AXES", 1 << 16)  # as volumes are cut that would take long here
    axes, sides = tuple(range(-dimensions, 0)), shape[-dimensions:]
    images = np.random.default_rng(5).standard_normal(shape).astype(dtype)
    kept = images.copy()
    found = {}
    for count in (1, 3):
        monkeypatch.setattr(threads, "kernel_threads", lambda count=count: count)
        spectra = host.rfftn(images, axes)
        before = spectra.copy()
        found[count] = spectra, host.irfftn(spectra, sides, axes)
        assert np.array_equal(spectra, before)
    assert np.array_equal(images, kept)
    expected = scipy.fft.rfftn(kept, axes=axes)
    spectra, back = found[1]
    assert (spectra.dtype, back.dtype) == (expected.dtype, images.dtype)
    tolerance = 100 * np.finfo(dtype).eps
    np.testing.assert_allclose(spectra, expected, atol=tolerance * abs(expected).max())
    np.testing.assert_allclose(back, kept, atol=tolerance * abs(kept).max())
    for one, three in zip(found[1], found[3], strict=True):
        assert one.tobytes() == three.tobytes()


def test_half_spectra_of_other_sides_are_cut() -> None:
    """A spectrum of more rows than asked for is cropped as SciPy crops it."""
    spectra = scipy.fft.rfftn(np.random.default_rng(6).standard_normal((2, 300, 300)), axes=(-2, -1))
    expected = scipy.fft.irfftn(spectra, s=(200, 300), axes=(-2, -1))
    np.testing.assert_array_equal(host.irfftn(spectra, (200, 300), (-2, -1)), expected)
