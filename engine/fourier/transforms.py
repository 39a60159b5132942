"""Real Fourier transforms of images and volumes that keep single precision on every device.

`*_centred` transforms have their phase origin at the image centre ``n // 2``. Forward transforms are
unnormalised, inverse ones divide by the number of pixels.
"""

from __future__ import annotations

from typing import Any

from engine.arrays import Array, array_namespace, is_gpu, is_numpy


def _backend(x: Array) -> Any:
    """Return the module of transforms for the array."""
    if is_numpy(x):
        from engine.fourier import host

        return host
    if is_gpu(x):
        import cupy.fft

        return cupy.fft
    return array_namespace(x).fft


def rfft2(images: Array) -> Array:
    """Transform real images ``(..., h, w)`` to half spectra ``(..., h, w // 2 + 1)``."""
    return _backend(images).rfftn(images, axes=(-2, -1))


def irfft2(spectra: Array, shape: tuple[int, int]) -> Array:
    """Transform half spectra back to real images of the given ``(h, w)``."""
    return _backend(spectra).irfftn(spectra, s=shape, axes=(-2, -1))


def rfft3(volumes: Array) -> Array:
    """Transform real volumes ``(..., d, h, w)`` to half spectra ``(..., d, h, w // 2 + 1)``."""
    return _backend(volumes).rfftn(volumes, axes=(-3, -2, -1))


def irfft3(spectra: Array, shape: tuple[int, int, int]) -> Array:
    """Transform half spectra back to real volumes of the given ``(d, h, w)``."""
    return _backend(spectra).irfftn(spectra, s=shape, axes=(-3, -2, -1))


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
