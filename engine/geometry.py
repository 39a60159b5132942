"""Rotations, with RELION's Euler angles, and grids of orientations.

``A = euler_to_matrix([rot, tilt, psi])`` has the image's x axis, y axis and the view axis as its rows, in x, y, z
order: the projection is ``p(x, y) = ∫ V(Aᵀ (x, y, z)) dz``. Heymann, Chagoyen & Belnap, J Struct Biol 151, 196 (2005).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrices = NDArray[np.float64]


def euler_to_matrix(angles_deg: ArrayLike) -> Matrices:
    """Return rotation matrices ``(..., 3, 3)`` for angles ``(..., 3)``: rot, tilt, psi in degrees (ZYZ)."""
    rot, tilt, psi = np.moveaxis(np.deg2rad(np.asarray(angles_deg, np.float64)), -1, 0)
    ca, sa, cb, sb, cg, sg = np.cos(rot), np.sin(rot), np.cos(tilt), np.sin(tilt), np.cos(psi), np.sin(psi)
    rows = [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def matrix_to_euler(matrices: ArrayLike) -> NDArray[np.float64]:
    """Return rot, tilt, psi in degrees ``(..., 3)``; tilt is in 0…180, and rot is 0 where tilt is 0 or 180."""
    a = np.asarray(matrices, np.float64)
    sin_tilt = np.hypot(a[..., 2, 0], a[..., 2, 1])
    regular = sin_tilt > 1e-9
    tilt = np.arctan2(sin_tilt, a[..., 2, 2])
    rot = np.where(regular, np.arctan2(a[..., 2, 1], a[..., 2, 0]), 0.0)
    psi_regular = np.arctan2(a[..., 1, 2], -a[..., 0, 2])
    psi_pole = np.where(
        a[..., 2, 2] > 0, np.arctan2(a[..., 0, 1], a[..., 0, 0]), np.arctan2(a[..., 0, 1], -a[..., 0, 0])
    )
    return np.rad2deg(np.stack([rot, tilt, np.where(regular, psi_regular, psi_pole)], axis=-1))


def rotation_angle_deg(a: ArrayLike, b: ArrayLike) -> NDArray[np.float64]:
    """Return the angle in degrees of the rotation that takes ``a`` to ``b`` (shapes ``(..., 3, 3)``, broadcast)."""
    difference = np.asarray(a, np.float64) - np.asarray(b, np.float64)
    # the Frobenius norm is 2√2 sin(θ/2): exact for small angles, where the trace loses half the digits
    half_sine = np.sqrt(np.sum(difference**2, axis=(-2, -1)) / 8)
    return np.rad2deg(2 * np.arcsin(np.clip(half_sine, 0, 1)))


def random_rotations(count: int, rng: np.random.Generator) -> Matrices:
    """Return ``(count, 3, 3)`` uniformly random rotations (Shoemake, Graphics Gems III, 124, 1992)."""
    q = rng.standard_normal((count, 4))
    q /= np.linalg.norm(q, axis=1, keepdims=True)
    return quaternion_to_matrix(q)


def quaternion_to_matrix(quaternions: ArrayLike) -> Matrices:
    """Return rotation matrices ``(..., 3, 3)`` for unit quaternions ``(..., 4)``, scalar first."""
    w, x, y, z = np.moveaxis(np.asarray(quaternions, np.float64), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def axis_rotation(axis: ArrayLike, angle_deg: float) -> Matrices:
    """Return the matrix ``(3, 3)`` of the right-handed rotation by ``angle_deg`` about ``axis``."""
    unit = np.asarray(axis, np.float64) / np.linalg.norm(axis)
    half = np.deg2rad(angle_deg) / 2
    return quaternion_to_matrix([np.cos(half), *(np.sin(half) * unit)])


def in_plane_rotation(psi_deg: ArrayLike) -> Matrices:
    """Return matrices ``(..., 3, 3)`` which, multiplied from the left, add ``psi_deg`` to the psi of a pose."""
    psi = np.deg2rad(np.asarray(psi_deg, np.float64))
    c, s, zero, one = np.cos(psi), np.sin(psi), np.zeros_like(psi), np.ones_like(psi)
    rows = [[c, s, zero], [-s, c, zero], [zero, zero, one]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def fibonacci_directions(count: int) -> NDArray[np.float64]:
    """Return ``(count, 3)`` nearly uniform unit vectors (Swinbank & Purser, Q J R Meteorol Soc 132, 1769, 2006)."""
    index = np.arange(count) + 0.5
    z = 1 - 2 * index / count
    angle = np.pi * (1 + np.sqrt(5)) * index
    radius = np.sqrt(1 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=-1)


def directions_grid(step_deg: float) -> NDArray[np.float64]:
    """Return unit view directions ``(m, 3)`` about ``step_deg`` apart over the whole sphere.

    Raises
    ------
    ValueError
        If the step is not positive.
    """
    if step_deg <= 0:
        raise ValueError(f"Angular step is {step_deg}°; expected a positive angle.")
    area = np.deg2rad(step_deg) ** 2
    return fibonacci_directions(max(4, round(4 * np.pi / area)))


def direction_to_angles(directions: ArrayLike) -> NDArray[np.float64]:
    """Return rot and tilt in degrees ``(..., 2)`` of view directions ``(..., 3)``."""
    d = np.asarray(directions, np.float64)
    rot = np.arctan2(d[..., 1], d[..., 0])
    tilt = np.arctan2(np.hypot(d[..., 0], d[..., 1]), d[..., 2])
    return np.rad2deg(np.stack([rot, tilt], axis=-1))


def orientation_grid(directions: ArrayLike, psi_step_deg: float) -> Matrices:
    """Return poses ``(m, p, 3, 3)`` for ``m`` view directions and ``p`` in-plane angles ``psi_step_deg`` apart."""
    count = max(1, round(360 / psi_step_deg))
    angles = direction_to_angles(directions)
    base = euler_to_matrix(np.concatenate([angles, np.zeros((len(angles), 1))], axis=1))
    return in_plane_rotation(np.arange(count) * (360 / count))[None] @ base[:, None]
