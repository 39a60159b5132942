"""The coarse grid on which particles are looked for, and the flattening of a micrograph onto it.

A picker that low-passes at 20 Å needs no pixel finer than about 8 Å: everything after one large transform
happens on a grid some forty times smaller than the micrograph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from engine.arrays import Array, array_namespace
from engine.fourier.partial import rfft2_cropped
from engine.fourier.transforms import irfft2
from engine.windows import cosine_edge

SAMPLES_PER_RESOLUTION = 2.5
"""Coarse pixels in one period of the low-pass (20 Å becomes 8 Å/px); 2 would be the bare Nyquist limit."""

OUTLIER_SIGMA = 10.0
"""Grey values further than this from the mean (hot pixels, cosmic rays) are clipped before any filter."""


_STRIP_ROWS = 128
"""Rows of a micrograph that are prepared at a time: few enough for the processor's cache."""


@dataclass(frozen=True)
class PickingGrid:
    """A coarse, FFT-friendly sampling of a micrograph.

    Parameters
    ----------
    shape_px : (height, width) of the micrograph.
    pixel_size_A : its pixel size.
    coarse_shape_px : (height, width) of the coarse grid, both even.

    The sides are rounded separately, so the coarse pixel is anisotropic by a few per mille: positions,
    templates and CTFs use the exact size along each axis.
    """

    shape_px: tuple[int, int]
    pixel_size_A: float
    coarse_shape_px: tuple[int, int]

    @cached_property
    def coarse_pixel_size_A(self) -> tuple[float, float]:
        """Coarse pixel size along (y, x) in Å."""
        (height, width), (rows, columns) = self.shape_px, self.coarse_shape_px
        return height * self.pixel_size_A / rows, width * self.pixel_size_A / columns

    @property
    def mean_pixel_size_A(self) -> float:
        """Mean of the two coarse pixel sizes in Å."""
        return 0.5 * sum(self.coarse_pixel_size_A)

    def to_micrograph_px(self, positions: Array) -> Array:
        """Coarse positions (m, 2) in x, y order to pixels of the micrograph."""
        xp = array_namespace(positions)
        size_y, size_x = self.coarse_pixel_size_A
        return positions * xp.asarray([size_x, size_y], dtype=positions.dtype) / self.pixel_size_A


def picking_grid(shape_px: tuple[int, int], pixel_size_A: float, low_pass_A: float) -> PickingGrid:
    """Choose the coarse grid for a low-pass.

    Parameters
    ----------
    shape_px : (height, width) of the micrograph.
    pixel_size_A : pixel size of the micrograph in Å.
    low_pass_A : resolution that the picker keeps, in Å.

    Raises
    ------
    ValueError
        If a size is not positive or the low-pass is finer than the micrograph's Nyquist limit.
    """
    if min(shape_px) < 2 or pixel_size_A <= 0:
        raise ValueError(f"A micrograph of {shape_px} pixels of {pixel_size_A} Å cannot be searched.")
    if low_pass_A < 2 * pixel_size_A:
        raise ValueError(
            f"The low-pass of {low_pass_A:g} Å is finer than the micrograph's Nyquist limit of "
            f"{2 * pixel_size_A:g} Å; choose a larger value, usually 20 Å."
        )
    target_A = max(low_pass_A / SAMPLES_PER_RESOLUTION, pixel_size_A)
    rows, columns = (_fast_even_length(side * pixel_size_A / target_A, side) for side in shape_px)
    return PickingGrid((int(shape_px[0]), int(shape_px[1])), float(pixel_size_A), (rows, columns))


def _fast_even_length(wanted: float, limit: int) -> int:
    """Even length of small prime factors, at least `wanted`, at most the (even part of the) full side."""
    length = int(next_fast_len(max(2, round(wanted)), real=True))
    while length % 2:
        length = int(next_fast_len(length + 1, real=True))
    return min(length, limit - limit % 2)


def band_pass(
    shape_px: tuple[int, int], pixel_size_A: tuple[float, float], low_pass_A: float, high_pass_A: float | None
) -> NDArray[np.float32]:
    """Soft band-pass in [0, 1] on the half plane of a real transform, its cosine edges centred on the cut-offs.

    It falls as a Gaussian to 1/e at the finest length: views, angles and models differ from the particle most in their
    fine detail, so fine detail speaks less reliably for a particle than its outline does.

    Parameters
    ----------
    shape_px, pixel_size_A : sides and pixel sizes of the image along (y, x).
    low_pass_A, high_pass_A : finest and coarsest length kept, in Å; no high-pass where None.
    """
    ky, kx = frequencies_per_A(shape_px, pixel_size_A)
    k_per_A = np.hypot(ky, kx)
    cut = 1.0 / low_pass_A
    curve = cosine_edge(k_per_A - 0.9 * cut, 0.2 * cut) * np.exp(-np.square(k_per_A * np.float32(low_pass_A)))
    if high_pass_A is not None:
        rise = 1.0 / high_pass_A
        curve = curve * (1.0 - cosine_edge(k_per_A - 0.5 * rise, rise))
    return curve


def frequencies_per_A(
    shape_px: tuple[int, int], pixel_size_A: tuple[float, float]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Broadcastable (ky, kx) in 1/Å of a half-plane transform with pixel sizes along (y, x)."""
    rows, columns = shape_px
    ky = np.fft.fftfreq(rows, d=pixel_size_A[0]).astype(np.float32)
    kx = np.fft.rfftfreq(columns, d=pixel_size_A[1]).astype(np.float32)
    return ky[:, None], kx[None, :]


def flatten_micrograph(
    micrograph: Array, grid: PickingGrid, low_pass_A: float, high_pass_A: float, invert: bool = True
) -> Array:
    """Bring a micrograph onto the coarse grid: clipped, background-flattened, band-passed, protein white.

    Parameters
    ----------
    micrograph : (height, width) grey values, protein dark unless `invert` is false.
    grid : the grid of `picking_grid`.
    low_pass_A, high_pass_A : finest and coarsest length kept, in Å.
    invert : flip the contrast.

    Returns
    -------
    (rows, columns) float32 with mean 0.
    """
    xp = array_namespace(micrograph)
    level = _level(micrograph)
    # before the first transform, so that no step between opposite edges rings into the picture
    strips = (
        level.taken_from(micrograph, first, first + _STRIP_ROWS) for first in range(0, grid.shape_px[0], _STRIP_ROWS)
    )
    spectrum = rfft2_cropped(strips, grid.shape_px, grid.coarse_shape_px)
    keep = band_pass(grid.coarse_shape_px, grid.coarse_pixel_size_A, low_pass_A, high_pass_A)
    keep[0, 0] = 0.0
    # keeps the grey values
    keep *= np.float32(np.prod(grid.coarse_shape_px) / np.prod(grid.shape_px))
    return irfft2(spectrum * xp.asarray(-keep if invert else keep), grid.coarse_shape_px)


@dataclass(frozen=True)
class _Level:
    """What is taken from a micrograph before it is filtered: outliers, and illumination and ice-thickness gradients.

    Parameters
    ----------
    low, high : bounds of the grey values.
    rows, columns : (height, 1) and (1, width) float32, parts of the least-squares quadratic surface.
    twist : coefficient of its mixed term.
    """

    low: float
    high: float
    rows: Array
    columns: Array
    twist: Array

    def taken_from(self, micrograph: Array, first: int, stop: int) -> Array:
        """Some rows of a micrograph, clipped and flattened, float32."""
        xp = array_namespace(micrograph)
        part = xp.clip(xp.astype(micrograph[first:stop, :], xp.float32), self.low, self.high)
        height, width = micrograph.shape
        y, x = _axis(height, xp)[first:stop, None], _axis(width, xp)[None, :]
        return part - self.columns - (self.rows[first:stop, :] + (self.twist * y) * x)


def _level(micrograph: Array) -> _Level:
    """Outliers and background, from every few pixels of every few rows: there are millions."""
    xp = array_namespace(micrograph)
    step = int(max(1, min(8, min(micrograph.shape) // 32)))
    sample = xp.astype(micrograph[::step, ::step], xp.float32)
    low, high = _bounds(sample)
    height, width = micrograph.shape
    y, x = _axis(height, xp)[:, None], _axis(width, xp)[None, :]
    sy, sx = y[::step, :], x[:, ::step]
    one = xp.ones_like(sy * sx)
    terms = xp.stack([one, sx * one, sx * sx * one, sy * one, sy * sy * one, sx * sy]).reshape(6, -1)
    values = xp.clip(sample, low, high).reshape(-1)
    mean = values.mean()
    c = xp.linalg.solve(terms @ terms.T, terms @ (values - mean))
    return _Level(low, high, mean + c[0] + c[3] * y + c[4] * y * y, c[1] * x + c[2] * x * x, c[5])


def _bounds(sample: Array) -> tuple[float, float]:
    """Grey values OUTLIER_SIGMA standard deviations from the mean, both taken without the outliers."""
    xp = array_namespace(sample)
    centre, spread = float(sample.mean(dtype=xp.float64)), float(sample.std(dtype=xp.float64))
    inside = sample[xp.abs(sample - centre) <= OUTLIER_SIGMA * spread]
    if inside.shape[0] == 0:
        return -float("inf"), float("inf")
    centre, spread = float(inside.mean(dtype=xp.float64)), float(inside.std(dtype=xp.float64))
    return centre - OUTLIER_SIGMA * spread, centre + OUTLIER_SIGMA * spread


def _axis(length: int, xp: Any) -> Array:
    """Positions from -1 to 1 along an axis."""
    return xp.linspace(-1.0, 1.0, length, dtype=xp.float32)
