"""Means over candidate poses of an image: the pose that stands for many, and fewer candidates that say the same."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.poses.candidates import Candidates

Float64 = NDArray[np.float64]


def near_first(rotations: Float64, within_deg: float, slot: int = 0) -> NDArray[np.bool_]:
    """Tell which candidates (m, T) are turned from the one in a slot by less than an angle.

    Parameters
    ----------
    rotations : (m, T, 3, 3)
    within_deg : float
    slot : int
    """
    cosine = (np.einsum("mtij,mij->mt", rotations, rotations[:, slot]) - 1) / 2
    return np.asarray(cosine > np.cos(np.deg2rad(within_deg)))


def mean_pose(candidates: Candidates, weight: Float64) -> tuple[Float64, Float64]:
    """Return the weighted mean rotation (m, 3, 3) and shift (m, 2) of each image: less rough than a search's grid.

    The rotation is the one nearest to the mean of the matrices (Moakher, SIAM J Matrix Anal Appl 24, 1, 2002).

    Parameters
    ----------
    candidates : Candidates
    weight : (m, T)
        Need not add up to 1; at least one of each image is positive.
    """
    share = weight / weight.sum(axis=1, keepdims=True)
    u, _, vt = np.linalg.svd(np.einsum("mt,mtij->mij", share, candidates.rotations))
    handed = np.stack([np.ones(len(u)), np.ones(len(u)), np.linalg.det(u @ vt)], axis=-1)
    shifts = np.einsum("mt,mtc->mc", share, candidates.shifts_px.astype(np.float64))
    return (u * handed[:, None, :]) @ vt, shifts


def merged(candidates: Candidates, weight: Float64, alike_deg: float) -> tuple[Float64, NDArray[np.float32], Float64]:
    """Put candidates that differ by less than an angle together: the best of each image takes those near it, and so on.

    Parameters
    ----------
    candidates : Candidates
        Best first.
    weight : (m, T)
        Those of weight 0 are left out.
    alike_deg : float
        0 puts none together.

    Returns
    -------
    rotations (m, T, 3, 3), shifts_px (m, T, 2) and weights (m, T)
        Weighted means, in the slots of those that took others; the others have weight 0.
    """
    rotations, shifts, total = candidates.rotations.copy(), candidates.shifts_px.copy(), np.zeros_like(weight)
    left = weight > 0
    for slot in range(weight.shape[1]):
        rows = np.flatnonzero(left[:, slot])
        if not len(rows):
            continue
        part = candidates.take(rows)
        joins = left[rows] & near_first(part.rotations, alike_deg, slot)
        joins[:, slot] = True
        share = np.where(joins, weight[rows], 0.0)
        total[rows, slot] = share.sum(axis=1)
        several = np.flatnonzero(joins.sum(axis=1) > 1)
        if len(several):
            rotation, shift = mean_pose(part.take(several), share[several])
            rotations[rows[several], slot], shifts[rows[several], slot] = rotation, shift
        left[rows] &= ~joins
    return rotations, shifts, total
