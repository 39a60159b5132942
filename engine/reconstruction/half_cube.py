"""The half cube: a cropped, padded transform of a volume with its frequency origin in the middle.

``data[z + c, y + c, x]`` with ``c = radius`` and ``x >= 0``; voxels are ``1 / padding`` of a frequency step of the
unpadded box. The transforms here skip what is zero: a volume padded in real space is transformed axis by axis, each
axis padded only when its turn comes, and frequencies beyond the radius are dropped at once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace


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
    spectrum = xp.fft.rfft(volume, n=padded_px, axis=2)[:, :, : len(half)]
    spectrum = spectrum * xp.asarray(_ramp(half, n // 2, padded_px, 1))
    for axis in (1, 0):
        spectrum = xp.fft.fft(spectrum, n=padded_px, axis=axis)
        spectrum = xp.take(spectrum, xp.asarray(full % padded_px), axis=axis)
        ramp = xp.asarray(_ramp(full, n // 2, padded_px, 1))
        spectrum = spectrum * (ramp[:, None] if axis == 1 else ramp[:, None, None])
    cube = xp.zeros((2 * radius + 1, 2 * radius + 1, radius + 1), dtype=xp.complex64)
    first, last = radius + int(full[0]), radius + int(full[-1]) + 1
    cube[first:last, first:last, : len(half)] = spectrum
    return cube


def from_half_cube(cube: Array, box_px: int, padded_px: int) -> Array:
    """Transform a half cube back to the real volume in the middle of the padded box (inverse of `to_half_cube`).

    Returns
    -------
    (n, n, n) float32
    """
    xp = array_namespace(cube)
    radius = cube.shape[2] - 1
    full = _frequencies(radius, padded_px)
    half = full[full >= 0]
    first, last = radius + int(full[0]), radius + int(full[-1]) + 1
    spectrum = cube[first:last, first:last, : len(half)]
    for axis in (0, 1):
        ramp = xp.asarray(_ramp(full, box_px // 2, padded_px, -1))
        spectrum = spectrum * (ramp[:, None, None] if axis == 0 else ramp[:, None])
        shape = list(spectrum.shape)
        shape[axis] = padded_px
        placed = xp.zeros(tuple(shape), dtype=xp.complex64)
        index = [slice(None)] * 3
        for part in (slice(0, len(half)), slice(padded_px - len(half) + 1, padded_px)):
            index[axis] = part
            source = [slice(None)] * 3
            source[axis] = slice(len(half) - 1, None) if part.start == 0 else slice(0, len(half) - 1)
            placed[tuple(index)] = spectrum[tuple(source)]
        keep = [slice(None)] * 3
        keep[axis] = slice(0, box_px)
        spectrum = xp.fft.ifft(placed, axis=axis)[tuple(keep)]
    spectrum = spectrum * xp.asarray(_ramp(half, box_px // 2, padded_px, -1))
    return xp.astype(xp.fft.irfft(spectrum, n=padded_px, axis=2)[:, :, :box_px], xp.float32)


def complete_plane(cube: Array) -> Array:
    """Add to the plane x = 0 its own Friedel mate, which insertion leaves out (a new array)."""
    xp = array_namespace(cube)
    plane = cube[:, :, 0]
    result = xp.asarray(cube, copy=True)
    mate = plane[::-1, ::-1]
    result[:, :, 0] = plane + (xp.conj(mate) if xp.isdtype(cube.dtype, "complex floating") else mate)
    return result


def cube_shells(radius: int, padding: float) -> NDArray[np.float32]:
    """Return the distance of each voxel of a half cube from the origin, in frequency steps of the unpadded box."""
    axis = np.arange(-radius, radius + 1, dtype=np.float32) / np.float32(padding)
    half = axis[radius:]
    return np.sqrt(axis[:, None, None] ** 2 + axis[None, :, None] ** 2 + half[None, None, :] ** 2)
