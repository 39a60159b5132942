"""Random half sets, balanced within each micrograph."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign_half_sets(micrograph: NDArray[np.integer], rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw half set 1 or 2 for every particle.

    Within a micrograph the two halves differ by one particle at most, and odd ones out alternate, so the whole
    set is balanced to one particle as well.

    Parameters
    ----------
    micrograph : (m,) index of each particle's micrograph.
    rng : source of the drawing.

    Returns
    -------
    (m,) 1 or 2.
    """
    groups = np.asarray(micrograph)
    halves = np.empty(len(groups), dtype=np.int64)
    turn = int(rng.integers(2))
    for group in np.unique(groups):
        members = rng.permutation(np.flatnonzero(groups == group))
        halves[members] = 1 + (np.arange(len(members)) + turn) % 2
        turn = (turn + len(members)) % 2
    return halves
