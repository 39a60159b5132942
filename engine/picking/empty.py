"""Places of a micrograph that hold nothing: what noise alone does is seen there."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

_TRIES = 200  # draws for each place wanted; a crowded micrograph may have fewer places than are wanted


def empty_places(
    taken_px: NDArray[np.floating],
    shape_px: tuple[int, int],
    away_px: float,
    margin_px: float,
    count: int,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Draw random places far from all that is known to be there; they may overlap each other.

    Parameters
    ----------
    taken_px : (m, 2) x, y of the objects.
    shape_px : height and width of the micrograph.
    away_px : least distance from an object's centre.
    margin_px : least distance from the edges.
    count : places wanted.
    rng : draws them.

    Returns
    -------
    (at most ``count``, 2) x, y; none where the margins leave no room.
    """
    height, width = shape_px
    if min(height, width) <= 2 * margin_px:
        return np.zeros((0, 2))
    drawn = rng.uniform(margin_px, (width - margin_px, height - margin_px), (_TRIES * count, 2))
    if len(taken_px):
        drawn = drawn[cKDTree(taken_px).query(drawn)[0] >= away_px]
    return drawn[:count]
