"""A first model from nothing: stochastic expectation-maximisation over mini-batches, from several random starts.

Each mini-batch is compared with slices of the current model over a grid of poses that is turned at random every time;
the best poses, weighted by their posterior, are added to running sums that forget; the working resolution grows. This
is the online form of expectation-maximisation (Cappé & Moulines, J R Stat Soc B 71, 593, 2009), close to the
stochastic gradient descent of Punjani, Rubinstein, Fleet & Brubaker, Nat Methods 14, 290 (2017).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.fourier.crop import fourier_resize_volume
from engine.fourier.shells import resolution_at
from engine.particles import Particles
from engine.reconstruction.initial_model_images import ImagePreparer
from engine.reconstruction.initial_model_options import InitialModelOptions
from engine.reconstruction.initial_model_run import BatchResult, Run

__all__ = ["InitialModelOptions", "InitialModelState", "initial_model"]

_LEAST_PARTICLES = 24


@dataclass(frozen=True)
class InitialModelState:
    """Where a run stands after an iteration; enough to go on from.

    Attributes
    ----------
    seed : drawn from the generator given; all randomness follows from it.
    start, iteration : the start to work on next and its iterations done.
    start_at_work, iteration_done : those of the iteration just done.
    half_fsc_resolution_A : where the models of odd and even folds agree to 0.143.
    done, total : iterations done and to do, over all starts.
    resolution_A : working resolution of this iteration.
    score : (done,) mean log-likelihood of images new to the model, one for each iteration so far.
    start_scores : (starts,) that by which starts are compared; nan for those not yet compared.
    best_start : the start that is carried on; -1 before the comparison.
    sums, best_sums : sums of the start at work and of the best start so far.
    volumes : (classes, n, n, n) models on the particles' own grid.
    pixel_size_A : of the volumes.
    max_probability : median over the last batch of the weight of the best pose.
    class_fraction : (classes,)
    """

    seed: int
    start: int
    iteration: int
    start_at_work: int
    iteration_done: int
    half_fsc_resolution_A: float
    done: int
    total: int
    resolution_A: float
    score: NDArray[np.float64]
    start_scores: NDArray[np.float64]
    best_start: int
    sums: Mapping[str, Any]
    best_sums: Mapping[str, Any]
    volumes: NDArray[np.float32]
    pixel_size_A: float
    max_probability: float
    class_fraction: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        """Arrays and plain values only."""
        plain = {k: v for k, v in self.__dict__.items() if k not in ("sums", "best_sums")}
        return plain | {f"{g}.{k}": v for g in ("sums", "best_sums") for k, v in getattr(self, g).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> InitialModelState:
        """Undo `to_dict` (values may have become 0-d arrays)."""
        values: dict[str, Any] = {"sums": {}, "best_sums": {}}
        for key, value in data.items():
            group, _, name = key.partition(".")
            if name:
                values[group][name] = np.asarray(value)
            else:
                values[key] = value.item() if isinstance(value, np.ndarray) and value.ndim == 0 else value
        return cls(**values)


def initial_model(
    particles: Particles,
    options: InitialModelOptions,
    rng: np.random.Generator,
    state: InitialModelState | None = None,
) -> Iterator[InitialModelState]:
    """Find models of particles whose poses are unknown; yields after every iteration.

    Parameters
    ----------
    particles : at least 24.
    options : InitialModelOptions
    rng : start of all randomness (not used when a state is given).
    state : to go on from; the result is the same as without the interruption.

    Raises
    ------
    ValueError
        When there are too few particles, or the box is too small for the mask.
    """
    _check(particles, options)
    seed = int(rng.integers(2**31)) if state is None else state.seed
    preparer = make_preparer(particles, options, seed)
    if state is None:
        state = _first_state(options, seed)
    while state.done < state.total:
        state = _advance(state, preparer, options)
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


def make_preparer(particles: Particles, options: InitialModelOptions, seed: int) -> ImagePreparer:
    """Return the source of images of a run."""
    rng = np.random.default_rng([seed, 0])
    return ImagePreparer(particles, options.mask_diameter_A, options.max_shift_A, options.final_resolution_A, rng)


def _first_state(options: InitialModelOptions, seed: int) -> InitialModelState:
    total = options.start_count * options.start_iterations + options.iterations - options.start_iterations
    return InitialModelState(
        seed=seed,
        start=0,
        iteration=0,
        start_at_work=0,
        iteration_done=0,
        half_fsc_resolution_A=float("inf"),
        done=0,
        total=total,
        resolution_A=options.start_resolution_A,
        score=np.zeros(0),
        start_scores=np.full(options.start_count, np.nan),
        best_start=-1,
        sums={},
        best_sums={},
        volumes=np.zeros((0, 0, 0, 0), dtype=np.float32),
        pixel_size_A=0.0,
        max_probability=0.0,
        class_fraction=np.zeros(0),
    )


def resume_run(
    preparer: ImagePreparer, options: InitialModelOptions, seed: int, start: int, sums: Mapping[str, Any]
) -> Run:
    """Return a start as its sums left it, or at its beginning where there are none."""
    run = Run(preparer, options, seed + 7919 * (start + 1))
    if sums:
        run.load_dict(dict(sums))
    else:
        run.begin()
    return run


def _advance(state: InitialModelState, preparer: ImagePreparer, options: InitialModelOptions) -> InitialModelState:
    run = resume_run(preparer, options, state.seed, state.start, state.sums)
    resolution_A = options.resolution_A(state.iteration)
    results = run.iterate(
        state.iteration,
        resolution_A,
        options.batch(state.iteration),
        options.memory(state.iteration, preparer.particles.count),
        options.heat(state.iteration, state.score[-1] if state.iteration else 0.0),
    )
    run.measure_fsc(resolution_A)
    score = float(np.mean([r.score.mean() for r in results]))
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
        volumes=np.stack([to_particle_grid(run.model(k, resolution_A), preparer) for k in range(options.classes)]),
        pixel_size_A=preparer.particles.pixel_size_A,
        max_probability=_median_probability(results),
        class_fraction=_class_fraction(results),
    )
    if state.best_start < 0 and done.iteration == options.start_iterations:
        return _compared(done, options, score)
    return done


def _compared(state: InitialModelState, options: InitialModelOptions, score: float) -> InitialModelState:
    """Note the score of a start; go on to the next, or after the last one to the best."""
    scores = state.start_scores.copy()
    scores[state.start] = score
    best = int(np.nanargmax(scores))
    best_sums = state.sums if best == state.start else state.best_sums
    if state.start + 1 < options.start_count:
        return replace(state, start_scores=scores, start=state.start + 1, iteration=0, sums={}, best_sums=best_sums)
    return replace(state, start_scores=scores, start=best, best_start=best, sums=best_sums, best_sums={})


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


def start_margin(state: InitialModelState) -> float | None:
    """By what share the best start scores above the median of all; None for a single start."""
    known = state.start_scores[np.isfinite(state.start_scores)]
    if len(known) < 2:
        return None
    return float(known.max() / max(float(np.median(known)), 1e-6) - 1.0)
