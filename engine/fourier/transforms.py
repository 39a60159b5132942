"""Real Fourier transforms of images and volumes that keep single precision on every device.

`*_centred` transforms have their phase origin at the image centre ``n // 2``. Forward transforms are
unnormalised, inverse ones divide by the number of pixels.
"""

from __future__ import annotations

import os
from typing import Any

from engine.arrays import Array, array_namespace, is_gpu, is_numpy

_WORKERS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def _backend(x: Array) -> tuple[Any, dict[str, Any]]:
    """Return the FFT module for the array and its keyword arguments."""
    if is_numpy(x):
        import scipy.fft

        # threads pay only for work that outlasts their start
        return scipy.fft, {"workers": _WORKERS if x.size > 1 << 16 else 1}
    if is_gpu(x):
        import cupy.fft

        return cupy.fft, {}
    return array_namespace(x).fft, {}


def rfft2(images: Array) -> Array:
    """Transform real images ``(..., h, w)`` to half spectra ``(..., h, w // 2 + 1)``."""
    fft, options = _backend(images)
    return fft.rfftn(images, axes=(-2, -1), **options)


def irfft2(spectra: Array, shape: tuple[int, int]) -> Array:
    """Transform half spectra back to real images of the given ``(h, w)``."""
    fft, options = _backend(spectra)
    return fft.irfftn(spectra, s=shape, axes=(-2, -1), **options)


def rfft3(volumes: Array) -> Array:
    """Transform real volumes ``(..., d, h, w)`` to half spectra ``(..., d, h, w // 2 + 1)``."""
    fft, options = _backend(volumes)
    return fft.rfftn(volumes, axes=(-3, -2, -1), **options)


def irfft3(spectra: Array, shape: tuple[int, int, int]) -> Array:
    """Transform half spectra back to real volumes of the given ``(d, h, w)``."""
    fft, options = _backend(spectra)
    return fft.irfftn(spectra, s=shape, axes=(-3, -2, -1), **options)


def _roll(x: Array, axes: tuple[int, ...], inverse: bool) -> Array:
    xp = array_namespace(x)
    shift = tuple((x.shape[axis] // 2) if inverse else -(x.shape[axis] // 2) for axis in axes)
    return xp.roll(x, shift, axis=axes)


def rfft2_centred(images: Array) -> Array:
    """`rfft2` with the phase origin at the image centre ``n // 2``."""
    return rfft2(_roll(images, (-2, -1), inverse=False))


def irfft2_centred(spectra: Array, shape: tuple[int, int]) -> Array:
    """Inverse of `rfft2_centred`."""
    return _roll(irfft2(spectra, shape), (-2, -1), inverse=True)


def rfft3_centred(volumes: Array) -> Array:
    """`rfft3` with the phase origin at the volume centre ``n // 2``."""
    return rfft3(_roll(volumes, (-3, -2, -1), inverse=False))


def irfft3_centred(spectra: Array, shape: tuple[int, int, int]) -> Array:
    """Inverse of `rfft3_centred`."""
    return _roll(irfft3(spectra, shape), (-3, -2, -1), inverse=True)
