"""Central slices of a Fourier volume on a GPU: the functions of `engine.kernels.slices` for CuPy arrays.

Same parameters and results; arrays that come from the host (rotations, frequencies) are copied to the device.
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, array_namespace
from engine.kernels import cuda

_SOURCE = "slices.cu"
_THREADS = 128
_MOST_ROWS = 65535  # blocks along y that CUDA allows; a block takes every 65535th slice


def _grid(length: int, count: int) -> tuple[int, int, int]:
    return -(-length // _THREADS), min(count, _MOST_ROWS), 1


def _in_place(array: Array) -> Array:
    if not array.flags.c_contiguous:
        raise ValueError("The half cube that slices are added to is not contiguous; expected one whole array.")
    return array


def extract_slices(data: Array, padding: float, rotations: Array, kx: Array, ky: Array) -> Array:
    """Read central slices from a half cube: (m, K) complex64. See `engine.kernels.slices.extract_slices`."""
    xp = array_namespace(data)
    count, length = len(rotations), len(kx)
    out = xp.empty((count, length), dtype=xp.complex64)
    if out.size == 0:
        return out
    arguments = (
        xp.ascontiguousarray(data),
        np.int32(data.shape[0]),
        np.int32(data.shape[2]),
        np.float32(padding),
        xp.ascontiguousarray(xp.asarray(rotations, dtype=xp.float32)),
        xp.asarray(kx, dtype=xp.int16),
        xp.asarray(ky, dtype=xp.int16),
        np.int32(length),
        np.int32(count),
        out,
    )
    cuda.launch(_SOURCE, "extract_slices", _grid(length, count), (_THREADS, 1, 1), arguments)
    return out


def insert_slices(
    values: Array,
    weights: Array,
    rotations: Array,
    kx: Array,
    ky: Array,
    padding: float,
    numerator: Array,
    denominator: Array,
) -> None:
    """Add central slices and their weights to two half cubes in place. See `engine.kernels.slices.insert_slices`.

    Raises
    ------
    ValueError
        If the half cubes are not contiguous.
    """
    xp = array_namespace(numerator)
    count, length = values.shape
    if count * length == 0:
        return
    arguments = (
        xp.ascontiguousarray(values),
        xp.ascontiguousarray(weights),
        xp.ascontiguousarray(xp.asarray(rotations, dtype=xp.float32)),
        xp.asarray(kx, dtype=xp.int16),
        xp.asarray(ky, dtype=xp.int16),
        np.int32(length),
        np.int32(count),
        np.float32(padding),
        np.int32(numerator.shape[0]),
        np.int32(numerator.shape[2]),
        _in_place(numerator),
        _in_place(denominator),
    )
    cuda.launch(_SOURCE, "insert_slices", _grid(length, count), (_THREADS, 1, 1), arguments)


def symmetrise(numerator: Array, denominator: Array, operators: Array, radius: float) -> tuple[Array, Array]:
    """Sum of two half cubes over a point group's rotations. See `engine.kernels.slices.symmetrise`."""
    xp = array_namespace(numerator)
    out = xp.zeros_like(numerator), xp.zeros_like(denominator)
    arguments = (
        xp.ascontiguousarray(numerator),
        xp.ascontiguousarray(denominator),
        xp.ascontiguousarray(xp.asarray(operators, dtype=xp.float32)),
        np.int32(len(operators)),
        np.float32(radius),
        np.int32(numerator.shape[0]),
        np.int32(numerator.shape[2]),
        *out,
    )
    cuda.launch(_SOURCE, "symmetrise", (-(-denominator.size // _THREADS), 1, 1), (_THREADS, 1, 1), arguments)
    return out
