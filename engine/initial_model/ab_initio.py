"""A first model from nothing: stochastic expectation-maximisation over mini-batches, from several random starts.

Each mini-batch is compared with slices of the current model over a grid of poses that is turned at random every time;
the best poses, weighted by their posterior, are added to running sums that forget; the working resolution grows. This
is the online form of expectation-maximisation (Cappé & Moulines, J R Stat Soc B 71, 593, 2009), close to the
stochastic gradient descent of Punjani, Rubinstein, Fleet & Brubaker, Nat Methods 14, 290 (2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.shells import resolution_at
from engine.initial_model.images import ImagePreparer
from engine.initial_model.mapped import make_preparer
from engine.initial_model.options import InitialModelOptions
from engine.initial_model.run import BatchResult, Run
from engine.initial_model.starts import agreement_A, turn_onto_axes
from engine.initial_model.state import AGREE, InitialModelState, first_state
from engine.mapping import MapAdd, Workspace
from engine.particles import Particles

__all__ = ["InitialModelOptions", "InitialModelState", "initial_model"]

_LEAST_PARTICLES = 24


def initial_model(
    particles: Particles,
    options: InitialModelOptions,
    rng: np.random.Generator,
    state: InitialModelState | None = None,
    xp: Any = np,
    map_add: MapAdd | None = None,
) -> Iterator[InitialModelState]:
    """Find models of particles whose poses are unknown; yields after every iteration.

    Parameters
    ----------
    particles : at least 24.
    options : InitialModelOptions
    rng : start of all randomness (not used when a state is given).
    state : to go on from; the result is the same as without the interruption.
    xp : array namespace (device) that holds images, models and sums; states are always on the host.
    map_add : who searches poses where it has several workers (see `engine.mapping`); the result has the same bits.

    Raises
    ------
    ValueError
        When there are too few particles, or the box is too small for the mask.
    """
    _check(particles, options)
    seed = int(rng.integers(2**31)) if state is None else state.seed
    preparer = make_preparer(Workspace(particles, xp), options, seed)
    if state is None:
        state = first_state(options, seed)
    while state.done < state.total:
        state = _advance(state, preparer, options, map_add)
        yield state


def _check(particles: Particles, options: InitialModelOptions) -> None:
    if particles.count < _LEAST_PARTICLES:
        raise ValueError(
            f"there are {particles.count} particles; an initial model needs at least {_LEAST_PARTICLES}: choose more"
        )
    box_A = particles.box_px * particles.pixel_size_A
    if options.mask_diameter_A > box_A:
        raise ValueError(
            f"the mask of {options.mask_diameter_A:g} Å is larger than the box of {box_A:.0f} Å: "
            "give a smaller mask or extract larger boxes"
        )


def resume_run(
    preparer: ImagePreparer,
    options: InitialModelOptions,
    seed: int,
    start: int,
    sums: Mapping[str, Any],
    map_add: MapAdd | None = None,
) -> Run:
    """Return a start as its sums left it, or at its beginning where there are none."""
    run = Run(preparer, options, seed + 7919 * (start + 1))
    run.map_add, run.images_seed = map_add, seed
    if sums:
        run.load_dict(dict(sums))
    else:
        run.begin()
    return run


def _advance(
    state: InitialModelState, preparer: ImagePreparer, options: InitialModelOptions, map_add: MapAdd | None
) -> InitialModelState:
    resolution_A = options.resolution_A(state.iteration)
    free = state.best_start < 0 or options.symmetry == "C1"
    turned = None
    if not free and state.iteration == options.start_iterations:
        run = resume_run(preparer, options.free, state.seed, state.start, state.sums)
        run.refine_grid(resolution_A)
        turned = turn_onto_axes(run, options.symmetry, resolution_A)
        state = replace(state, symmetry_score=turned.score)
    run = resume_run(preparer, options.free if free else options, state.seed, state.start, state.sums, map_add)
    results = run.iterate(
        state.iteration,
        resolution_A,
        options.batch(state.iteration),
        options.memory(state.iteration, preparer.particles.count),
        options.heat(state.iteration, state.score[-1] if state.iteration else 0.0),
        None if turned is None else turned.references,
    )
    run.measure_fsc(resolution_A)
    score = float(np.mean([r.score.mean() for r in results]))
    models = [to_numpy(run.model(k, resolution_A)) for k in range(options.classes)]
    done = replace(
        state,
        start_at_work=state.start,
        iteration_done=state.iteration + 1,
        iteration=state.iteration + 1,
        done=state.done + 1,
        resolution_A=resolution_A,
        score=np.append(state.score, score),
        half_fsc_resolution_A=resolution_at(run.fsc[0], run.grid.box_px, run.grid.pixel_size_A),
        sums=run.to_dict(),
        volumes=np.stack([to_particle_grid(model, preparer) for model in models]),
        pixel_size_A=preparer.particles.pixel_size_A,
        max_probability=_median_probability(results),
        class_fraction=_class_fraction(results),
    )
    if state.best_start < 0 and done.iteration == options.start_iterations:
        largest = int(np.argmax(done.class_fraction))
        return _compared(done, options, models[largest], run.grid.pixel_size_A)
    return done


def _compared(
    state: InitialModelState, options: InitialModelOptions, model: NDArray[np.float32], pixel_size_A: float
) -> InitialModelState:
    """Note score and model (of the largest class) of a start; go on to the next, or after the last one to the best."""
    start, scores = state.start, state.start_scores.copy()
    scores[start] = state.score[-1]
    models = np.concatenate([state.start_models, model[None]]) if start else model[None]
    best = int(np.nanargmax(scores))
    agreement = np.full(len(scores), np.nan)
    for other in range(start + 1):
        if other != best:
            agreement[other] = agreement_A(models[best], models[other], pixel_size_A)
    best_sums = state.sums if best == start else state.best_sums
    state = replace(
        state,
        start_scores=scores,
        start_models=models,
        start_agreement_A=agreement,
        start_resolution_A=state.resolution_A,
    )
    alike = bool(np.any(agreement <= AGREE * state.resolution_A))
    if start + 1 < len(scores) and not (alike and options.starts is None):
        return replace(state, start=start + 1, iteration=0, sums={}, best_sums=best_sums)
    total = state.done + options.iterations - options.start_iterations
    return replace(state, start=best, best_start=best, total=total, sums=best_sums, best_sums={})


def _median_probability(results: list[BatchResult]) -> float:
    return float(np.median(np.concatenate([r.probability for r in results])))


def _class_fraction(results: list[BatchResult]) -> NDArray[np.float64]:
    total = np.sum([r.class_weight for r in results], axis=0)
    return np.asarray(total / total.sum())


def to_particle_grid(volume: NDArray[np.float32], preparer: ImagePreparer) -> NDArray[np.float32]:
    """Put a model of the small working grid into a box of the particles' size and sampling."""
    n, field_px = preparer.particles.box_px, preparer.field_px
    full = np.zeros((n, n, n), dtype=np.float32)
    low = n // 2 - field_px // 2
    inside = slice(low, low + field_px)
    full[inside, inside, inside] = fourier_resize_volume(volume, field_px)
    return full


def central_slices(volumes: NDArray[np.float32]) -> NDArray[np.float32]:
    """Central slices across z, y and x side by side, a row for each class: (classes n, 3 n)."""
    middle = volumes.shape[1] // 2
    rows = [np.concatenate([v[middle], v[:, middle], v[:, :, middle]], axis=1) for v in volumes]
    return np.concatenate(rows, axis=0)
