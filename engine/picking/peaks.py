"""Maxima of a score map: local maxima, a minimum distance between them, sub-pixel positions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Peaks:
    """Peaks in order of falling score.

    Parameters
    ----------
    positions_px : (m, 2) float64 sub-pixel x, y.
    pixels : (m, 2) int64 x, y of the pixel that holds the maximum.
    scores : (m,) float32, height of the surface at the sub-pixel position.
    """

    positions_px: NDArray[np.float64]
    pixels: NDArray[np.int64]
    scores: NDArray[np.float32]


def find_peaks(
    score: NDArray[np.float32],
    min_distance_px: float,
    floor: float,
    edge_px: float = 0.0,
    limit: int | None = None,
) -> Peaks:
    """Find local maxima, the best first, none nearer than `min_distance_px` to a better one.

    Parameters
    ----------
    score : (rows, columns).
    min_distance_px : distance below which the lower of two maxima is dropped.
    floor : lowest score kept.
    edge_px : maxima nearer than this to an edge are dropped.
    limit : largest number returned.
    """
    maxima = (score == ndimage.maximum_filter(score, size=3, mode="nearest")) & (score >= floor)
    y, x = np.nonzero(maxima)
    rows, columns = score.shape
    inside = (x >= edge_px) & (x <= columns - 1 - edge_px) & (y >= edge_px) & (y <= rows - 1 - edge_px)
    x, y = x[inside], y[inside]
    offsets, heights = _vertices(score, x, y)
    order = np.argsort(-heights, kind="stable")
    x, y, heights = x[order], y[order], heights[order]
    positions = np.stack([x, y], axis=1) + offsets[order]
    kept = suppress_neighbours(positions, min_distance_px)[:limit]
    pixels = np.stack([x, y], axis=1).astype(np.int64)
    return Peaks(positions[kept], pixels[kept], heights[kept])


def suppress_neighbours(positions_px: NDArray[np.float64], min_distance_px: float) -> NDArray[np.int64]:
    """Indices of the positions that survive when each, in the given order, removes later ones that are too near."""
    count = len(positions_px)
    if count == 0 or min_distance_px <= 0:
        return np.arange(count, dtype=np.int64)
    # each pair in the given order
    pairs = cKDTree(positions_px).query_pairs(min_distance_px * (1 - 1e-9), output_type="ndarray")
    first, later = pairs[:, 0], pairs[:, 1]
    kept, open_ = np.zeros(count, dtype=bool), np.ones(count, dtype=bool)
    while open_.any():  # all those at once that no earlier one can remove any more
        beaten = np.zeros(count, dtype=bool)
        beaten[later] = True
        sure = open_ & ~beaten
        kept |= sure
        open_ &= beaten
        open_[later[sure[first]]] = False
        left = open_[first] & open_[later]
        first, later = first[left], later[left]
    return np.nonzero(kept)[0]


def sub_pixel_offsets(score: NDArray[np.float32], x: NDArray[np.int64], y: NDArray[np.int64]) -> NDArray[np.float64]:
    """Offsets (m, 2) of the vertex of a parabola through three pixels along each axis, within half a pixel."""
    return _vertices(score, x, y)[0]


def _vertices(
    score: NDArray[np.float32], x: NDArray[np.int64], y: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Offsets of the vertices, and the height of the surface there: a maximum between pixels counts in full."""
    padded = np.pad(score.astype(np.float64), 1, mode="edge")
    x, y = x + 1, y + 1
    offsets = np.empty((len(x), 2))
    heights = padded[y, x]
    for axis, (dx, dy) in enumerate(((1, 0), (0, 1))):
        before, here, after = padded[y - dy, x - dx], padded[y, x], padded[y + dy, x + dx]
        bend = before - 2 * here + after
        vertex = 0.5 * (before - after) / np.where(bend < 0, bend, -np.inf)
        offsets[:, axis] = np.clip(np.nan_to_num(vertex), -0.5, 0.5)
        heights = heights + 0.5 * (after - before) * offsets[:, axis] + 0.5 * bend * offsets[:, axis] ** 2
    return offsets, heights.astype(np.float32)
