"""Small geometry for looking at maps: places in the world, values on a surface, symmetry axes as triangles.

Everything here serves the eye, not the analysis. NumPy arrays; places are x, y, z unless a docstring says otherwise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.ndimage import map_coordinates
from scipy.spatial.transform import Rotation

from engine.symmetry import point_group


def unit_vector(direction: ArrayLike) -> NDArray[np.float64]:
    """Give a direction with length 1.

    Raises
    ------
    ValueError
        When it is not three numbers, or all are 0.
    """
    vector = np.asarray(direction, float)
    if vector.shape != (3,) or not np.linalg.norm(vector) > 0:
        raise ValueError(f"{direction!r} is no direction; give three numbers x, y, z that are not all 0")
    return vector / np.linalg.norm(vector)


def height(direction: ArrayLike, point: ArrayLike) -> float:
    """Give how far a point lies along a direction of length 1, from the origin."""
    return float(np.dot(np.asarray(direction, float), np.asarray(point, float)))


def colour_range(volume: NDArray[np.floating], level: float, values: NDArray[np.floating]) -> tuple[float, float]:
    """Give between which values a second map colours a first: its 2 and 98 % quantiles inside the contour."""
    inside = values[volume > level]
    low, high = (float(end) for end in np.quantile(inside if inside.size else values, [0.02, 0.98]))
    return low, high


def placed(
    points: ArrayLike, scale: ArrayLike, rotation: ArrayLike, translation: ArrayLike, affine: ArrayLike
) -> NDArray[np.float64]:
    """Put points of a layer into the world: scaled, turned, moved, then an affine transformation.

    Parameters
    ----------
    points : array, shape (n, 3)
        In the layer's own axes.
    scale, translation : array, shape (3,)
    rotation : array, shape (3, 3)
    affine : array, shape (4, 4)
        All in the same order of axes as the points.

    Returns
    -------
    array, shape (n, 3)
    """
    turned = (np.asarray(points, float) * np.asarray(scale, float)) @ np.asarray(rotation, float).T
    whole = np.asarray(affine, float)
    return (turned + np.asarray(translation, float)) @ whole[:3, :3].T + whole[:3, 3]


def reach_px(volume: NDArray[np.floating], level: float) -> float:
    """Give how far from the centre a map of shape (z, y, x) reaches at a contour level, in voxels."""
    inside = np.argwhere(volume > level)
    if not len(inside):
        return 0.5 * max(volume.shape)
    return float(np.sqrt(((inside - np.array(volume.shape) // 2) ** 2).sum(axis=1).max()))


def values_at(volume: NDArray[np.floating], points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Give a map's values between its voxels (trilinear) at points in voxels, shape (n, 3), in z, y, x."""
    return map_coordinates(np.asarray(volume, np.float32), points.T, order=1, mode="nearest")


def symmetry_axes(name: str) -> list[tuple[int, NDArray[np.float64]]]:
    """Give the axes of a point group, those of the highest order first.

    Parameters
    ----------
    name : str
        Point group as in :func:`engine.symmetry.point_group`.

    Returns
    -------
    list of (fold, axis)
        Order and unit vector (x, y, z) of each axis; of the two ends, the one with z (else y, else x) above 0.
    """
    found: dict[tuple[float, ...], list[float]] = {}
    for turn in Rotation.from_matrix(point_group(name)).as_rotvec():
        angle = float(np.linalg.norm(turn))
        if angle < 1e-6:
            continue
        axis = np.round(turn / angle, 6) + 0.0
        first = next(value for value in axis[::-1] if abs(value) > 1e-5)
        found.setdefault(tuple(float(v) + 0.0 for v in np.sign(first) * axis), []).append(angle)
    axes = [(len(angles) + 1, np.asarray(axis)) for axis, angles in found.items()]
    return sorted(axes, key=lambda each: (-each[0], *(-each[1][::-1])))


def axis_surface(
    axes: list[tuple[int, NDArray[np.float64]]], centre: ArrayLike, length_A: float
) -> tuple[NDArray[np.float32], NDArray[np.uint32], NDArray[np.float32]]:
    """Give symmetry axes as one surface: rods, with a prism of as many sides as the axis is fold at each end.

    Parameters
    ----------
    axes : list of (fold, axis)
        From :func:`symmetry_axes`.
    centre : array, shape (3,)
        Where they cross, in Å.
    length_A : float
        From the centre to the middle of a prism; axes of lower order are shorter.

    Returns
    -------
    vertices : array, shape (v, 3), float32
    triangles : array, shape (t, 3), uint32
        Their corners turn to the left as seen from outside.
    folds : array, shape (v,), float32
        Order of the axis that a vertex belongs to.
    """
    points: list[NDArray[np.float64]] = []
    triangles: list[NDArray[np.int64]] = []
    folds: list[NDArray[np.float64]] = []
    count, most, thick = 0, axes[0][0], 0.012 * length_A
    for fold, axis in axes:
        reach = length_A * (1.0 if fold == most else 0.82)
        wide = (3.5 if fold == 2 else 5.0) * thick
        ends = [(max(fold, 3), wide, side * reach - thick, side * reach + thick) for side in (-1, 1)]
        for sides, radius, start, end in [(12, thick, -reach, reach), *ends]:
            ring, faces = _prism(axis, sides, radius, start, end)
            points.append(ring + np.asarray(centre, float))
            triangles.append(faces + count)
            folds.append(np.full(len(ring), float(fold)))
            count += len(ring)
    return (
        np.concatenate(points).astype(np.float32),
        np.concatenate(triangles).astype(np.uint32),
        np.concatenate(folds).astype(np.float32),
    )


def _prism(
    axis: NDArray[np.float64], sides: int, radius: float, start: float, end: float
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    u = unit_vector(np.cross(axis, np.eye(3)[int(np.argmin(np.abs(axis)))]))
    v = np.cross(axis, u)
    turns = 2 * np.pi * np.arange(sides) / sides
    ring = radius * (np.cos(turns)[:, None] * u + np.sin(turns)[:, None] * v)
    points = np.concatenate([ring + start * axis, ring + end * axis, [start * axis, end * axis]])
    here = np.arange(sides)
    after = (here + 1) % sides
    low, high = np.full(sides, 2 * sides), np.full(sides, 2 * sides + 1)
    faces = [
        (here, after, after + sides), (here, after + sides, here + sides),
        (low, after, here), (high, here + sides, after + sides),
    ]  # fmt: skip
    return points, np.concatenate([np.stack(face, axis=1) for face in faces])
