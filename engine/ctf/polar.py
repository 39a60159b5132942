"""Rings and sectors of a half spectrum: the few numbers per tile that the CTF fit looks at.

A tile spectrum has 10⁴–10⁵ Fourier pixels in the fit range, but the CTF changes slowly along a ring. Averages
over bins of one ring × one narrow sector keep all the information with a tenth of the numbers. The position
of a bin is not its centre but the mean over its pixels of exactly those quantities that enter the CTF's phase
linearly (k², k²cos2θ, k²sin2θ, k⁴), so binning causes no bias to first order.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from engine.arrays import Array, array_namespace

# The lines kx = 0 and ky = 0 carry gain errors, dead lines of the detector and the micrograph's edges, as wide as
# the tiles' window smears them: they are not used.
_AXIS_HALF_WIDTH_PX = 2.5


@dataclass(frozen=True)
class PolarBins:
    """Bins of ring × sector over the half spectrum (n, n//2+1) of a tile.

    Attributes
    ----------
    tile_px : int
        Side n of the tile in pixels.
    pixel_size_A : float
        Pixel size in Å.
    pixels : Array
        (P,) int64, flat indices of the half spectrum's pixels inside the fit range, sorted by bin.
    starts : Array
        (R·S+1,) int64, where each bin begins in `pixels`; bins are ordered ring by ring.
    counts : Array
        (R, S) float64, pixels of each bin.
    frequency_per_A : Array
        (R,) mean frequency of each ring, 1/Å.
    k2, k2_cos, k2_sin, k4 : Array
        (R, S) means of k², k²cos2θ, k²sin2θ (1/Å²) and k⁴ (1/Å⁴) over each bin's pixels, θ from x towards y.
    """

    tile_px: int
    pixel_size_A: float
    pixels: Array
    starts: Array
    counts: Array
    frequency_per_A: Array
    k2: Array
    k2_cos: Array
    k2_sin: Array
    k4: Array

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rings and of sectors."""
        return self.counts.shape

    def average(self, power: Array) -> Array:
        """Mean of spectra over each bin.

        Parameters
        ----------
        power : Array
            (..., n, n//2+1) spectra, in the array library of choice.

        Returns
        -------
        Array
            (..., R, S) float32 means, 0 in empty bins; same library as `power`.
        """
        xp = array_namespace(power)
        flat = xp.reshape(power, (*power.shape[:-2], -1))
        chosen = xp.take(flat, xp.asarray(self.pixels), axis=-1)
        # A running sum in double precision and its differences at the bins' borders: the same on every array
        # library.
        running = xp.cumulative_sum(xp.astype(chosen, xp.float64), axis=-1, include_initial=True)
        edges = xp.take(running, xp.asarray(self.starts), axis=-1)
        sums = edges[..., 1:] - edges[..., :-1]
        means = sums / xp.asarray(np.maximum(self.counts.ravel(), 1.0))
        return xp.astype(xp.reshape(means, (*power.shape[:-2], *self.shape)), xp.float32)


@lru_cache(maxsize=8)
def polar_bins(
    tile_px: int,
    pixel_size_A: float,
    low_resolution_A: float,
    high_resolution_A: float,
    sectors: int = 18,
) -> PolarBins:
    """Lay rings of one Fourier pixel and equal sectors of the half plane over the fit range.

    Parameters
    ----------
    tile_px : int
        Side of the tiles in pixels.
    pixel_size_A : float
        Pixel size in Å.
    low_resolution_A, high_resolution_A : float
        The fit range, in Å (for instance 25 and 4). The high end is clipped to just below Nyquist.
    sectors : int
        Sectors over 180°.

    Returns
    -------
    PolarBins
        NumPy arrays, whatever the library of the spectra.

    Raises
    ------
    ValueError
        If the fit range holds fewer than 12 rings.
    """
    k_min, k_max = fit_range_per_A(tile_px, pixel_size_A, low_resolution_A, high_resolution_A)
    step = 1.0 / (tile_px * pixel_size_A)
    first, last = int(np.ceil(k_min / step)), int(np.floor(k_max / step))
    rings = last - first + 1
    if rings < 12:
        raise ValueError(
            f"The fit range {low_resolution_A:g}–{high_resolution_A:g} Å holds {max(rings, 0)} rings of a "
            f"{tile_px} px spectrum at {pixel_size_A:g} Å/px; expected at least 12: widen it or use larger tiles."
        )
    ky = np.fft.fftfreq(tile_px, pixel_size_A)[:, None]
    kx = np.fft.rfftfreq(tile_px, pixel_size_A)[None, :]
    k2 = kx**2 + ky**2
    ring = np.rint(np.sqrt(k2) / step).astype(np.int64) - first
    angle = np.arctan2(ky, kx)
    sector = np.clip(((angle / np.pi + 0.5) * sectors).astype(np.int64), 0, sectors - 1)
    axis = (kx < _AXIS_HALF_WIDTH_PX * step) | (np.abs(ky) < _AXIS_HALF_WIDTH_PX * step)
    used = np.flatnonzero((ring >= 0) & (ring < rings) & ~axis)
    label = (ring * sectors + sector).ravel()[used]
    order = np.argsort(label, kind="stable")
    pixels, label = used[order], label[order]
    counts = np.bincount(label, minlength=rings * sectors).astype(np.float64)

    def mean(values: Array) -> Array:
        sums = np.bincount(label, np.broadcast_to(values, k2.shape).ravel()[pixels], rings * sectors)
        return (sums / np.maximum(counts, 1.0)).reshape(rings, sectors)

    counts_2d = counts.reshape(rings, sectors)
    means = [mean(v) for v in (k2, k2 * np.cos(2 * angle), k2 * np.sin(2 * angle), k2**2)]
    frequency = np.sqrt((means[0] * counts_2d).sum(1) / np.maximum(counts_2d.sum(1), 1.0))
    starts = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return PolarBins(tile_px, pixel_size_A, pixels, starts, counts_2d, frequency, *means)


def fit_range_per_A(
    tile_px: int, pixel_size_A: float, low_resolution_A: float, high_resolution_A: float
) -> tuple[float, float]:
    """Lowest and highest frequency of the fit in 1/Å, clipped to what a tile can hold.

    The low end leaves out the three innermost rings, where the window spreads the micrograph's mean; the high
    end stays 2 % below Nyquist.

    Raises
    ------
    ValueError
        If the two resolutions are not positive and in falling order.
    """
    if not 0 < high_resolution_A < low_resolution_A:
        raise ValueError(
            f"The fit range is {low_resolution_A:g}–{high_resolution_A:g} Å; expected a larger and then a smaller "
            "positive number of Å: exchange the two ends."
        )
    k_min = max(1.0 / low_resolution_A, 3.0 / (tile_px * pixel_size_A))
    return k_min, min(1.0 / high_resolution_A, 0.49 / pixel_size_A)
