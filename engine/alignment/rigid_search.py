"""Pieces of the search for a rigid motion: grids, whitening, distinct candidates, climbing to a maximum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.spatial.transform import Rotation

from engine.geometry import directions_grid, orientation_grid


def rotation_grid(step_deg: float) -> NDArray[np.float64]:
    """Near-uniform rotations (m, 3, 3) with about the given spacing."""
    return orientation_grid(directions_grid(step_deg), step_deg).reshape(-1, 3, 3)


def whitened(values: NDArray[Any], shells: NDArray[np.int64]) -> NDArray[Any]:
    """Divide coefficients (..., m) by the root-mean-square amplitude of their shell (that of the first row)."""
    power = np.abs(values.reshape(-1, values.shape[-1])[0]) ** 2
    count = np.maximum(np.bincount(shells), 1)
    rms = np.sqrt(np.bincount(shells, weights=power) / count)
    return values / np.maximum(rms, 1e-12 * max(float(rms.max()), 1e-30))[shells]


def distinct_best(scores: NDArray[Any], rotations: NDArray[Any], count: int) -> list[int]:
    """Indices of the best scores that are at least 20 degrees from each other."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        traces = [np.trace(rotations[k].T @ rotations[index]) for k in kept]
        if all(t < 1.0 + 2.0 * np.cos(np.deg2rad(20.0)) for t in traces):
            kept.append(int(index))
        if len(kept) == count:
            break
    return kept


def maximise_pose(
    score: Callable[[NDArray[np.float64], NDArray[np.float64]], float],
    rotation: NDArray[np.float64],
    shift_px: NDArray[np.float64],
    radius_px: float,
    box_px: int,
) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Climb from a pose to the nearest maximum of ``score(rotation, shift)``.

    The six unknowns are scaled so that a unit step changes the phases at the working resolution alike.
    """
    # A particle that fills half of the box moves n/4 px at its rim for each radian.
    unit_px = 0.25 * box_px / radius_px
    unit_rad = unit_px / (0.25 * box_px)

    def pose(x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        turn = Rotation.from_rotvec(x[:3] * unit_rad).as_matrix()
        return turn @ rotation, shift_px + x[3:] * unit_px

    answer = optimize.minimize(
        lambda x: -score(*pose(x)), np.zeros(6), method="L-BFGS-B", options={"eps": 1e-2, "maxiter": 30, "ftol": 1e-6}
    )
    return -float(answer.fun), *pose(answer.x)
