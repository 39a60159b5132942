"""Finding the symmetry axes of a map that lies anyhow in its box, and telling how symmetric it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.alignment.rigid import FourierSampler, centre_of_mass_px, half_sphere, transform_volume
from engine.alignment.rigid_search import distinct_best, maximise_pose, rotation_grid, whitened
from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.crop import fourier_resize_volume
from engine.geometry import axis_rotation, direction_to_angles, directions_grid, euler_to_matrix
from engine.symmetry import parse_symmetry, point_group

_CANDIDATES = 6
_MOST_OPERATORS = 12
_CYLINDER_STEPS = 48
_STANDS = 0.95


@dataclass(frozen=True)
class SymmetryAlignment:
    """How a map was turned into the standard setting of a point group.

    Attributes
    ----------
    aligned : (n, n, n) float32, the moved map (not symmetrised).
    rotation : (3, 3), acting on x, y, z.
    shift_A : (3,) x, y, z, applied after the rotation.
    score : mean correlation of the map with its symmetry mates, after what any rotation about the axis leaves alone
        has been taken out: near 1 for a map that has the symmetry, near 0 or below for one that has not, even when
        both look like a ring or a disc.
    """

    aligned: Array
    rotation: NDArray[np.float64]
    shift_A: NDArray[np.float64]
    score: float


def find_symmetry(
    volume: Array, pixel_size_A: float, symmetry: str, resolution_A: float = 20.0, may_stand: bool = False
) -> SymmetryAlignment:
    """Turn and centre a map so that its symmetry axes stand where the point group's operators expect them.

    Parameters
    ----------
    volume : (n, n, n) map in any orientation, roughly centred.
    pixel_size_A : voxel size.
    symmetry : point group, for example ``"C8"`` (axis to z) or ``"D2"`` (2-folds to x, y, z).
    resolution_A : finest detail that the search uses.
    may_stand : the map may well stand as it should, as models of an earlier step do: then little is searched.

    Returns
    -------
    SymmetryAlignment

    Raises
    ------
    ValueError
        If the map is not a cube or the point group is not known.
    """
    if volume.ndim != 3 or len(set(volume.shape)) != 1:
        raise ValueError(f"the map has shape {tuple(volume.shape)}: a cube (n, n, n) is needed")
    xp = array_namespace(volume)
    cube = np.asarray(to_numpy(volume), dtype=np.float32)
    operators = np.asarray(point_group(symmetry), dtype=np.float64)
    n = cube.shape[0]
    box_A = n * pixel_size_A
    fine_px = min(box_A / resolution_A, 0.45 * n)
    coarse_px = min(fine_px, box_A / max(30.0, 4.0 * pixel_size_A))
    if len(operators) == 1:
        rotation, shift = np.eye(3), -_centre(cube, coarse_px)
        return SymmetryAlignment(
            xp.asarray(transform_volume(cube, rotation, shift)), rotation, shift * pixel_size_A, 1.0
        )
    judge = _Agreement(cube, symmetry, operators, fine_px, 2500)
    score = -1.0
    if may_stand:
        _, rotation, shift = judge.climb(np.eye(3), -_centre(cube, coarse_px))
        score = judge.anisotropic(rotation, shift)
    if score < _STANDS:
        starts = _search(cube, symmetry, operators, coarse_px)
        rough = _Agreement(cube, symmetry, operators, coarse_px, 600)
        climbed = sorted((rough.climb(*start) for start in starts), key=_first)
        climbed = sorted((judge.climb(*start) for _, *start in climbed[-2:]), key=_first)
        _, rotation, shift = climbed[-1]
        score = judge.anisotropic(rotation, shift)
    aligned = xp.asarray(transform_volume(cube, rotation, shift))
    return SymmetryAlignment(aligned, rotation, shift * pixel_size_A, score)


def _first(item: tuple[Any, ...]) -> float:
    return float(item[0])


def _centre(cube: NDArray[Any], radius_px: float) -> NDArray[np.float64]:
    size = min(cube.shape[0], 2 * int(radius_px) + 2)
    return centre_of_mass_px(fourier_resize_volume(cube, size)) * (cube.shape[0] / size)


def _search(
    cube: NDArray[Any], symmetry: str, operators: NDArray[np.float64], radius_px: float
) -> list[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Most promising (rotation, shift) pairs of a grid, judged by a few operators."""
    step = float(np.clip(120.0 / radius_px, 6.0, 16.0))
    if parse_symmetry(symmetry)[0] == "C":  # only the direction of the axis matters
        half = directions_grid(step / 2)
        angles = np.column_stack([direction_to_angles(half[half[:, 2] >= 0]), np.zeros((half[:, 2] >= 0).sum())])
        rotations = euler_to_matrix(angles)
    else:
        rotations = rotation_grid(step)
    centre = _centre(cube, radius_px)
    points, shells = half_sphere(radius_px, 2.0)
    sampler = FourierSampler(transform_volume(cube, np.eye(3), -centre, order=1), radius_px, 1)
    chosen = operators[[1, len(operators) // 2, len(operators) - 1]]
    scores = np.empty(len(rotations))
    for start in range(0, len(rotations), 256):
        part = slice(start, start + 256)
        turned = points @ rotations[part]
        values = whitened(sampler(turned), shells)
        mates = [whitened(sampler((points @ g) @ rotations[part]), shells) for g in chosen]
        scores[part] = sum((values * np.conj(m)).real.sum(axis=-1) for m in mates)
    best = distinct_best(scores, rotations, _CANDIDATES)
    return [(rotations[i], -rotations[i] @ centre) for i in best]


class _Agreement:
    """Correlation of a moved map with its symmetry mates, on whitened Fourier coefficients."""

    def __init__(
        self, cube: NDArray[Any], symmetry: str, operators: NDArray[np.float64], radius_px: float, most_points: int
    ) -> None:
        self.box_px = cube.shape[0]
        self.radius_px = radius_px
        points, shells = half_sphere(radius_px, 2.0)
        stride = len(points) // most_points + 1
        self.points, self.shells = points[::stride], shells[::stride]
        self.sampler = FourierSampler(cube, radius_px, 3)
        every = (len(operators) - 1) // _MOST_OPERATORS + 1
        self.operators = np.concatenate([operators[:1], operators[1::every]])
        self.axial = parse_symmetry(symmetry)[0] in ("C", "D")

    def _values(self, matrices: NDArray[Any], rotation: NDArray[Any], shift: NDArray[Any]) -> NDArray[Any]:
        turned = self.points @ matrices
        values = self.sampler(turned @ rotation) * np.exp(-2j * np.pi / self.box_px * (turned @ shift))
        return whitened(values, self.shells)

    def score(self, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> float:
        """Mean correlation with the mates; no constant background is taken out."""
        return _mean_correlation(self._values(self.operators, rotation, shift))

    def anisotropic(self, rotation: NDArray[np.float64], shift: NDArray[np.float64]) -> float:
        """Mean correlation with the mates of what depends on the angle about the axis."""
        values = self._values(self.operators, rotation, shift)
        if not self.axial:
            return _mean_correlation(values - _shell_means(values, self.shells))
        turns = np.stack([axis_rotation((0, 0, 1), 360.0 * i / _CYLINDER_STEPS) for i in range(_CYLINDER_STEPS)])
        rings = np.stack(
            [self._values(np.stack([np.eye(3), *turns @ g]), rotation, shift)[1:].mean(axis=0) for g in self.operators]
        )
        return _mean_correlation(values - rings)

    def climb(
        self, rotation: NDArray[np.float64], shift: NDArray[np.float64]
    ) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Nearest maximum of `score`."""
        return maximise_pose(self.score, rotation, shift, self.radius_px, self.box_px)


def _mean_correlation(values: NDArray[Any]) -> float:
    """Correlation of the first row with the mean of the others (m, k)."""
    first, others = values[0], values[1:]
    norms = np.sqrt((np.abs(first) ** 2).sum() * (np.abs(others) ** 2).sum(axis=1))
    return float(((first * np.conj(others)).real.sum(axis=1) / np.maximum(norms, 1e-20)).mean())


def _shell_means(values: NDArray[Any], shells: NDArray[np.int64]) -> NDArray[Any]:
    count = np.maximum(np.bincount(shells), 1)
    rows = [np.bincount(shells, v.real) / count for v in values]
    return np.stack(rows)[:, shells]
