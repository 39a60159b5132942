"""Local resolution: how far two half maps agree around each voxel.

The local FSC of Cardone, Heymann & Steven, J Struct Biol 184, 226-236 (2013), computed band by band instead of window
by window: both half maps are filtered to a narrow band of frequencies, and their correlation under a Gaussian window is
a few smoothed products. One pass over all bands gives every voxel its curve; its resolution is where that falls below
the threshold.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.arrays import Array, to_numpy
from engine.fourier.grids import radial_frequency_px
from engine.fourier.transforms import irfft3, rfft3
from engine.validation.comparison import check_cubes
from engine.windows import cosine_edge

COARSEST_A = 30.0
"""Voxels that agree nowhere are given this resolution."""

LEAST_WINDOW_PX = 4
"""Narrower neighbourhoods hold too few coefficients to be compared; the widest is half the box."""

_MOST_BANDS = 60
_BAND_WIDTH = 0.5  # in units of one over the window's width


def local_resolution(
    half_a: Array,
    half_b: Array,
    pixel_size_A: float,
    window_A: float = 25.0,
    threshold: float = 0.5,
    coarsest_A: float = COARSEST_A,
) -> NDArray[np.float32]:
    """Return the local resolution of two half maps.

    Parameters
    ----------
    half_a, half_b : (n, n, n) arrays
        Without a mask.
    pixel_size_A : float
    window_A : float
        Width of the window at half its height: detail of the result, and the number of voxels behind each value.
    threshold : float
        FSC at which the resolution is read.
    coarsest_A : float
        Where the halves agree nowhere.

    Returns
    -------
    (n, n, n) float32 array
        Å, from the Nyquist limit to `coarsest_A`.

    Raises
    ------
    ValueError
        If the shapes differ or the window does not fit.
    """
    check_cubes(half_a, half_b)
    n = int(half_a.shape[0])
    box_A = n * pixel_size_A
    if not LEAST_WINDOW_PX * pixel_size_A <= window_A <= box_A / 2:
        raise ValueError(
            f"the window is {window_A:g} Å; expected {LEAST_WINDOW_PX * pixel_size_A:.3g} to {box_A / 2:.3g} Å for "
            "this box and pixel"
        )
    frequencies = _band_frequencies(pixel_size_A, window_A, coarsest_A)
    curves = list(_local_curves(half_a, half_b, pixel_size_A, window_A, frequencies))
    coarse = _first_crossing(np.stack(curves), frequencies, threshold, coarsest_A)
    step = n // coarse.shape[0]
    places = (np.arange(n) - 0.5 * (step - 1)) / step
    grid = np.meshgrid(places, places, places, indexing="ij", sparse=False)
    fine = ndimage.map_coordinates(coarse, grid, order=1, mode="nearest", output=np.float32)
    return np.clip(1.0 / fine, 2 * pixel_size_A, coarsest_A).astype(np.float32)


def _band_frequencies(pixel_size_A: float, window_A: float, coarsest_A: float) -> NDArray[np.float64]:
    """Centres of the bands in 1/Å: as far apart as a window of that width can tell."""
    first, last = 1.0 / coarsest_A, 0.5 / pixel_size_A
    count = int(np.clip(np.ceil((last - first) * window_A / _BAND_WIDTH), 8, _MOST_BANDS))
    return np.linspace(first, last, count)


def _local_curves(
    half_a: Array, half_b: Array, pixel_size_A: float, window_A: float, frequencies: NDArray[np.float64]
) -> Iterator[NDArray[np.float32]]:
    """Local correlation of each band on a grid of blocks."""
    shape = tuple(int(s) for s in half_a.shape)
    spectra = [np.asarray(to_numpy(rfft3(half))) for half in (half_a, half_b)]
    radius = radial_frequency_px(shape) / np.float32(pixel_size_A)
    width = float(frequencies[1] - frequencies[0])
    step = _block(shape[0], window_A / pixel_size_A)
    sigma = window_A / 2.355 / pixel_size_A / step
    for frequency in frequencies:
        # no tails: next to a strong band a weak one would show the strong one's agreement
        gain = cosine_edge(np.abs(radius - np.float32(frequency)), width)
        a, b = (np.asarray(irfft3(spectrum * gain, shape), np.float32) for spectrum in spectra)  # type: ignore[arg-type]
        means = [ndimage.gaussian_filter(_blocks(x, step), sigma, mode="nearest") for x in (a * b, a * a, b * b)]
        yield means[0] / np.sqrt(np.maximum(means[1] * means[2], np.finfo(np.float32).tiny))


def _block(box_px: int, window_px: float) -> int:
    """Side of the blocks: at most a quarter of the window, and a divisor of the box."""
    return max(step for step in range(1, max(int(window_px / 4), 1) + 1) if box_px % step == 0)


def _blocks(volume: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means over blocks of voxels."""
    n = volume.shape[0] // step
    return np.asarray(volume.reshape(n, step, n, step, n, step).mean(axis=(1, 3, 5)), np.float32)


def _first_crossing(
    curves: NDArray[np.float32], frequencies: NDArray[np.float64], threshold: float, coarsest_A: float
) -> NDArray[np.float32]:
    """Frequency in 1/Å where each curve first falls below the threshold, linear between bands."""
    below = curves < threshold
    first = np.where(below.any(axis=0), below.argmax(axis=0), len(frequencies))
    before = np.clip(first - 1, 0, len(frequencies) - 1)
    after = np.clip(first, 0, len(frequencies) - 1)
    high, low = (np.take_along_axis(curves, index[None], axis=0)[0] for index in (before, after))
    part = np.clip((high - threshold) / np.maximum(high - low, 1e-6), 0.0, 1.0)
    found = frequencies[before] + part * (frequencies[after] - frequencies[before])
    return np.where(first == 0, 1.0 / coarsest_A, found).astype(np.float32)
