"""How evenly the views of a data set cover Fourier space.

Every image fills a plane of Fourier space, so a direction that few planes pass is badly known however many images
there are. The figure here is the sampling compensation factor of Baldwin & Lyumkis, Prog Biophys Mol Biol 150,
160-183 (2020): the harmonic mean of the sampling over all directions, relative to even sampling.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.geometry import euler_to_matrix
from engine.symmetry import point_group

RADIUS_PX = 23.0
"""Fourier radius at which sampling is counted."""

_DIRECTIONS = 1500
_MOST_VIEWS = 10_000
_CHUNK = 2_000
_ENOUGH = 60.0
_EMPTY = 0.02  # sampling that counts for a direction that nothing passes, relative to even sampling


@dataclass(frozen=True)
class OrientationDistribution:
    """Views of a data set.

    Attributes
    ----------
    counts : (rows, columns) array
        Views, each with its symmetry mates, in bins of equal area: rows over the cosine of tilt from 1 to -1, columns
        over rot from -180° to 180°.
    rot_deg, cos_tilt : (columns,), (rows,) arrays
        Centres of the bins.
    efficiency : float
        1 for views that cover Fourier space evenly, less where directions are missing; symmetry counts.
    views : int
    """

    counts: NDArray[np.int64]
    rot_deg: NDArray[np.float64]
    cos_tilt: NDArray[np.float64]
    efficiency: float
    views: int


def orientation_distribution(
    angles_deg: ArrayLike, symmetry: str = "C1", rows: int = 24, columns: int = 48
) -> OrientationDistribution:
    """Count views and judge how evenly they cover Fourier space.

    Parameters
    ----------
    angles_deg : (m, 3) array
        rot, tilt, psi.
    symmetry : str
        Point group of the map: every view also counts as its mates.
    rows, columns : int
        Bins of the map of views.

    Raises
    ------
    ValueError
        If there is no view.
    """
    angles = np.asarray(angles_deg, np.float64).reshape(-1, 3)
    if len(angles) == 0:
        raise ValueError("there are no views; expected angles (m, 3) of at least one image")
    views = euler_to_matrix(angles)[:, 2, :]
    mates = np.concatenate([views @ mate for mate in point_group(symmetry)])
    cosine = np.clip(mates[:, 2], -1.0, 1.0)
    rot = np.rad2deg(np.arctan2(mates[:, 1], mates[:, 0]))
    edges = np.linspace(-1, 1, rows + 1), np.linspace(-180, 180, columns + 1)
    counts = np.histogram2d(cosine, rot, bins=edges)[0][::-1].astype(np.int64)
    centres = [0.5 * (each[:-1] + each[1:]) for each in edges]
    return OrientationDistribution(
        counts, centres[1], centres[0][::-1], sampling_efficiency(views, symmetry), len(angles)
    )


def sampling_efficiency(views: NDArray[np.floating], symmetry: str = "C1") -> float:
    """Return the harmonic mean over directions of how often planes across the views (m, 3) pass, 1 when even.

    Of many views every so-manieth counts.
    """
    some = np.asarray(views, np.float64)[:: max(1, -(-len(views) // _MOST_VIEWS))]
    normals = np.concatenate([some @ mate for mate in point_group(symmetry)]).astype(np.float32)
    normals = normals[:: max(1, -(-len(normals) // (2 * _MOST_VIEWS)))]
    directions = even_directions(_DIRECTIONS)
    # with few views a plane is taken thicker, so that counting itself makes little unevenness
    half_width = float(np.clip(_ENOUGH / len(normals), 0.5 / RADIUS_PX, 0.2))
    passed = np.zeros(len(directions))
    for first in range(0, len(normals), _CHUNK):
        passed += (np.abs(directions @ normals[first : first + _CHUNK].T) < half_width).sum(axis=1)
    even = half_width * len(normals)
    found = 1.0 / np.mean(1.0 / np.maximum(passed / even, _EMPTY))
    # the mean of 1 / count is more than one over the mean count, even where views are drawn evenly
    return min(float(found) * (1.0 + 1.0 / max(even, 1.0)), 1.0)


def even_directions(count: int) -> NDArray[np.float32]:
    """Directions (count, 3) on half a sphere, evenly spaced along a spiral (Vogel, Math Biosci 44, 179, 1979)."""
    index = np.arange(count) + 0.5
    z = 1.0 - index / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * index
    radius = np.sqrt(1.0 - z * z)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle), z], axis=1).astype(np.float32)
