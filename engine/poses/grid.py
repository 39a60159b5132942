"""Grids of orientations and shifts, coarse ones over everything and small ones about a pose."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from engine.geometry import directions_grid, orientation_grid, quaternion_to_matrix
from engine.symmetry import in_asymmetric_unit


def global_orientations(
    step_deg: float, symmetry: str, turn: NDArray[np.floating] | None = None, half_circle: bool = False
) -> NDArray[np.float64]:
    """Return projection matrices ``(r, 3, 3)`` about ``step_deg`` apart with views in one asymmetric unit.

    Parameters
    ----------
    step_deg : float
    symmetry : str
        Point group.
    turn : (3, 3) or None
        Rotation of the whole grid of views, so that not every search asks for the same ones.
    half_circle : bool
        In-plane angles below 180° only, for searches that get the others for nothing.
    """
    directions = directions_grid(step_deg)
    if turn is not None:
        directions = directions @ turn
    directions = directions[in_asymmetric_unit(directions, symmetry)]
    count = 2 * max(1, round(180 / step_deg))
    grid = orientation_grid(directions, 360 / count)
    return (grid[:, : count // 2] if half_circle else grid).reshape(-1, 3, 3)


def rotation_from_vector(vectors_deg: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return rotations ``(..., 3, 3)`` about vectors ``(..., 3)`` by their lengths in degrees."""
    vectors = np.deg2rad(np.asarray(vectors_deg, np.float64))
    angle = np.linalg.norm(vectors, axis=-1, keepdims=True)
    half = np.where(angle > 0, np.sin(angle / 2) / np.where(angle > 0, angle, 1), 0.5)
    return quaternion_to_matrix(np.concatenate([np.cos(angle / 2), vectors * half], axis=-1))


def rotation_offsets(per_axis: int, spacing_deg: float) -> NDArray[np.float64]:
    """Return small rotations ``(per_axis³, 3, 3)`` on a cubic grid about the identity."""
    line = (np.arange(per_axis) - (per_axis - 1) / 2) * spacing_deg
    return rotation_from_vector(np.array(list(itertools.product(line, repeat=3))))


def shift_offsets(per_axis: int, spacing_px: float) -> NDArray[np.float32]:
    """Return shifts ``(per_axis², 2)`` on a square grid about zero."""
    line = (np.arange(per_axis) - (per_axis - 1) / 2) * spacing_px
    return np.array(list(itertools.product(line, repeat=2)), np.float32)


def shift_disc(radius_px: float, spacing_px: float) -> NDArray[np.float32]:
    """Return the shifts ``(s, 2)`` of a square grid that lie within a radius; zero is one of them."""
    reach = int(radius_px / spacing_px + 1e-6)
    grid = shift_offsets(2 * reach + 1, spacing_px)
    return grid[np.hypot(grid[:, 0], grid[:, 1]) <= radius_px + 1e-6]
