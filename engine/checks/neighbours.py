"""Particles that stand too near each other to be different ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


def near_pairs(micrograph: NDArray[np.integer], positions_A: NDArray[np.floating], radius_A: float) -> NDArray[np.intp]:
    """Return the pairs ``(k, 2)`` of particles of one micrograph whose centres are no further apart than a radius.

    Parameters
    ----------
    micrograph : (m,) array
        Index of each particle's micrograph.
    positions_A : (m, 2) array
        Centres x, y in Å.
    radius_A : float
        Largest distance of a pair in Å.
    """
    groups = np.asarray(micrograph)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order])) + 1
    found = [np.zeros((0, 2), np.intp)]
    for members in np.split(order, starts):
        pairs = cKDTree(np.asarray(positions_A, np.float64)[members]).query_pairs(radius_A, output_type="ndarray")
        found.append(members[pairs])
    pairs = np.sort(np.concatenate(found), axis=1)
    return np.asarray(pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))], np.intp)
