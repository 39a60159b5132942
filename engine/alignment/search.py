"""Where one map may lie on another: a search over all rotations and shifts, and the climb from its best places."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.alignment.rigid import (
    FourierSampler,
    centre_of_mass_px,
    half_sphere,
    mirror_volume,
    transform_volume,
)
from engine.alignment.rigid_search import distinct_best, maximise_pose, rotation_grid, whitened
from engine.fourier.crop import fourier_resize_volume

_CANDIDATES = 8


@dataclass(frozen=True)
class Candidate:
    """A place: score, rotation (3, 3), shift (3,) in voxels, and whether the map was mirrored first."""

    score: float
    rotation: NDArray[np.float64]
    shift_px: NDArray[np.float64]
    flipped: bool


def _shift_ball(radius_px: float, step_px: float) -> NDArray[np.float64]:
    count = int(np.ceil(radius_px / step_px))
    axis = np.arange(-count, count + 1) * step_px
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), axis=-1).reshape(-1, 3)
    return grid[np.linalg.norm(grid, axis=1) <= count * step_px + 1e-9]


def search_globally(mobile: NDArray[Any], target: NDArray[Any], radius_px: float, check_hand: bool) -> list[Candidate]:
    """Best distinct rotations of each hand on a grid, each with its best shift, at a radius in 1/box."""
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
    found: list[Candidate] = []
    for flipped in (False, True) if check_hand else (False,):
        hand = mirror_volume(mobile) if flipped else mobile
        centre = centre_of_mass_px(fourier_resize_volume(hand, smooth.shape[0])) * (n / smooth.shape[0])
        sampler = FourierSampler(transform_volume(hand, np.eye(3), -centre, order=1), radius_px, 1)
        scores, which = _score_rotations(sampler, rotations, points, shells, wanted, ramps)
        for index in distinct_best(scores, rotations, _CANDIDATES):
            rotation = rotations[index]
            shift = target_centre + offsets[which[index]] - rotation @ centre
            found.append(Candidate(float(scores[index]), rotation, shift, flipped))
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


def refine_candidates(
    mobile: NDArray[Any],
    target: NDArray[Any],
    candidates: list[Candidate],
    radius_px: float,
    weights: NDArray[Any] | None,
    most_points: int,
) -> list[Candidate]:
    """Candidates refined at the given radius, best first; `weights` per shell."""
    n = mobile.shape[0]
    points, shells = half_sphere(radius_px)
    stride = len(points) // most_points + 1  # a pose has six unknowns: some of the coefficients say enough
    points, shells = points[::stride], shells[::stride]
    wanted = whitened(FourierSampler(target, radius_px, 3)(points), shells)
    wanted = np.conj(wanted) * (np.ones(len(points)) if weights is None else weights[shells])
    total = len(points) if weights is None else float(weights[shells].sum())
    found = []
    for flipped in sorted({c.flipped for c in candidates}):
        sampler = FourierSampler(mirror_volume(mobile) if flipped else mobile, radius_px, 3)
        scale = np.abs(whitened(sampler(points), shells)) / np.maximum(np.abs(sampler(points)), 1e-30)

        def score(
            rotation: NDArray[Any], shift: NDArray[Any], sampler: FourierSampler = sampler, scale: Any = scale
        ) -> float:
            values = sampler(points @ rotation) * np.exp(-2j * np.pi / n * (points @ shift))
            return float((values * scale * wanted).sum().real) / total

        for c in (c for c in candidates if c.flipped == flipped):
            found.append(Candidate(*maximise_pose(score, c.rotation, c.shift_px, radius_px, n), flipped))
    return sorted(found, key=lambda c: -c.score)


def best_of_each_hand(candidates: list[Candidate], count: int) -> list[Candidate]:
    """Return the first `count` of each hand: detail that tells hands apart may not have had its say yet."""
    return [c for hand in (False, True) for c in [c for c in candidates if c.flipped == hand][:count]]
