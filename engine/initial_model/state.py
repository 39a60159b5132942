"""Where an ab-initio run stands, to be looked at, kept and gone on from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.initial_model.options import InitialModelOptions

# two starts found the same where they agree to this many times their working resolution
AGREE = 1.4


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
    start_agreement_A : (starts,) resolution to which the model of each start agrees with that carried on (FSC 0.5), of
        several classes the largest; nan for that one itself and for those not compared.
    best_start : the start that is carried on; -1 before the comparison.
    symmetry_score : (classes,) how symmetric the models of the best start were before the symmetry was imposed; empty
        before that and in C1.
    sums, best_sums : sums of the start at work and of the best start so far.
    start_resolution_A : working resolution at which starts were compared; infinite before.
    start_models : (starts done, b, b, b) model of each start, of several classes the largest, on its working grid.
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
    start_agreement_A: NDArray[np.float64]
    best_start: int
    symmetry_score: NDArray[np.float64]
    sums: Mapping[str, Any]
    best_sums: Mapping[str, Any]
    start_resolution_A: float
    start_models: NDArray[np.float32]
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


def first_state(options: InitialModelOptions, seed: int) -> InitialModelState:
    """Where a run begins."""
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
        start_agreement_A=np.full(options.start_count, np.nan),
        best_start=-1,
        symmetry_score=np.zeros(0),
        sums={},
        best_sums={},
        start_resolution_A=float("inf"),
        start_models=np.zeros((0, 0, 0, 0), dtype=np.float32),
        volumes=np.zeros((0, 0, 0, 0), dtype=np.float32),
        pixel_size_A=0.0,
        max_probability=0.0,
        class_fraction=np.zeros(0),
    )


def starts_that_agree(state: InitialModelState) -> tuple[int, int, float] | None:
    """How many other starts found the model carried on, of how many, and how far the best of them agrees in Å.

    None where there was nothing to compare.
    """
    known = state.start_agreement_A[~np.isnan(state.start_agreement_A)]
    if len(known) == 0:
        return None
    first_A = float(state.start_resolution_A)
    return int((known <= AGREE * first_A).sum()), len(known), float(known.min())
