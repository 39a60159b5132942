"""Plain forms, in double precision, of what `slices` does to half cubes: what the compiled ones are held against."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array


def _corners(points: NDArray[np.float64], centre: int) -> list[tuple[tuple[Array, ...], Array]]:
    """Eight (indices z, y, x), weight pairs of points (…, 3) in x, y, z order with x >= 0."""
    base = np.floor(points).astype(np.int64)
    fraction = points - base
    corners: list[tuple[tuple[Array, ...], Array]] = []
    for dz in (0, 1):
        for dy in (0, 1):
            for dx in (0, 1):
                part = [fraction[..., a] if d else 1 - fraction[..., a] for a, d in ((0, dx), (1, dy), (2, dz))]
                index = (base[..., 2] + dz + centre, base[..., 1] + dy + centre, base[..., 0] + dx)
                corners.append((index, part[0] * part[1] * part[2]))
    return corners


def _slice_points(
    rotations: NDArray, kx: NDArray, ky: NDArray, padding: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Positions (m, K, 3) of slice samples in the half cube and whether Friedel's mate was taken."""
    axes = np.asarray(rotations, np.float64)
    points = padding * (kx[:, None] * axes[:, None, 0] + ky[:, None] * axes[:, None, 1])
    flipped = points[..., 0] < 0
    return np.where(flipped[..., None], -points, points), flipped


def extract_slices_reference(
    data: NDArray, padding: float, rotations: NDArray, kx: NDArray, ky: NDArray
) -> NDArray[np.complex128]:
    """Plain form of `extract_slices` (double precision)."""
    points, flipped = _slice_points(rotations, kx, ky, padding)
    total = sum(data[index] * weight for index, weight in _corners(points, data.shape[0] // 2))
    return np.where(flipped, np.conj(total), total)


def insert_slices_reference(
    values: NDArray,
    weights: NDArray,
    rotations: NDArray,
    kx: NDArray,
    ky: NDArray,
    padding: float,
    numerator: NDArray,
    denominator: NDArray,
) -> None:
    """Plain form of `insert_slices` (in place)."""
    points, flipped = _slice_points(rotations, kx, ky, padding)
    samples = np.where(flipped, np.conj(values), values)
    for index, weight in _corners(points, numerator.shape[0] // 2):
        np.add.at(numerator, index, samples * weight)
        np.add.at(denominator, index, weights * weight)


def symmetrise_reference(
    numerator: NDArray, denominator: NDArray, operators: NDArray, radius: float
) -> tuple[NDArray[np.complex128], NDArray[np.float64]]:
    """Plain form of `symmetrise` (double precision)."""
    centre = numerator.shape[0] // 2
    z, y, x = np.nonzero(np.ones(denominator.shape, bool))
    grid = np.stack([x, y - centre, z - centre], -1).astype(np.float64)
    inside = np.sum(grid**2, -1) <= radius**2
    grid, where = grid[inside], (z[inside], y[inside], x[inside])
    total, weight = np.zeros(numerator.shape, np.complex128), np.zeros(denominator.shape)
    for operator in np.asarray(operators, np.float64):
        points = grid @ operator.T
        flipped = points[:, 0] < 0
        points = np.where(flipped[:, None], -points, points)
        corners = _corners(points, centre)
        value = sum(numerator[index] * w for index, w in corners)
        total[where] += np.where(flipped, np.conj(value), value)
        weight[where] += sum(denominator[index] * w for index, w in corners)
    return total, weight
