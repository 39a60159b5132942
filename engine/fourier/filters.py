"""Filters on images and volumes: radial curves, low-pass, high-pass, shifts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.grids import radial_frequency_px, rfft_frequencies_px, shell_index
from engine.fourier.transforms import irfft2, irfft3, rfft2, rfft3
from engine.windows import cosine_edge


def _apply(x: Array, gain: NDArray[np.float32], ndim: int) -> Array:
    xp = array_namespace(x)
    shape = tuple(x.shape[-ndim:])
    forward, inverse = (rfft2, irfft2) if ndim == 2 else (rfft3, irfft3)
    return xp.astype(inverse(forward(x) * xp.asarray(gain), shape), x.dtype)


def low_pass_gain(
    shape: tuple[int, ...], pixel_size_A: float, resolution_A: float, edge_shells: float = 2.0
) -> NDArray[np.float32]:
    """Return the gain of a low-pass filter on the half spectrum of an image or volume of ``shape``.

    Gain 0.5 is at ``resolution_A``; the cosine edge is ``edge_shells`` Fourier pixels wide.

    Parameters
    ----------
    shape : tuple of int
        Of the image or volume, in px.
    pixel_size_A, resolution_A : float
        Å per px, and Å.
    edge_shells : float

    Returns
    -------
    array, float32
        Gain at each coefficient of the half spectrum, 0 to 1.

    Raises
    ------
    ValueError
        If the resolution is not positive.
    """
    if resolution_A <= 0:
        raise ValueError(f"Low-pass resolution is {resolution_A} Å; expected a positive length.")
    edge = edge_shells / max(shape)
    cutoff = pixel_size_A / resolution_A
    return cosine_edge(radial_frequency_px(shape) - (cutoff - edge / 2), edge)


def low_pass(x: Array, pixel_size_A: float, resolution_A: float, edge_shells: float = 2.0, ndim: int = 2) -> Array:
    """Remove detail finer than ``resolution_A`` Å from images (``ndim=2``) or volumes (``ndim=3``).

    Parameters
    ----------
    x : (..., n, n) or (..., n, n, n) array
        Real images or volumes.
    pixel_size_A, resolution_A : float
        Å per px, and Å.
    edge_shells : float
        Width of the cosine edge in Fourier pixels.

    Returns
    -------
    array, same shape and library

    Raises
    ------
    ValueError
        If the resolution is not positive.
    """
    return _apply(x, low_pass_gain(tuple(x.shape[-ndim:]), pixel_size_A, resolution_A, edge_shells), ndim)


def high_pass(x: Array, pixel_size_A: float, resolution_A: float, edge_shells: float = 2.0, ndim: int = 2) -> Array:
    """Remove variation coarser than ``resolution_A`` Å from images (``ndim=2``) or volumes (``ndim=3``).

    Parameters
    ----------
    x : (..., n, n) or (..., n, n, n) array
        Real images or volumes.
    pixel_size_A, resolution_A : float
        Å per px, and Å.
    edge_shells : float
        Width of the cosine edge in Fourier pixels.

    Returns
    -------
    array, same shape and library

    Raises
    ------
    ValueError
        If the resolution is not positive.
    """
    gain = 1.0 - low_pass_gain(tuple(x.shape[-ndim:]), pixel_size_A, resolution_A, edge_shells)
    return _apply(x, gain, ndim)


def multiply_radial(x: Array, curve: NDArray[np.floating], ndim: int = 3) -> Array:
    """Multiply the spectrum by a curve of shells; beyond its last entry the gain is 0.

    Parameters
    ----------
    x : array
        Image(s) or volume(s).
    curve : array, shape (shells,)
        Gain of shell 0, 1, 2 …
    ndim : int
        2 for images, 3 for volumes.
    """
    shape = tuple(x.shape[-ndim:])
    shells = shell_index(shape)
    padded = np.zeros(int(shells.max()) + 1, np.float32)
    keep = min(len(padded), len(curve))
    padded[:keep] = curve[:keep]
    return _apply(x, padded[shells], ndim)


def shift_images(images: Array, shifts_px: Array) -> Array:
    """Move images by sub-pixel shifts with a phase ramp (the image wraps around).

    Parameters
    ----------
    images : array, shape (m, h, w)
        Real images.
    shifts_px : array, shape (m, 2)
        x and y of the movement in px; positive moves towards larger indices.
    """
    xp = array_namespace(images)
    shape = (images.shape[-2], images.shape[-1])
    ky, kx = (xp.asarray(k) for k in rfft_frequencies_px(shape))
    shifts = xp.asarray(shifts_px, dtype=xp.float32)
    phase = shifts[:, 0, None, None] * kx[None, ...] + shifts[:, 1, None, None] * ky[None, ...]
    ramp = xp.exp(-2j * np.pi * phase)
    return xp.astype(irfft2(xp.astype(rfft2(images) * ramp, xp.complex64), shape), images.dtype)
