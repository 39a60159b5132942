"""Spread points onto a 2D grid with a compact kernel (the first half of a non-uniform Fourier transform)."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(
    ["void(float32[:, ::1], int64[::1], float32[::1], int64, float32[:, :, ::1])"],
    cache=True,
    fastmath=True,
    nogil=True,
)
def splat_2d(
    points_px: NDArray[np.float32],
    layers: NDArray[np.int64],
    table: NDArray[np.float32],
    taps: int,
    out: NDArray[np.float32],
) -> None:
    """Add each point to its layer of `out`, spread over `taps` x `taps` pixels.

    Parameters
    ----------
    points_px : (n, 2) float32
        x, y in pixels of `out`, from its first pixel; points nearer to an edge than half the kernel wrap round.
    layers : (n,) int64
        Layer of `out` that each point goes to.
    table : (m,) float32
        Kernel from its centre to its edge at ``taps / 2``; its last value is zero, then one more zero.
    taps : int
        Width of the kernel in pixels, at most 16.
    out : (layers, h, w) float32
        Changed in place.
    """
    h, w = out.shape[1], out.shape[2]
    scale = np.float32((table.shape[0] - 2) / (0.5 * taps))
    wx = np.empty(16, np.float32)
    wy = np.empty(16, np.float32)
    for p in range(points_px.shape[0]):
        x, y = points_px[p, 0], points_px[p, 1]
        x0 = int(np.floor(x - np.float32(0.5 * taps))) + 1
        y0 = int(np.floor(y - np.float32(0.5 * taps))) + 1
        for t in range(taps):
            u = abs(x - np.float32(x0 + t)) * scale
            i = int(u)
            wx[t] = table[i] + (u - np.float32(i)) * (table[i + 1] - table[i])
            u = abs(y - np.float32(y0 + t)) * scale
            i = int(u)
            wy[t] = table[i] + (u - np.float32(i)) * (table[i + 1] - table[i])
        layer = layers[p]
        for j in range(taps):
            row = (y0 + j) % h
            for i in range(taps):
                out[layer, row, (x0 + i) % w] += wy[j] * wx[i]


def splat_2d_reference(
    points_px: NDArray[np.float32],
    layers: NDArray[np.int64],
    table: NDArray[np.float32],
    taps: int,
    out: NDArray[np.float32],
) -> None:
    """Do what `splat_2d` does, plainly: the weight of every pixel of the grid for every point."""
    steps = np.linspace(0.0, 0.5 * taps, len(table) - 1)
    h, w = out.shape[1:]
    for (x, y), layer in zip(points_px.astype(np.float64), layers, strict=True):
        dx = (np.arange(w) - x + w / 2) % w - w / 2
        dy = (np.arange(h) - y + h / 2) % h - h / 2
        wx = np.interp(np.abs(dx), steps, table[:-1], right=0.0)
        wy = np.interp(np.abs(dy), steps, table[:-1], right=0.0)
        out[layer] += np.outer(wy, wx).astype(np.float32)
