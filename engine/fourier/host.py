"""Real transforms on the CPU by several threads, with the same bits whatever their number.

SciPy's own `workers` do not promise that: since version 1.18 rows that are transformed together and rows left over
differ in their last bits, and threads decide which are which. Here every call of SciPy is single-threaded and its part
of the data fixed; threads (`run_tasks`) only share the parts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import prod
from typing import Any

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from engine.kernels.threads import run_tasks, split_range

_ONE_CALL = 1 << 16  # elements; less work does not outlast the start of threads
_IN_A_PART = 1 << 15  # elements of small images that are transformed together
_BY_AXES = 1 << 22  # elements of one image or volume from which on its axes are worth sharing
_PARTS = 16

Step = Callable[[Any], Any]


def rfftn(images: NDArray[Any], axes: tuple[int, ...]) -> NDArray[Any]:
    """Transform real arrays along their last axes, as `scipy.fft.rfftn` does.

    Parameters
    ----------
    images : (..., h, w) or (..., d, h, w) array
    axes : the last two or three axes.

    Returns
    -------
    (..., h, w // 2 + 1) or (..., d, h, w // 2 + 1) complex array
        Of single precision unless the images are of double precision or integers.
    """

    def whole(part: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.rfftn(part, axes=axes, workers=1))

    inner = images.shape[-len(axes) :]
    count = images.size // max(prod(inner), 1)
    if images.size <= _ONE_CALL or (count == 1 and images.size < _BY_AXES):
        return whole(images)
    single = images.dtype in (np.float16, np.float32)
    out = np.empty((*images.shape[:-1], inner[-1] // 2 + 1), np.complex64 if single else np.complex128)
    if count > 1:
        _each(whole, images.reshape(count, *inner), out.reshape(count, *out.shape[-len(axes) :]))
        return out
    volume, spectrum = images.reshape(inner), out.reshape(out.shape[-len(axes) :])
    _along(partial(scipy.fft.rfft, workers=1), volume, spectrum, 0)
    for axis in range(len(axes) - 1):
        _along(partial(scipy.fft.fft, axis=axis, workers=1), spectrum, spectrum, 0 if axis else 1)
    return out


def irfftn(spectra: NDArray[Any], s: tuple[int, ...], axes: tuple[int, ...]) -> NDArray[Any]:
    """Transform half spectra back to real arrays of the sides `s`, as `scipy.fft.irfftn` does.

    Parameters
    ----------
    spectra : (..., h, w // 2 + 1) or (..., d, h, w // 2 + 1) complex array
    s : sides (h, w) or (d, h, w) of the result.
    axes : the last two or three axes.

    Returns
    -------
    (..., h, w) or (..., d, h, w) array of the spectra's precision.
    """

    def whole(part: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(scipy.fft.irfftn(part, s=s, axes=axes, workers=1))

    inner = spectra.shape[-len(axes) :]
    count = spectra.size // max(prod(inner), 1)
    if spectra.size <= _ONE_CALL or inner[:-1] != tuple(s[:-1]) or (count == 1 and spectra.size < _BY_AXES // 2):
        return whole(spectra)
    real = np.dtype(np.float32 if spectra.dtype == np.complex64 else np.float64)
    out = np.empty((*spectra.shape[: -len(axes)], *s), real)
    if count > 1:
        _each(whole, spectra.reshape(count, *inner), out.reshape(count, *s))
        return out
    source, spectrum, volume = spectra.reshape(inner), np.empty(inner, spectra.dtype), out.reshape(s)
    for axis in range(len(axes) - 1):
        _along(partial(scipy.fft.ifft, axis=axis, norm="forward", workers=1), source, spectrum, 0 if axis else 1)
        source = spectrum
    _along(partial(scipy.fft.irfft, n=s[-1], norm="forward", workers=1), spectrum, volume, 0)
    out *= real.type(1 / prod(s))
    return out


def _each(step: Step, arrays: NDArray[Any], out: NDArray[Any]) -> None:
    """Transform images, (m, …) each, a few of them in a part."""

    def task(start: int, stop: int) -> None:
        out[start:stop] = step(arrays[start:stop])

    run_tasks(task, split_range(len(arrays), max(1, _IN_A_PART // prod(arrays.shape[1:]))))


def _along(step: Step, source: NDArray[Any], out: NDArray[Any], cut: int) -> None:
    """Transform parts of one array that follow one another on the axis `cut`, 0 or 1."""

    def task(start: int, stop: int) -> None:
        part = (slice(None),) * cut + (slice(start, stop),)
        out[part] = step(source[part])

    run_tasks(task, split_range(source.shape[cut], -(-source.shape[cut] // _PARTS)))
