"""Micrographs for the eye: how far they may be binned, and a denoised view.

As in :mod:`engine.display`, nothing that is measured may start from one of these pictures.
"""

from __future__ import annotations

import math

from engine.arrays import Array, array_namespace
from engine.display import display_binning

_SPLINE = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)  # cubic B-spline
_SCALES = 6
_NOISY_SCALES = 4  # the coarser ones have little noise, and too few pixels to tell it from particles
_LEAST_SIDE_PX = 64
_MIRRORED_PX = 64
_WINDOW_PX = 15  # of the local variance
_CAUTION = 2.0  # standard deviations of the noise's own local variance that count as noise too
_SAMPLES = 4  # pixels within the finest detail that is shown
_LEAST_PX = 512  # a picture is not made smaller than this for the sake of its low-pass
_EMPTY_SHARE = 0.3  # of a micrograph: its quietest part, which holds ice alone


def picture_binning(shape: tuple[int, ...], pixel_size_A: float, low_pass_A: float, longest_px: int = 2048) -> int:
    """Give the binning at which a low-passed micrograph loses nothing that the eye would see.

    Parameters
    ----------
    shape : tuple
        Height and width in px, the last two entries.
    pixel_size_A : float
        Å per pixel.
    low_pass_A : float
        Resolution limit of the picture in Å; 0 for none.
    longest_px : int
        Largest number of pixels of the longer side of the picture.

    Returns
    -------
    int
        At least :func:`engine.display.display_binning`; more where four pixels still cover the finest detail shown.
    """
    least = display_binning(shape, longest_px)
    by_detail = int(low_pass_A / (_SAMPLES * pixel_size_A) + 0.02)  # 20 Å at 1.232 Å/px shall be 4
    return max(least, min(by_detail, max(shape[-2:]) // _LEAST_PX))


def denoised(image: Array) -> Array:
    """Take noise out of a binned micrograph so that particles stand out.

    The image is split into the differences of successive B-spline smoothings (the à trous wavelets; Starck et al.,
    IEEE Trans Image Process 16, 297, 2007). In each of them, every coefficient is multiplied with its local Wiener
    gain, the share of the variance around it that noise does not explain (Mihçak et al., IEEE Signal Process Lett 6,
    300, 1999). The noise of each scale is that of the quietest part of the micrograph, whatever its colour. Shades
    of the ice that are wider than some 100 px are left out.

    Parameters
    ----------
    image : array, shape (h, w)
        Real grey values, binned to some 5 Å per pixel; at least 64 px on each side.

    Returns
    -------
    array, shape (h, w), float32

    Raises
    ------
    ValueError
        If it is no image, or smaller than 64 px.
    """
    xp = array_namespace(image)
    if image.ndim != 2 or min(image.shape) < _LEAST_SIDE_PX:
        raise ValueError(f"an image of shape {tuple(image.shape)} cannot be denoised; give one of at least 64 x 64 px")
    margin = min(_MIRRORED_PX, *image.shape)
    smooth = _mirrored(xp.astype(image, xp.float32), margin)
    total = xp.zeros_like(smooth)
    for scale in range(_SCALES):
        smoother = _smoothed(smooth, 2**scale)
        detail = smooth - smoother
        total = total + (detail * _wiener_gain(detail, scale) if scale < _NOISY_SCALES else detail)
        smooth = smoother
    return (total + float(xp.mean(smooth)))[margin:-margin, margin:-margin]


def _wiener_gain(detail: Array, scale: int) -> Array:
    """Share of the variance around each coefficient that is not that of the quietest part of the image."""
    xp = array_namespace(detail)
    half = _WINDOW_PX * 2 ** min(scale, 1) // 2
    variance = _box_mean(detail * detail, half)
    independent = max(1.0, ((2 * half + 1) / 2**scale) ** 2)
    noise = _quantile(variance, _EMPTY_SHARE) * (1 + _CAUTION * math.sqrt(2 / independent))
    return xp.clip(variance - noise, 0.0, None) / xp.clip(variance, 1e-30, None)


def _mirrored(image: Array, margin: int) -> Array:
    """Continue an image beyond its edges by its mirror images, so that one edge does not shine through the other."""
    xp = array_namespace(image)
    rows = xp.concat([xp.flip(image[:margin, :], axis=0), image, xp.flip(image[-margin:, :], axis=0)], axis=0)
    return xp.concat([xp.flip(rows[:, :margin], axis=1), rows, xp.flip(rows[:, -margin:], axis=1)], axis=1)


def _smoothed(image: Array, step: int) -> Array:
    """Smooth with the B-spline whose points lie ``step`` px apart; the image wraps around."""
    xp = array_namespace(image)
    for axis in (-2, -1):
        image = sum(weight * xp.roll(image, (i - 2) * step, axis=axis) for i, weight in enumerate(_SPLINE))
    return image


def _box_mean(image: Array, half: int) -> Array:
    """Average over a square of 2 ``half`` + 1 px around each pixel; the image wraps around."""
    xp = array_namespace(image)
    size = 2 * half + 1
    for axis in (-2, -1):
        length = image.shape[axis]
        ends = [slice(None)] * 2
        ends[axis] = slice(length - half - 1, None)
        first = [slice(None)] * 2
        first[axis] = slice(0, half)
        padded = xp.concat([image[tuple(ends)], image, image[tuple(first)]], axis=axis)
        sums = xp.cumulative_sum(xp.astype(padded, xp.float64), axis=axis)
        after, before = [slice(None)] * 2, [slice(None)] * 2
        after[axis], before[axis] = slice(size, None), slice(0, length)
        image = (sums[tuple(after)] - sums[tuple(before)]) / size
    return xp.astype(image, xp.float32)


def _quantile(values: Array, share: float) -> float:
    xp = array_namespace(values)
    flat = xp.sort(xp.reshape(values, (-1,))[:: max(1, values.shape[0] * values.shape[1] // 100_000)])
    return float(flat[int(share * flat.shape[0])])
