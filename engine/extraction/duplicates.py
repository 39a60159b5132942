"""Positions that were picked twice."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.picking.peaks import suppress_neighbours


def without_duplicates(
    positions_px: NDArray[np.floating], scores: NDArray[np.floating] | None, min_distance_px: float
) -> NDArray[np.int64]:
    """Indices, in rising order, of the picks that stay when the better of two near ones is kept.

    Parameters
    ----------
    positions_px : (m, 2) x, y on one micrograph.
    scores : (m,) the higher the better; the first of two is kept where None.
    min_distance_px : picks nearer than this are duplicates.
    """
    positions = np.asarray(positions_px, dtype=np.float64).reshape(-1, 2)
    order = np.arange(len(positions)) if scores is None else np.argsort(-np.asarray(scores), kind="stable")
    return np.sort(order[suppress_neighbours(positions[order], min_distance_px)])
