"""Poses of all particles against the final models of an ab-initio run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.geometry import matrix_to_euler
from engine.initial_model.ab_initio import InitialModelState, resume_run
from engine.initial_model.candidates import Poses, posterior
from engine.initial_model.mapped import make_preparer
from engine.initial_model.options import InitialModelOptions
from engine.initial_model.run import Run, trust_in
from engine.initial_model.sums import FOLDS
from engine.mapping import MOST_CHUNKS, MapAdd, MapHere, Workspace
from engine.particles import Particles

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


@dataclass(frozen=True)
class _Models:
    """What all chunks share: the end of a run."""

    options: InitialModelOptions
    state: InitialModelState


def assign_poses(
    particles: Particles,
    options: InitialModelOptions,
    state: InitialModelState,
    xp: Any = np,
    map_add: MapAdd | None = None,
) -> ParticlePoses:
    """Compare every particle with the final models of the folds it is not in.

    Parameters
    ----------
    particles : Particles
    options, state
        Of the run, and its last state.
    xp : module
        Array namespace of the device to compute on.
    map_add : MapAdd or None
        Who maps the particles (see `engine.mapping`); None maps them here.
    """
    share = map_add or MapHere(particles, xp)
    parts = min(MOST_CHUNKS, -(-particles.count // _ASSIGNED_AT_ONCE))
    [(found, _)] = share(_assign_chunk, _Models(options, state), [[(part, parts) for part in range(parts)]])
    return _joined([poses for chunk in found for poses in chunk])


def _assign_chunk(workspace: Workspace, shared: _Models, chunk: tuple[int, int]) -> tuple[list[ParticlePoses], None]:
    """Assign the poses of one of so many parts of all batches."""
    if "run" not in workspace.kept:
        preparer = make_preparer(workspace, shared.options, shared.state.seed)
        workspace.kept["run"] = resume_run(
            preparer, shared.options, shared.state.seed, shared.state.start, shared.state.sums
        )
    run: Run = workspace.kept["run"]
    part, parts = chunk
    batches = _batches(run)
    mine = slice(part * len(batches) // parts, (part + 1) * len(batches) // parts)
    return [_assign_batch(workspace, shared.state, *batch) for batch in batches[mine]], None


def _batches(run: Run) -> list[tuple[int, int, NDArray[np.intp]]]:
    """Cut all particles into batches of one fold each; particles of none come last: fold, place in it, indices."""
    rest = np.setdiff1d(np.arange(run.preparer.particles.count), np.concatenate(run.folds))
    return [
        (fold, first, ordered[first : first + _ASSIGNED_AT_ONCE])
        for fold, ordered in enumerate([*map(np.sort, run.folds), rest])
        for first in range(0, len(ordered), _ASSIGNED_AT_ONCE)
    ]


def _assign_batch(
    workspace: Workspace, state: InitialModelState, fold: int, first: int, chosen: NDArray[np.intp]
) -> ParticlePoses:
    run: Run = workspace.kept["run"]
    if workspace.kept.get("models", (None,))[0] != fold:  # batches of one fold come one after the other
        workspace.kept["models"] = fold, run.models(state.resolution_A, fold if fold < FOLDS else None)
    images = run.preparer.prepare(chosen)
    rng = np.random.default_rng([state.seed, 9, fold, first])
    poses = run.search(images, workspace.kept["models"][1], state.resolution_A, rng)
    return _poses_of(chosen, poses, run.grid.pixel_size_A, run.options.classes, run.preparer.usable[chosen])


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


def _joined(parts: list[ParticlePoses]) -> ParticlePoses:
    """Put batches together, in the order of the particles."""
    order = np.argsort(np.concatenate([p.indices for p in parts]))
    return ParticlePoses(
        *(np.concatenate([getattr(p, name) for p in parts])[order] for name in ParticlePoses.__dataclass_fields__)
    )
