"""Poses of all particles against the final models of an ab-initio run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.geometry import matrix_to_euler
from engine.particles import Particles
from engine.reconstruction.initial_model import InitialModelState, make_preparer, resume_run
from engine.reconstruction.initial_model_candidates import Poses, posterior
from engine.reconstruction.initial_model_options import InitialModelOptions
from engine.reconstruction.initial_model_run import trust_in
from engine.reconstruction.initial_model_sums import FOLDS

_ASSIGNED_AT_ONCE = 250


@dataclass(frozen=True)
class ParticlePoses:
    """Poses of some particles against the final models.

    Attributes
    ----------
    indices : (m,) particles.
    angles_deg : (m, 3) rot, tilt, psi.
    shifts_A : (m, 2) centring shifts.
    model : (m,) class, from 0.
    probability : (m,) weight of the best pose.
    class_probability : (m, classes)
    score : (m,) log-likelihood above an empty model.
    trust : (m,) 0 for images that look like nothing else in the set.
    """

    indices: NDArray[np.intp]
    angles_deg: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    model: NDArray[np.int64]
    probability: NDArray[np.float32]
    class_probability: NDArray[np.float32]
    score: NDArray[np.float32]
    trust: NDArray[np.float32]


def assign_poses(
    particles: Particles, options: InitialModelOptions, state: InitialModelState, xp: Any = np
) -> Iterator[ParticlePoses]:
    """Compare every particle with the final models of the folds it is not in; yields batch after batch."""
    preparer = make_preparer(particles, options, state.seed, xp)
    run = resume_run(preparer, options, state.seed, state.start, state.sums)
    resolution_A = state.resolution_A
    rest = np.setdiff1d(np.arange(particles.count), np.concatenate(run.folds))
    for fold, members in enumerate([*run.folds, rest]):
        without = fold if fold < FOLDS else None
        models = run.models(resolution_A, without)
        ordered = np.sort(members)
        for i in range(0, len(ordered), _ASSIGNED_AT_ONCE):
            chosen = ordered[i : i + _ASSIGNED_AT_ONCE]
            images = preparer.prepare(chosen)
            poses = run.search(images, models, resolution_A, np.random.default_rng([state.seed, 9, fold, i]))
            yield _poses_of(chosen, poses, run.grid.pixel_size_A, options.classes, preparer.usable[chosen])


def _poses_of(
    chosen: NDArray[np.intp], poses: Poses, pixel_size_A: float, classes: int, usable: NDArray[np.bool_]
) -> ParticlePoses:
    weights = posterior(poses)
    share = np.stack([(weights * (poses.model == k)).sum(axis=1) for k in range(classes)], axis=1)
    return ParticlePoses(
        chosen,
        matrix_to_euler(poses.rotation[:, 0]),
        poses.shift_px[:, 0].astype(np.float64) * pixel_size_A,
        poses.model[:, 0],
        weights[:, 0],
        share,
        poses.score[:, 0],
        trust_in(poses.score[:, 0]) * usable,
    )


def join_poses(parts: list[ParticlePoses]) -> ParticlePoses:
    """Put batches together, in the order of the particles."""
    order = np.argsort(np.concatenate([p.indices for p in parts]))
    return ParticlePoses(
        *(np.concatenate([getattr(p, name) for p in parts])[order] for name in ParticlePoses.__dataclass_fields__)
    )
