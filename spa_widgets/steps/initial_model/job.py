"""Ab-initio reconstruction: reads particles, writes models and first poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.display import contrast_by_sigma
from engine.initial_model.ab_initio import (
    InitialModelOptions,
    InitialModelState,
    central_slices,
    initial_model,
)
from engine.initial_model.poses import ParticlePoses, assign_poses
from engine.initial_model.state import starts_that_agree
from engine.mapping import MapAdd
from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import JobContext

_LEAST_SYMMETRY = 0.3


def run(ctx: JobContext) -> None:
    """Write ``volume_1.mrc`` … (largest class first) and ``particles.star``; report scores of starts and classes."""
    dataset = ParticleSet.read(ctx.input("particles")).with_absolute_names()
    for sentence in particle_warnings(dataset, ctx.params.mask_diameter_A):
        ctx.warn(sentence)
    try:
        options = InitialModelOptions(**ctx.params.model_dump(exclude={"seed"}))
    except ValueError as error:
        raise UserError(f"{dataset.path}: {error}.") from error
    particles = dataset.to_engine()
    with ctx.mapping(particles, dataset.path) as map_add:
        try:
            with ctx.stage("search"):
                state = _search(ctx, particles, options, map_add)
        except ValueError as error:
            raise UserError(f"{dataset.path}: {error}.") from error
        with ctx.stage("assign"):
            poses = assign_poses(particles, options, state, ctx.xp, map_add)
    with ctx.stage("write"):
        _write(ctx, dataset, options, state, poses)


def _search(ctx: JobContext, particles: Particles, options: InitialModelOptions, map_add: MapAdd) -> InitialModelState:
    kept = ctx.load_checkpoint()
    state = None if kept is None else InitialModelState.from_dict(kept)
    ctx.progress(state.done if state else 0, state.total if state else 1, "preparing images")
    for found in initial_model(particles, options, ctx.rng(), state, ctx.xp, map_add):
        state = found
        message = _show(ctx, state)
        ctx.save_checkpoint(state.to_dict())
        ctx.progress(state.done, state.total, message)
    if state is None:
        raise UserError("The initial model made no iteration; expected at least 1.")
    return state


def _show(ctx: JobContext, state: InitialModelState) -> str:
    """Send what a person wants to see of an iteration; return where the search is, in words."""
    message = f"start {state.start_at_work + 1}, iteration {state.iteration_done}: {state.resolution_A:.0f} Å"
    ctx.picture("slices", contrast_by_sigma(central_slices(state.volumes), 4.0), f"{message} (z, y, x of each class)")
    ctx.event(
        "iteration",
        iteration=state.done,
        start=state.start_at_work,
        resolution_A=state.resolution_A,
        score=float(state.score[-1]),
        max_probability=state.max_probability,
        class_fraction=[float(share) for share in state.class_fraction],
    )
    return message


def _write(
    ctx: JobContext,
    dataset: ParticleSet,
    options: InitialModelOptions,
    state: InitialModelState,
    poses: ParticlePoses,
) -> None:
    order = np.argsort(-np.bincount(poses.model, minlength=options.classes), kind="stable")
    for rank, k in enumerate(order):
        write_mrc(ctx.out / f"volume_{rank + 1}.mrc", state.volumes[k], dataset.pixel_size_A)
    number: NDArray[np.int64] = np.argsort(order)[poses.model] + 1
    posed = dataset.with_poses(poses.angles_deg, poses.shifts_A)
    table = posed.table.assign(
        rlnClassNumber=number,
        rlnMaxValueProbDistribution=poses.probability,
        spaClassProbability=poses.class_probability.max(axis=1),
        spaLogLikelihood=poses.score,
        spaTrust=poses.trust,
    )
    posed.with_table(table).write(ctx.out / "particles.star")
    _report(ctx, state, poses, number)


def _report(ctx: JobContext, state: InitialModelState, poses: ParticlePoses, number: NDArray[np.int64]) -> None:
    ctx.figure("score", float(state.score[-1]))
    ctx.figure("start_scores", [round(float(score), 3) for score in state.start_scores])
    ctx.figure("start_carried_on", state.best_start + 1)
    ctx.figure("half_fsc_resolution_A", state.half_fsc_resolution_A)
    ctx.figure("working_resolution_A", state.resolution_A)
    ctx.figure("mean_max_probability", float(poses.probability.mean()))
    ctx.figure("class_counts", np.bincount(number)[1:].tolist())
    ctx.figure("distrusted_particles", int((poses.trust < 0.5).sum()))
    starts = starts_that_agree(state)
    if starts is not None:
        alike, others, best_A = starts
        ctx.figure("starts_alike", alike)
        ctx.figure("start_agreement_A", best_A)
        if alike == 0:
            ctx.warn(
                f"Unsure: no other start found the model carried on ({others} tried); the most alike agrees with it "
                f"to {best_A:.0f} Å only (FSC 0.5 at a working resolution of {state.start_resolution_A:.0f} Å). "
                "Look at the model, or run again with more starts or another seed."
            )
    if len(state.symmetry_score):
        ctx.figure("symmetry_score", [round(float(s), 3) for s in state.symmetry_score])
        if state.symmetry_score.max() < _LEAST_SYMMETRY:
            ctx.warn(
                f"Unsure: before the symmetry was imposed, the model agreed with its symmetry mates by only "
                f"{state.symmetry_score.max():.2f} (1 is perfect). Run in C1 and look for the symmetry there."
            )
