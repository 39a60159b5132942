"""The half cube: a cropped, padded transform of a volume with its frequency origin in the middle.

``data[z + c, y + c, x]`` with ``c = radius`` and ``x >= 0``; voxels are ``1 / padding`` of a frequency step of the
unpadded box. The transforms here skip what is zero: a volume padded in real space is transformed axis by axis, each
axis padded only when its turn comes, and frequencies beyond the radius are dropped at once. They take a few columns of
the cube at a time, so that what they need besides cube and volume stays small.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.kernels.threads import split_range

COLUMNS = 16
"""Columns (x) or planes (z) that are transformed at a time."""


def padded_size(box_px: int, padding: float) -> int:
    """Return the even side of the padded box, at least ``padding`` times ``box_px``."""
    return 2 * round(padding * box_px / 2)


def gridding_correction(box_px: int, padded_px: int) -> NDArray[np.float32]:
    """Return, along one axis, what trilinear interpolation in the padded transform multiplies real space by.

    Linear interpolation convolves with a triangle one voxel wide, whose transform is sinc².
    """
    return (np.sinc((np.arange(box_px) - box_px // 2) / padded_px) ** 2).astype(np.float32)


def divide_by_gridding(volume: Array, padded_px: int) -> Array:
    """Divide a volume by the effect of trilinear interpolation on each of its axes."""
    xp = array_namespace(volume)
    n = volume.shape[-1]
    line = xp.asarray(1 / gridding_correction(n, padded_px))
    return volume * line[:, None, None] * line[None, :, None] * line[None, None, :]


def _frequencies(radius: int, padded_px: int) -> NDArray[np.int64]:
    """Frequencies -radius … radius that exist in the padded transform (its Nyquist is left out)."""
    limit = min(radius, padded_px // 2 - 1)
    return np.arange(-limit, limit + 1)


def _ramp(frequencies: NDArray[np.int64], origin_px: int, padded_px: int, sign: int) -> NDArray[np.complex64]:
    return np.exp(sign * 2j * np.pi * frequencies * origin_px / padded_px).astype(np.complex64)


def to_half_cube(volume: Array, padded_px: int, radius: int) -> Array:
    """Transform a real volume to its half cube (phase origin at the centre of the box).

    Parameters
    ----------
    volume : (n, n, n) float32
    padded_px : int
        Side after zero padding.
    radius : int
        Half side of the half cube in padded voxels.

    Returns
    -------
    (2 radius + 1, 2 radius + 1, radius + 1) complex64
        Zero where the padded transform has no such frequency.
    """
    xp = array_namespace(volume)
    n = volume.shape[0]
    full = _frequencies(radius, padded_px)
    half = full[full >= 0]
    lines = xp.empty((n, n, len(half)), dtype=xp.complex64)
    for start, stop in split_range(n, COLUMNS):
        lines[start:stop, :, :] = xp.fft.rfft(volume[start:stop, :, :], n=padded_px, axis=2)[:, :, : len(half)]
    along_x = xp.asarray(_ramp(half, n // 2, padded_px, 1))
    ramp = xp.asarray(_ramp(full, n // 2, padded_px, 1))
    wanted = xp.asarray(full % padded_px)
    cube = xp.zeros((2 * radius + 1, 2 * radius + 1, radius + 1), dtype=xp.complex64)
    first, last = radius + int(full[0]), radius + int(full[-1]) + 1
    for start, stop in split_range(len(half), COLUMNS):
        spectrum = lines[:, :, start:stop] * along_x[start:stop]
        for axis in (1, 0):
            spectrum = xp.take(xp.fft.fft(spectrum, n=padded_px, axis=axis), wanted, axis=axis)
            spectrum = spectrum * (ramp[:, None] if axis == 1 else ramp[:, None, None])
        cube[first:last, first:last, start:stop] = spectrum
    return cube


def from_half_cube(cube: Array, box_px: int, padded_px: int) -> Array:
    """Transform a half cube back to the real volume in the middle of the padded box (inverse of `to_half_cube`).

    Returns
    -------
    (n, n, n) float32
    """
    return from_columns(
        lambda start, stop: cube[:, :, start:stop], cube.shape[2] - 1, box_px, padded_px, array_namespace(cube)
    )


def from_columns(columns: Callable[[int, int], Array], radius: int, box_px: int, padded_px: int, xp: Any = np) -> Array:
    """Transform a half cube back of which ``columns(start, stop)`` makes ``cube[:, :, start:stop]``.

    Returns
    -------
    (n, n, n) float32
    """
    full = _frequencies(radius, padded_px)
    half = full[full >= 0]
    first, last = radius + int(full[0]), radius + int(full[-1]) + 1
    ramp = xp.asarray(_ramp(full, box_px // 2, padded_px, -1))
    lines = xp.empty((box_px, box_px, len(half)), dtype=xp.complex64)
    for start, stop in split_range(len(half), COLUMNS):
        spectrum = columns(start, stop)[first:last, first:last, :]
        for axis in (0, 1):
            spectrum = spectrum * (ramp[:, None, None] if axis == 0 else ramp[:, None])
            spectrum = _inverse_line(spectrum, axis, len(half), box_px, padded_px)
        lines[:, :, start:stop] = spectrum
    lines = lines * xp.asarray(_ramp(half, box_px // 2, padded_px, -1))
    volume = xp.empty((box_px,) * 3, dtype=xp.float32)
    for start, stop in split_range(box_px, COLUMNS):
        volume[start:stop, :, :] = xp.astype(
            xp.fft.irfft(lines[start:stop, :, :], n=padded_px, axis=2)[:, :, :box_px], xp.float32
        )
    return volume


def _inverse_line(spectrum: Array, axis: int, positive: int, box_px: int, padded_px: int) -> Array:
    """Transform back along one axis whose frequencies are in rising order; keep the first ``box_px`` of the result."""
    xp = array_namespace(spectrum)
    shape = list(spectrum.shape)
    shape[axis] = padded_px
    placed = xp.zeros(tuple(shape), dtype=xp.complex64)
    before, after = (slice(None),) * axis, (slice(None),) * (spectrum.ndim - axis - 1)
    placed[(*before, slice(0, positive), *after)] = spectrum[(*before, slice(positive - 1, None), *after)]
    negative = slice(padded_px - positive + 1, padded_px)
    placed[(*before, negative, *after)] = spectrum[(*before, slice(0, positive - 1), *after)]
    return xp.fft.ifft(placed, axis=axis)[(*before, slice(0, box_px), *after)]


def complete_plane(cube: Array) -> Array:
    """Add to the plane x = 0 its own Friedel mate, which insertion leaves out (a new array)."""
    result = array_namespace(cube).asarray(cube, copy=True)
    result[:, :, 0] = first_plane(cube)
    return result


def first_plane(cube: Array) -> Array:
    """Return the plane x = 0 with its own Friedel mate added, which insertion leaves out."""
    xp = array_namespace(cube)
    plane = cube[:, :, 0]
    mate = plane[::-1, ::-1]
    return plane + (xp.conj(mate) if xp.isdtype(cube.dtype, "complex floating") else mate)


def column_shells(radius: int, padding: float, start: int, stop: int) -> NDArray[np.float32]:
    """Return the distance of voxels in some columns of a half cube from the origin, in steps of the unpadded box."""
    axis = np.arange(-radius, radius + 1, dtype=np.float32) / np.float32(padding)
    half = axis[radius + start : radius + stop]
    return np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half[None, None, :] ** 2)
