"""Power spectra of overlapping windowed tiles of a micrograph (Welch's method).

Welch, IEEE Trans Audio Electroacoust 15, 70 (1967). The mean over all tiles serves the global fit, the
spectra at the single tile positions serve the fit of local defocus. The tiles are measured in Å, not pixels,
because the side of a tile decides how fast an oscillation of the CTF it can resolve; only the rings inside
the fit range are looked at afterwards, so the sampling of the micrograph does not matter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.fft import next_fast_len

from engine.arrays import Array, array_namespace, to_numpy
from engine.ctf.polar import PolarBins, polar_bins
from engine.ctf.result import CtfSettings
from engine.fourier.transforms import rfft2

_TILES_AT_A_TIME = 16
_SMALLEST_TILE_PX = 64
_OUTLIER_SIGMA = 8.0


@dataclass(frozen=True)
class TileSpectra:
    """Power spectra of the tiles of one micrograph, on the host.

    Attributes
    ----------
    bins : PolarBins
        Rings and sectors of the fit range.
    polar : Array
        (T, R, S) float32 mean power of each tile in each bin.
    centres : Array
        (T, 2) float64 tile centres x, y in [-1, 1] over the micrograph.
    mean_power : Array
        (n, n//2+1) float32 mean power over all tiles.
    independent : float
        Independent Fourier coefficients per coefficient of a tile (< 1 because tiles overlap).
    extent_A : Array
        (2,) width and height of the micrograph in Å.
    """

    bins: PolarBins
    polar: Array
    centres: Array
    mean_power: Array
    independent: float
    extent_A: Array


def tile_side_px(shape: tuple[int, int], pixel_size_A: float, tile_A: float) -> int:
    """Side of the tiles: about `tile_A`, even, quick to transform, at most half the micrograph's short side.

    Parameters
    ----------
    shape : (int, int)
        Height and width of the micrograph in pixels.
    pixel_size_A : float
        Pixel size in Å.
    tile_A : float
        Wanted side in Å.

    Raises
    ------
    ValueError
        If the micrograph is too small for two tiles of 64 px.
    """
    largest = min(shape) // 2
    if largest < _SMALLEST_TILE_PX:
        raise ValueError(
            f"The micrograph is {shape[1]} × {shape[0]} px; expected at least {2 * _SMALLEST_TILE_PX} px a side for "
            "a CTF fit: give whole micrographs, not particles."
        )
    wanted = max(_SMALLEST_TILE_PX, min(round(tile_A / pixel_size_A), largest))
    half = next_fast_len(wanted // 2, real=True)
    return 2 * half if 2 * half <= largest else _fast_below(largest)


def _fast_below(largest: int) -> int:
    """Largest even length without big prime factors that is not above `largest`."""
    half = largest // 2
    while next_fast_len(half, real=True) != half:
        half -= 1
    return 2 * half


def tile_origins(length: int, tile: int) -> Array:
    """Spread tiles evenly over a length, overlapping by half or a little more; returns their first pixels."""
    count = int(np.ceil((length - tile) / (0.5 * tile))) + 1
    return np.rint(np.linspace(0, length - tile, count)).astype(np.int64)


def tile_spectra(micrograph: Array, pixel_size_A: float, settings: CtfSettings) -> TileSpectra:
    """Compute the power spectra of a micrograph's tiles in the fit range.

    Parameters
    ----------
    micrograph : Array
        (h, w) grey values, in the array library of choice.
    pixel_size_A : float
        Pixel size in Å.
    settings : CtfSettings
        Fit range and size of the tiles.

    Returns
    -------
    TileSpectra
        On the host: a few hundred kilobytes, whatever the size of the micrograph. The transforms run where
        the micrograph is, 16 tiles at a time.

    Raises
    ------
    ValueError
        If the micrograph is constant, holds values that are not numbers, or is too small.
    """
    xp = array_namespace(micrograph)
    if micrograph.ndim != 2:
        raise ValueError(f"The micrograph has {micrograph.ndim} dimensions, expected one image of two.")
    height, width = micrograph.shape
    side = tile_side_px((height, width), pixel_size_A, settings.tile_A)
    image = _checked(micrograph)
    bins = polar_bins(side, pixel_size_A, settings.low_resolution_A, settings.high_resolution_A)
    rows, columns = tile_origins(height, side), tile_origins(width, side)
    origins = [(int(y), int(x)) for y in rows for x in columns]
    window = xp.asarray(_sine_window(side))
    polar, total = [], xp.zeros((side, side // 2 + 1), dtype=xp.float32)
    for start in range(0, len(origins), _TILES_AT_A_TIME):
        chunk = origins[start : start + _TILES_AT_A_TIME]
        tiles = xp.stack([image[y : y + side, x : x + side] for y, x in chunk])
        tiles = (tiles - xp.mean(tiles, axis=(-2, -1), keepdims=True)) * window
        transform = rfft2(tiles)
        power = xp.real(transform) ** 2 + xp.imag(transform) ** 2
        means = to_numpy(bins.average(power))
        polar.append(means)
        # A tile on a support edge or a contaminant would outshine all the others.
        weight = xp.asarray(1.0 / np.maximum(means.mean(axis=(1, 2)), np.finfo(np.float32).tiny))
        total = total + xp.sum(power * xp.astype(weight, xp.float32)[:, None, None], axis=0)
    centres = np.array([[x + side / 2, y + side / 2] for y, x in origins]) / [width / 2, height / 2] - 1.0
    share = float(height * width) / (len(origins) * side * side)
    extent = np.array([width, height]) * pixel_size_A
    mean_power = to_numpy(total / len(origins))
    return TileSpectra(bins, np.concatenate(polar), centres, mean_power, min(1.0, share), extent)


def _checked(micrograph: Array) -> Array:
    """Give the micrograph as float32 without its hot pixels, or say what is wrong with it."""
    xp = array_namespace(micrograph)
    image = xp.astype(micrograph, xp.float32)
    mean, deviation = float(xp.mean(image)), float(xp.std(image))
    if not (np.isfinite(mean) and np.isfinite(deviation)):
        raise ValueError("The micrograph holds values that are not numbers: leave it out or repeat the motion step.")
    if deviation <= 1e-6 * abs(mean) or deviation == 0.0:
        raise ValueError("The micrograph is constant: leave it out, it holds no image.")
    return xp.clip(image, mean - _OUTLIER_SIGMA * deviation, mean + _OUTLIER_SIGMA * deviation)


def _sine_window(side: int) -> Array:
    """Separable sine window with unit mean square, so that white noise keeps its power.

    With tiles overlapping by half its squares add up to a constant, so every part of the micrograph counts
    the same.
    """
    line = np.sin(np.pi * (np.arange(side) + 0.5) / side)
    line = line / np.sqrt(np.mean(line**2))
    return (line[:, None] * line[None, :]).astype(np.float32)
