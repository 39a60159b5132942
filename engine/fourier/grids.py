"""Grids of spatial frequencies for half spectra."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array


def rfft_frequencies_px(shape: tuple[int, ...]) -> tuple[NDArray[np.float32], ...]:
    """Return the frequency of each coefficient of a half spectrum along each axis.

    Parameters
    ----------
    shape : tuple of int
        Shape of the real image ``(h, w)`` or volume ``(d, h, w)``.

    Returns
    -------
    tuple of arrays
        Cycles per pixel, broadcastable against the half spectrum, in the order of the axes.
    """
    grids = [np.fft.fftfreq(n).astype(np.float32) for n in shape[:-1]]
    grids.append(np.fft.rfftfreq(shape[-1]).astype(np.float32))
    return tuple(np.ix_(*grids))


@lru_cache(maxsize=16)
def radial_frequency_px(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return |k| in cycles per pixel for each coefficient of the half spectrum (read-only)."""
    squared = sum(k.astype(np.float64) ** 2 for k in rfft_frequencies_px(shape))
    radius = np.sqrt(squared).astype(np.float32)
    radius.setflags(write=False)
    return radius


@lru_cache(maxsize=16)
def shell_index(shape: tuple[int, ...]) -> NDArray[np.int32]:
    """Return the shell of each coefficient: |k| times the largest side, rounded (read-only).

    Shell ``s`` of a box of ``n`` pixels of ``p`` Å is the resolution ``n * p / s`` Å.
    """
    shells = np.rint(radial_frequency_px(shape) * max(shape)).astype(np.int32)
    shells.setflags(write=False)
    return shells


@lru_cache(maxsize=16)
def hermitian_weight(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return how many coefficients of the full spectrum each one of the half spectrum stands for (1 or 2)."""
    columns = shape[-1] // 2 + 1
    weight = np.full(columns, 2.0, np.float32)
    weight[0] = 1.0
    if shape[-1] % 2 == 0:
        weight[-1] = 1.0
    full = np.ascontiguousarray(np.broadcast_to(weight, (*shape[:-1], columns)))
    full.setflags(write=False)
    return full


@lru_cache(maxsize=8)
def grid_on(grid: Callable[[tuple[int, ...]], NDArray[Any]], shape: tuple[int, ...], xp: Any) -> Array:
    """Return one of the grids above in an array library; a device keeps the last few, so each is copied there once."""
    return xp.asarray(grid(shape))
