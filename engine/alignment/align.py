"""Aligning one map with another: rotation, shift and hand, and what the map is worth against the truth.

A global search over rotations and shifts at low resolution (Fourier coefficients whitened shell by shell, so that the
score is a mean of FSC values) is followed by a continuous refinement of the best candidates at rising resolution.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.alignment.rigid import mirror_volume, transform_volume
from engine.alignment.search import (
    Candidate,
    best_of_each_hand,
    refine_candidates,
    search_globally,
)
from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.geometry import rotation_angle_deg
from engine.symmetry import point_group


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
    found = search_globally(mobile, target, coarse_px, check_hand)
    found = best_of_each_hand(refine_candidates(mobile, target, found, coarse_px, None, 600), 3)
    found = refine_candidates(mobile, target, found, min(2.0 * coarse_px, 0.45 * n), None, 3000)
    hands = [_finished(mobile, target, c, box_A, coarse_px) for c in best_of_each_hand(found, 1)]
    curves = [_fsc_of(mobile, target, c) for c in hands]
    # hands look alike at low resolution: they are judged on the finest shells that either of them reaches
    reach = max(_reach_px(curve, box_A, coarse_px) for curve in curves)
    agreement = [float(curve[1 : int(reach) + 1].mean()) for curve in curves]
    best = _least_rotation(hands[int(np.argmax(agreement))], symmetry)
    hand = mirror_volume(mobile) if best.flipped else mobile
    aligned = xp.asarray(transform_volume(hand, best.rotation, best.shift_px))
    return AlignmentResult(best.rotation, best.shift_px * pixel_size_A, best.flipped, aligned, best.score)


def _finished(
    mobile: NDArray[Any], target: NDArray[Any], found: Candidate, box_A: float, coarse_px: float
) -> Candidate:
    """Refine a place to the resolution at which the maps agree there."""
    curve = _fsc_of(mobile, target, found)
    final_px = _reach_px(curve, box_A, coarse_px)
    return refine_candidates(mobile, target, [found], final_px, np.clip(curve, 0.05, 1.0), 6000)[0]


def _reach_px(curve: NDArray[Any], box_A: float, coarse_px: float) -> float:
    """Radius out to which the FSC stays above 0.3; the box may be odd."""
    below = np.flatnonzero(curve[1:] < 0.3)
    reach = float(below[0] + 1) if len(below) else float(len(curve) - 1)
    return float(np.clip(reach, coarse_px, 0.9 * (len(curve) - 1)))


def _least_rotation(found: Candidate, symmetry: str) -> Candidate:
    operators = np.asarray(point_group(symmetry), dtype=np.float64)
    turned = operators @ found.rotation
    index = int(np.argmax(np.trace(turned, axis1=1, axis2=2) - 1e-9 * np.arange(len(turned))))
    return Candidate(found.score, turned[index], operators[index] @ found.shift_px, found.flipped)


def _fsc_of(mobile: NDArray[Any], target: NDArray[Any], found: Candidate) -> NDArray[Any]:
    hand = mirror_volume(mobile) if found.flipped else mobile
    moved = transform_volume(hand, found.rotation, found.shift_px, order=3)
    return np.asarray(fourier_shell_correlation(moved, target))


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
