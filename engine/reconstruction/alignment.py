"""Aligning one map with another: rotation, shift and hand, and what the map is worth against the truth.

A global search over rotations and shifts at low resolution (Fourier coefficients whitened shell by shell, so that the
score is a mean of FSC values) is followed by a continuous refinement of the best candidates at rising resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.geometry import rotation_angle_deg
from engine.reconstruction.rigid import (
    FourierSampler,
    centre_of_mass_px,
    half_sphere,
    mirror_volume,
    transform_volume,
)
from engine.reconstruction.rigid_search import distinct_best, maximise_pose, rotation_grid, whitened
from engine.reconstruction.symmetry_axis import find_symmetry
from engine.symmetry import point_group

_CANDIDATES = 8


@dataclass(frozen=True)
class AlignmentResult:
    """How a map was brought onto another one.

    Attributes
    ----------
    rotation : (3, 3), acting on x, y, z: ``aligned(r) = moving(rotation.T @ (r - shift))``.
    shift_A : (3,) x, y, z, applied after the rotation.
    hand_flipped : whether the map was mirrored (in z) before it was rotated.
    aligned : (n, n, n) float32, the moved map.
    correlation : mean FSC within the resolution of the last refinement.
    """

    rotation: NDArray[np.float64]
    shift_A: NDArray[np.float64]
    hand_flipped: bool
    aligned: Array
    correlation: float


@dataclass(frozen=True)
class _Candidate:
    score: float
    rotation: NDArray[np.float64]
    shift_px: NDArray[np.float64]
    flipped: bool


def align_maps(
    moving: Array,
    reference: Array,
    pixel_size_A: float,
    symmetry: str = "C1",
    check_hand: bool = True,
    resolution_A: float | None = None,
) -> AlignmentResult:
    """Bring `moving` onto `reference` by a rotation, a shift and, if allowed, a change of hand.

    Parameters
    ----------
    moving, reference : (n, n, n) real arrays on the same grid.
    pixel_size_A : voxel size.
    symmetry : point group of the reference; of all equivalent answers the one with the least rotation is returned.
    check_hand : also try the mirror image of `moving`.
    resolution_A : of the global search; 30 Å (finer for small boxes) when not given. The refinement that follows
        goes on to the resolution at which the two maps still agree.

    Returns
    -------
    AlignmentResult

    Raises
    ------
    ValueError
        If the maps are not cubes of the same size.
    """
    if moving.ndim != 3 or len(set(moving.shape)) != 1 or tuple(moving.shape) != tuple(reference.shape):
        raise ValueError(
            f"the maps have shapes {tuple(moving.shape)} and {tuple(reference.shape)}: two cubes of the same size "
            "are needed; resample one of them first"
        )
    xp = array_namespace(moving)
    mobile, target = (np.asarray(to_numpy(v), dtype=np.float32) for v in (moving, reference))
    n = mobile.shape[0]
    box_A = n * pixel_size_A
    coarse_A = resolution_A or float(np.clip(box_A / 7.0, 4.0 * pixel_size_A, 30.0))
    coarse_px = min(box_A / coarse_A, 0.45 * n)
    best = _global_search(mobile, target, coarse_px, check_hand)
    best = _refined(mobile, target, best, coarse_px, None, 600)[:3]
    best = _refined(mobile, target, best, min(2.0 * coarse_px, 0.45 * n), None, 3000)[:1]
    curve = _fsc_of(mobile, target, best[0])
    final_px = float(np.clip(box_A / resolution_at(curve, n, pixel_size_A, 0.3), coarse_px, 0.45 * n))
    best = _refined(mobile, target, best, final_px, np.clip(curve, 0.05, 1.0), 6000)
    found = _least_rotation(best[0], symmetry)
    hand = mirror_volume(mobile) if found.flipped else mobile
    aligned = xp.asarray(transform_volume(hand, found.rotation, found.shift_px))
    return AlignmentResult(found.rotation, found.shift_px * pixel_size_A, found.flipped, aligned, found.score)


def _least_rotation(found: _Candidate, symmetry: str) -> _Candidate:
    operators = np.asarray(point_group(symmetry), dtype=np.float64)
    turned = operators @ found.rotation
    index = int(np.argmax(np.trace(turned, axis1=1, axis2=2) - 1e-9 * np.arange(len(turned))))
    return _Candidate(found.score, turned[index], operators[index] @ found.shift_px, found.flipped)


def _fsc_of(mobile: NDArray[Any], target: NDArray[Any], found: _Candidate) -> NDArray[Any]:
    hand = mirror_volume(mobile) if found.flipped else mobile
    moved = transform_volume(hand, found.rotation, found.shift_px, order=3)
    return np.asarray(fourier_shell_correlation(moved, target))


def _shift_ball(radius_px: float, step_px: float) -> NDArray[np.float64]:
    count = int(np.ceil(radius_px / step_px))
    axis = np.arange(-count, count + 1) * step_px
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[np.linalg.norm(grid, axis=1) <= count * step_px + 1e-9]


def _global_search(mobile: NDArray[Any], target: NDArray[Any], radius_px: float, check_hand: bool) -> list[_Candidate]:
    n = mobile.shape[0]
    points, shells = half_sphere(radius_px)
    smooth = fourier_resize_volume(target, min(n, 2 * int(radius_px) + 2))
    target_centre = centre_of_mass_px(smooth) * (n / smooth.shape[0])
    wanted = whitened(FourierSampler(target, radius_px, 1)(points), shells)
    wanted = wanted * np.exp(2j * np.pi / n * (points @ target_centre))
    # A shift is felt once it turns the phase at the working resolution by a quarter turn.
    offsets = _shift_ball(0.5 * n / radius_px, 0.25 * n / radius_px)
    ramps = np.exp(-2j * np.pi / n * (points @ offsets.T)).astype(np.complex64)
    rotations = rotation_grid(float(np.clip(60.0 / radius_px * 2.0, 8.0, 18.0)))
    found: list[_Candidate] = []
    for flipped in (False, True) if check_hand else (False,):
        hand = mirror_volume(mobile) if flipped else mobile
        centre = centre_of_mass_px(fourier_resize_volume(hand, smooth.shape[0])) * (n / smooth.shape[0])
        sampler = FourierSampler(transform_volume(hand, np.eye(3), -centre, order=1), radius_px, 1)
        scores, which = _score_rotations(sampler, rotations, points, shells, wanted, ramps)
        for index in distinct_best(scores, rotations, _CANDIDATES):
            rotation = rotations[index]
            shift = target_centre + offsets[which[index]] - rotation @ centre
            found.append(_Candidate(float(scores[index]), rotation, shift, flipped))
    return found


def _score_rotations(
    sampler: FourierSampler,
    rotations: NDArray[np.float64],
    points: NDArray[np.float64],
    shells: NDArray[np.int64],
    wanted: NDArray[Any],
    ramps: NDArray[Any],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Best score over shifts, and the index of that shift, for each rotation."""
    scores = np.empty(len(rotations))
    which = np.empty(len(rotations), dtype=np.int64)
    scale = np.ones(len(points), dtype=np.float32)
    for start in range(0, len(rotations), 512):
        part = slice(start, start + 512)
        values = sampler(points @ rotations[part])  # row vectors: k @ R is R.T k
        if start == 0:
            scale = (whitened(values, shells)[0] / np.where(values[0] == 0, 1, values[0])).real.astype(np.float32)
        table = ((values * scale * np.conj(wanted)).astype(np.complex64) @ ramps).real / len(points)
        which[part] = table.argmax(axis=1)
        scores[part] = table.max(axis=1)
    return scores, which


def _refined(
    mobile: NDArray[Any],
    target: NDArray[Any],
    candidates: list[_Candidate],
    radius_px: float,
    weights: NDArray[Any] | None,
    most_points: int,
) -> list[_Candidate]:
    """Candidates refined at the given radius, best first; `weights` per shell."""
    n = mobile.shape[0]
    points, shells = half_sphere(radius_px)
    stride = len(points) // most_points + 1  # a pose has six unknowns: some of the coefficients say enough
    points, shells = points[::stride], shells[::stride]
    wanted = whitened(FourierSampler(target, radius_px, 3)(points), shells)
    wanted = np.conj(wanted) * (np.ones(len(points)) if weights is None else weights[shells])
    total = len(points) if weights is None else float(weights[shells].sum())
    refined = []
    for flipped in sorted({c.flipped for c in candidates}):
        sampler = FourierSampler(mirror_volume(mobile) if flipped else mobile, radius_px, 3)
        scale = np.abs(whitened(sampler(points), shells)) / np.maximum(np.abs(sampler(points)), 1e-30)

        def score(
            rotation: NDArray[Any], shift: NDArray[Any], sampler: FourierSampler = sampler, scale: Any = scale
        ) -> float:
            values = sampler(points @ rotation) * np.exp(-2j * np.pi / n * (points @ shift))
            return float((values * scale * wanted).sum().real) / total

        for c in (c for c in candidates if c.flipped == flipped):
            refined.append(_Candidate(*maximise_pose(score, c.rotation, c.shift_px, radius_px, n), flipped))
    return sorted(refined, key=lambda c: -c.score)


@dataclass(frozen=True)
class MapComparison:
    """A map against the truth.

    Attributes
    ----------
    fsc : (n//2+1,)
    shell_resolution_A : (n//2+1,), the first is infinite.
    resolution_05_A, resolution_0143_A : where the FSC first drops below 0.5 and 0.143.
    correlation : in real space, inside the mask.
    hand_flipped, rotation, shift_A : as in `AlignmentResult`.
    rotation_deg : angle of the rotation.
    aligned : (n, n, n) float32, the map on the truth's frame (not masked).
    """

    fsc: NDArray[np.float64]
    shell_resolution_A: NDArray[np.float64]
    resolution_05_A: float
    resolution_0143_A: float
    correlation: float
    hand_flipped: bool
    rotation: NDArray[np.float64]
    rotation_deg: float
    shift_A: NDArray[np.float64]
    aligned: Array


def compare_with_truth(
    volume: Array,
    truth: Array,
    pixel_size_A: float,
    symmetry: str = "C1",
    mask: Array | None = None,
    align: bool = True,
    check_hand: bool = True,
) -> MapComparison:
    """FSC of a map with the known truth, after bringing it onto the truth.

    Parameters
    ----------
    volume, truth : (n, n, n) on one grid.
    pixel_size_A : voxel size.
    symmetry : point group of the truth.
    mask : (n, n, n) soft mask on the truth's frame, put on both maps before the comparison.
    align : False compares the maps as they lie.
    check_hand : allow the mirror image.
    """
    found = AlignmentResult(np.eye(3), np.zeros(3), False, volume, 1.0)
    if align:
        found = align_maps(volume, truth, pixel_size_A, symmetry, check_hand)
    left, right = (np.asarray(to_numpy(v), dtype=np.float32) for v in (found.aligned, truth))
    inside = np.ones(right.shape, dtype=bool)
    if mask is not None:
        weight = np.asarray(to_numpy(mask), dtype=np.float32)
        left, right, inside = left * weight, right * weight, weight > 0.5
    curve = fourier_shell_correlation(left, right)
    n = right.shape[0]
    with np.errstate(divide="ignore"):
        shells_A = n * pixel_size_A / np.arange(len(curve))
    return MapComparison(
        curve,
        shells_A,
        resolution_at(curve, n, pixel_size_A, 0.5),
        resolution_at(curve, n, pixel_size_A, 0.143),
        float(np.corrcoef(left[inside], right[inside])[0, 1]),
        found.hand_flipped,
        found.rotation,
        float(rotation_angle_deg(found.rotation, np.eye(3))),
        found.shift_A,
        found.aligned,
    )


def map_fsc_to_truth(
    volume: Array,
    truth: Array,
    pixel_size_A: float,
    symmetry: str = "C1",
    mask: Array | None = None,
    align: bool = True,
) -> dict[str, Any]:
    """`compare_with_truth` as a dictionary of its attributes."""
    found = compare_with_truth(volume, truth, pixel_size_A, symmetry, mask, align)
    return {name: getattr(found, name) for name in found.__dataclass_fields__}


def align_to_symmetry(
    volume: Array, pixel_size_A: float, symmetry: str, resolution_A: float = 20.0
) -> tuple[Array, NDArray[np.float64], float]:
    """Turn and centre a map so that its symmetry axes stand where the point group expects them.

    Short form of `engine.reconstruction.symmetry_axis.find_symmetry`, which also tells the shift.

    Returns
    -------
    aligned (n, n, n) map (not symmetrised), rotation (3, 3), and a score: near 1 for a map that has the symmetry, near
    0 or below for one that has not, even when both look like a ring or a disc.
    """
    found = find_symmetry(volume, pixel_size_A, symmetry, resolution_A)
    return found.aligned, found.rotation, found.score
