"""Shells of Fourier space: radial averages, FRC, FSC and where a curve crosses a threshold.

The Fourier shell correlation is that of Harauz & van Heel, Optik 73, 146 (1986); resolution at 0.143 follows
Rosenthal & Henderson, J Mol Biol 333, 721 (2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, is_numpy, to_numpy
from engine.fourier.grids import grid_on, hermitian_weight, shell_index
from engine.fourier.transforms import rfft2, rfft3

_SLAB = 12


def shell_sums(values: Array, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Add a half spectrum over shells, each coefficient counted as often as in the full spectrum.

    Parameters
    ----------
    values : array, shape (..., half spectrum of ``shape``)
        Real values on the half spectrum.
    shape : tuple of int
        Real-space shape.

    Returns
    -------
    array, shape (..., n // 2 + 1)
        Sums over shells 0 … n // 2 (n the largest side).
    """
    count = max(shape) // 2 + 1
    leading = tuple(values.shape[: values.ndim - len(shape)])
    if not is_numpy(values):
        xp = array_namespace(values)
        weighted = xp.reshape(values, (-1, *shell_index(shape).shape)) * grid_on(hermitian_weight, shape, xp)
        return _gathered_sums([weighted[i, ...] for i in range(weighted.shape[0])], shape).reshape(*leading, count)
    shells = shell_index(shape).ravel()
    weight = hermitian_weight(shape).ravel().astype(np.float64)
    flat = np.asarray(values, np.float64).reshape(-1, shells.size)
    length = max(count, int(shells.max()) + 1)
    sums = np.stack([np.bincount(shells, row * weight, minlength=length)[:count] for row in flat])
    return sums.astype(np.float64).reshape(*leading, count)


@lru_cache(maxsize=4)
def _shell_members(shape: tuple[int, ...], xp: Any) -> Array:
    """Places (shells, most) of each shell in the flat half spectrum; one past its end where none is left."""
    shells = shell_index(shape).ravel()
    counts = np.bincount(shells)[: max(shape) // 2 + 1]
    order = np.append(np.argsort(shells, kind="stable"), shells.size).astype(np.int32)
    column = np.arange(counts.max())
    start = np.cumsum(counts) - counts
    places = np.where(column < counts[:, None], start[:, None] + column, shells.size)
    return xp.asarray(order[places])


def _gathered_sums(values: Sequence[Array], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Sums (m, shells) of m half spectra; no scattered additions, whose order on a device is never the same."""
    xp = array_namespace(*values)
    members = _shell_members(shape, xp)
    sums = []
    for each in values:
        flat = xp.concat([xp.reshape(each, (-1,)), xp.zeros(1, dtype=each.dtype)])
        picked = xp.reshape(xp.take(flat, xp.reshape(members, (-1,)), axis=0), members.shape)
        sums.append(xp.sum(picked, axis=1, dtype=xp.float64))
    return to_numpy(xp.stack(sums))


def radial_average(values: Array, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Average a half spectrum (for example power) over shells 0 … n // 2."""
    return shell_sums(values, shape) / np.maximum(shell_counts(shape), 1)


@lru_cache(maxsize=16)
def shell_counts(shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Return how many coefficients of the full spectrum lie on each shell 0 … n // 2 (read-only)."""
    counts = shell_sums(np.ones(shell_index(shape).shape, np.float32), shape)
    counts.setflags(write=False)
    return counts


def spectra_correlation(a_ft: Array, b_ft: Array, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """Return the FSC of two volumes of which the half spectra are given, for shells 0 … n // 2.

    Each coefficient of the half spectrum counts once, as in RELION (those on the plane x = 0 come with their mates).
    """
    if not is_numpy(a_ft):
        return _normalised(*_gathered_sums(_products(a_ft, b_ft), shape))
    shells = shell_index(shape)
    count, length = max(shape) // 2 + 1, int(shells.max()) + 1
    sums = np.zeros((3, length))
    for first in range(0, shape[0], _SLAB):  # a few sections at a time stay in the processor's cache
        part = slice(first, first + _SLAB)
        sums += _slab_sums(a_ft[part], b_ft[part], shells[part], length)
    cross, power_a, power_b = sums[:, :count]
    return _normalised(cross, power_a, power_b)


def _slab_sums(
    a: NDArray[np.complexfloating], b: NDArray[np.complexfloating], shells: NDArray[np.int32], length: int
) -> NDArray[np.float64]:
    """Sums over shells of `_products`."""
    index = shells.ravel().astype(np.intp)
    return np.stack([np.bincount(index, each.ravel(), minlength=length) for each in _products(a, b)])


def _products(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Re a b*, |a|² and |b|² of each coefficient."""
    xp = array_namespace(a)
    (a_re, a_im), (b_re, b_im) = ((xp.real(each), xp.imag(each)) for each in (a, b))
    return a_re * b_re + a_im * b_im, a_re * a_re + a_im * a_im, b_re * b_re + b_im * b_im


def _normalised(
    cross: NDArray[np.float64], power_a: NDArray[np.float64], power_b: NDArray[np.float64]
) -> NDArray[np.float64]:
    norm = np.sqrt(power_a * power_b)
    curve = np.where(norm > 0, cross / np.where(norm > 0, norm, 1), 0.0)
    curve[..., 0] = 1.0  # the mean says nothing about detail; curves start at 1 by convention
    return curve


def fourier_shell_correlation(a: Array, b: Array) -> NDArray[np.float64]:
    """Return the FSC of two volumes ``(n, n, n)`` for shells 0 … n // 2.

    Raises
    ------
    ValueError
        If they are no volumes.
    """
    _same_shape(a, b)
    if a.ndim != 3:
        raise ValueError(f"Expected volumes (n, n, n), got shape {tuple(a.shape)}.")
    return spectra_correlation(rfft3(a), rfft3(b), tuple(a.shape))


def fourier_ring_correlation(a: Array, b: Array) -> NDArray[np.float64]:
    """Return the FRC of images ``(..., n, n)`` for rings 0 … n // 2."""
    _same_shape(a, b)
    shape = tuple(a.shape[-2:])
    xp = array_namespace(a)
    a_ft, b_ft = rfft2(a), rfft2(b)
    cross = shell_sums(xp.real(a_ft * xp.conj(b_ft)), shape)
    return _normalised(cross, *(shell_sums(xp.abs(x) ** 2, shape) for x in (a_ft, b_ft)))


def _same_shape(a: Array, b: Array) -> None:
    if tuple(a.shape) != tuple(b.shape):
        raise ValueError(f"Shapes {tuple(a.shape)} and {tuple(b.shape)} differ; resample one of them first.")


def resolution_at(curve: NDArray[np.floating], box_px: int, pixel_size_A: float, threshold: float = 0.143) -> float:
    """Return the resolution in Å where a curve of shells first drops below ``threshold``.

    Linear interpolation between shells. A curve that never drops gives the resolution of its last shell
    (Nyquist); one that is below from shell 1 on gives infinity.

    Parameters
    ----------
    curve : (n // 2 + 1,) array
        Correlation of each shell.
    box_px : int
        Side n of the box.
    pixel_size_A : float
        Å per px.
    threshold : float
        0.143 between half maps, 0.5 against the truth (Rosenthal and Henderson, J Mol Biol 333, 721, 2003).
    """
    below = np.flatnonzero(np.asarray(curve[1:]) < threshold)
    if below.size == 0:
        return box_px * pixel_size_A / (len(curve) - 1)
    shell = int(below[0]) + 1
    if shell == 1:
        return float("inf")
    high, low = float(curve[shell - 1]), float(curve[shell])
    crossing = shell - 1 + (high - threshold) / (high - low)
    return box_px * pixel_size_A / crossing
