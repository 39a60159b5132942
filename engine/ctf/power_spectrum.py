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
# rows and columns that scatter less than this share of the usual are dead
_DEAD = 0.2
_CLIPPING_ROUNDS = 4


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
        (T, 2) float64 centres x, y of what is seen of each tile, in [-1, 1] over the micrograph.
    share : Array
        (T,) independent Fourier coefficients per coefficient of each tile (< 1 because tiles overlap and hang over the
        edges); their sum is the micrograph's area in tiles.
    mean_power : Array
        (n, n//2+1) float32 mean power over all tiles.
    extent_A : Array
        (2,) width and height of the micrograph in Å.
    """

    bins: PolarBins
    polar: Array
    centres: Array
    share: Array
    mean_power: Array
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
    """First pixels of tiles that overlap by half or a little more.

    The outermost hang over the edges by half, so that the squares of their windows add up to the same everywhere and
    the rim of a micrograph, a quarter of a small one, counts like its middle.
    """
    count = int(np.ceil(length / (0.5 * tile))) + 1
    return np.rint(np.linspace(-0.5 * tile, length - 0.5 * tile, count)).astype(np.int64)


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
    (share_y, centre_y), (share_x, centre_x) = _coverage(rows, side, height), _coverage(columns, side, width)
    share = np.outer(share_y, share_x).ravel() * (float(height * width) / (side * side * share_y.sum() * share_x.sum()))
    centres = np.stack(np.meshgrid(centre_x, centre_y), -1).reshape(-1, 2) / [width / 2, height / 2] - 1.0
    window = xp.asarray(_sine_window(side))
    polar, total = [], xp.zeros((side, side // 2 + 1), dtype=xp.float32)
    for start in range(0, len(origins), _TILES_AT_A_TIME):
        chunk = origins[start : start + _TILES_AT_A_TIME]
        transform = rfft2(xp.stack([_tile(image, y, x, window) for y, x in chunk]))
        power = xp.real(transform) ** 2
        power += xp.imag(transform) ** 2
        means = to_numpy(bins.average(power))
        polar.append(means)
        # A tile on a support edge or a contaminant would outshine all the others.
        weight = share[start : start + len(chunk)] / np.maximum(means.mean(axis=(1, 2)), np.finfo(np.float32).tiny)
        total += xp.tensordot(xp.asarray(weight.astype(np.float32)), power, axes=1)
    extent = np.array([width, height]) * pixel_size_A
    mean_power = to_numpy(total / float(share.sum()))
    return TileSpectra(bins, np.concatenate(polar), centres, share, mean_power, extent)


def _tile(image: Array, y: int, x: int, window: Array) -> Array:
    """One windowed tile without its mean; zeros where it hangs over the edge of the micrograph."""
    xp = array_namespace(image)
    side = window.shape[0]
    top, left = max(-y, 0), max(-x, 0)
    part = image[y + top : min(y + side, image.shape[0]), x + left : min(x + side, image.shape[1])]
    bottom, right = top + part.shape[0], left + part.shape[1]
    part = (part - xp.mean(part)) * window[top:bottom, left:right]
    if part.shape == window.shape:
        return part
    tile = xp.zeros(window.shape, dtype=part.dtype)
    tile[top:bottom, left:right] = part
    return tile


def _coverage(origins: Array, side: int, length: int) -> tuple[Array, Array]:
    """Share of each tile's squared window inside the micrograph, and the centre of mass of that part in px."""
    squared = np.sin(np.pi * (np.arange(side) + 0.5) / side) ** 2
    position = origins[:, None] + np.arange(side) + 0.5
    inside = squared * ((position > 0) & (position < length))
    return inside.sum(1) / squared.sum(), (inside * position).sum(1) / inside.sum(1)


def _checked(micrograph: Array) -> Array:
    """Give the micrograph as float32 without hot pixels and dead lines, or say what is wrong with it."""
    xp = array_namespace(micrograph)
    image = xp.astype(micrograph, xp.float32)
    mean, deviation = float(xp.mean(image)), float(xp.std(image))
    if not (np.isfinite(mean) and np.isfinite(deviation)):
        raise ValueError("The micrograph holds values that are not numbers: leave it out or repeat the motion step.")
    if deviation <= 1e-6 * abs(mean) or deviation == 0.0:
        raise ValueError("The micrograph is constant: leave it out, it holds no image.")
    for _ in range(_CLIPPING_ROUNDS):  # hot pixels widen the scatter that they are judged by
        image = xp.clip(image, mean - _OUTLIER_SIGMA * deviation, mean + _OUTLIER_SIGMA * deviation)
        mean, before, deviation = float(xp.mean(image)), deviation, float(xp.std(image))
        if deviation > 0.9 * before:
            break
    return _without_dead_lines(image, mean)


def _without_dead_lines(image: Array, mean: float) -> Array:
    """Put the mean where the detector read nothing: the edges of a dead line fill a line of every spectrum."""
    xp = array_namespace(image)
    for axis in (0, 1):
        scatter = to_numpy(xp.std(image, axis=1 - axis))
        dead = scatter < _DEAD * np.median(scatter)
        if dead.any():
            image = xp.where(xp.asarray(np.expand_dims(dead, 1 - axis)), xp.float32(mean), image)
    return image


def _sine_window(side: int) -> Array:
    """Separable sine window with unit mean square, so that white noise keeps its power.

    With tiles overlapping by half its squares add up to a constant, so every part of the micrograph counts
    the same.
    """
    line = np.sin(np.pi * (np.arange(side) + 0.5) / side)
    line = line / np.sqrt(np.mean(line**2))
    return (line[:, None] * line[None, :]).astype(np.float32)
