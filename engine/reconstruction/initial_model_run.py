"""One start of the ab-initio search: mini-batches, first weighed over all poses, then searched and climbed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.geometry import random_rotations
from engine.reconstruction.fourier_volume import FourierVolume
from engine.reconstruction.initial_model_candidates import Poses, posterior
from engine.reconstruction.initial_model_images import PreparedImages
from engine.reconstruction.initial_model_marginal import marginal_sums
from engine.reconstruction.initial_model_search import climb, search_globally, search_grid, shift_grid
from engine.reconstruction.initial_model_sums import FOLDS, FoldSums

_KEPT_POSES = 32
_LEAST_WEIGHT = 1e-3
_MARGIN = 12.0
_LAST_MARGIN_SHARE = 0.35  # scores at all frequencies leave fewer poses possible than those of the first climb
_APART = 1.25  # steps of the grid: a candidate and its direct neighbours climb the same hill


@dataclass(frozen=True)
class BatchResult:
    """What a mini-batch gave.

    Attributes
    ----------
    score : (m,) log-likelihood of the best pose of each image above that of an empty model.
    probability : (m,) weight of the best pose.
    class_weight : (classes,) images that each class took.
    """

    score: NDArray[np.float32]
    probability: NDArray[np.float32]
    class_weight: NDArray[np.float64]


class Run(FoldSums):
    """One start: its sums and the mini-batches that change them."""

    def _batch(self, fold: int, iteration: int, size: int) -> NDArray[np.intp]:
        """Particles of a fold for an iteration: each walk through the fold has a shuffle of its own."""
        members = self.folds[fold]
        size = min(size, len(members))
        per_epoch = max(1, len(members) // size)
        epoch, place = divmod(iteration, per_epoch)
        return np.sort(self._rng(2, fold, epoch).permutation(members)[place * size : (place + 1) * size])

    def iterate(
        self,
        iteration: int,
        resolution_A: float,
        batch: int,
        memory: int,
        heat: float,
        references: list[list[FourierVolume]] | None = None,
    ) -> list[BatchResult]:
        """One mini-batch from each fold; sums remember about `memory` images, `heat` flattens the posteriors.

        The models of the other folds are what a mini-batch is compared with, or for each fold the `references` given:
        then the sums start anew.
        """
        self.refine_grid(resolution_A)
        step = self._marginal_step if resolution_A > self.options.search_resolution_A else self._search_step
        results = []
        if references is None:
            self.measure_fsc(resolution_A)
        for fold in range(FOLDS):
            chosen = self._batch(fold, iteration, batch)
            rate = min(1.0, FOLDS * len(chosen) / memory) if references is None else 1.0
            models = self.models(resolution_A, without=fold) if references is None else references[fold]
            results.append(step(fold, models, self._rng(3, fold, iteration), chosen, resolution_A, rate, heat))
        return results

    def _grids(
        self, radius_px: float, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], float, float]:
        """Rotations and shifts that detail out to a radius asks for, and their steps."""
        options, field_A = self.options, self.preparer.field_A
        step_deg = float(np.rad2deg(field_A / radius_px / options.mask_diameter_A)) * options.angular_sampling
        most_px = options.max_shift_A / self.grid.pixel_size_A
        # a quarter of the wavelength keeps the phase error of the best shift below 45 degrees
        step_px = min(0.25 * field_A / radius_px / self.grid.pixel_size_A, max(most_px, 0.5))
        grid = search_grid(step_deg, options.symmetry, random_rotations(1, rng)[0])
        return grid, shift_grid(most_px, step_px), step_deg, step_px

    def _marginal_step(
        self,
        fold: int,
        models: list[FourierVolume],
        rng: np.random.Generator,
        chosen: NDArray[np.intp],
        resolution_A: float,
        rate: float,
        heat: float,
    ) -> BatchResult:
        disc, radius = self.grid.disc, self.radius_px(resolution_A)
        rotations, shifts, _, _ = self._grids(radius, rng)
        images = self.preparer.prepare(chosen)
        found = marginal_sums(images, models, disc, disc.count_within(radius), rotations, shifts, heat)
        gain = np.float32(rate / len(chosen))
        for k in range(self.options.classes):
            new = self._empty()
            new.insert(found.data[k] * gain, found.weight[k] * gain, rotations, disc)
            self._remember(fold, k, new, rate)
        score, probability, taken = (to_numpy(a) for a in (found.score, found.probability, found.class_weight))
        return BatchResult(score, probability, taken.sum(axis=0, dtype=np.float64))

    def _search_step(
        self,
        fold: int,
        models: list[FourierVolume],
        rng: np.random.Generator,
        chosen: NDArray[np.intp],
        resolution_A: float,
        rate: float,
        heat: float,
    ) -> BatchResult:
        images = self.preparer.prepare(chosen)
        poses = self.search(images, models, resolution_A, rng, _MARGIN / heat)
        weights = posterior(poses, heat)
        trust = trust_in(poses.score[:, 0])
        # all mini-batches weigh alike whatever their size
        gain = rate / max(float(trust.sum()), 1.0)
        self._add(
            fold, images, poses, weights * trust[:, None] * np.float32(gain), _LEAST_WEIGHT * gain, rate, resolution_A
        )
        share = np.bincount(poses.model.ravel(), weights.ravel(), self.options.classes)
        return BatchResult(poses.score[:, 0], weights[:, 0], share.astype(np.float64))

    def search(
        self,
        images: PreparedImages,
        models: list[FourierVolume],
        resolution_A: float,
        rng: np.random.Generator,
        margin: float = _MARGIN,
    ) -> Poses:
        """Best poses of images against models, on a grid turned at random; worse ones by `margin` are given up."""
        options, disc = self.options, self.grid.disc
        radius = self.radius_px(resolution_A)
        coarse = min(self.preparer.field_A / options.search_resolution_A, radius)
        few, everything = disc.count_within(coarse), disc.count_within(radius)
        grid, shifts, step_deg, step_px = self._grids(coarse, rng)
        most = options.candidates * options.classes
        poses = search_globally(images, models, disc, few, grid, shifts, most).sorted(most).distinct(_APART * step_deg)
        middle = round((few * everything) ** 0.5)
        poses = climb(images, models, disc, middle, poses, step_deg / 3, step_px / 2, margin)
        last = _LAST_MARGIN_SHARE * margin
        poses = climb(images, models, disc, everything, poses, step_deg / 6, step_px / 4, last)
        return poses.sorted(_KEPT_POSES * options.classes)

    def _add(
        self,
        fold: int,
        images: PreparedImages,
        poses: Poses,
        weights: NDArray[np.float32],
        least: float,
        rate: float,
        resolution_A: float,
    ) -> None:
        disc = self.grid.disc
        count = disc.count_within(self.radius_px(resolution_A))
        for k in range(self.options.classes):
            row, column = np.nonzero((weights > least) & (poses.model == k))
            new = self._empty()
            if len(row):
                xp, chosen = self.preparer.xp, images.take(row)
                weight = xp.asarray(weights[row, column][:, None])
                ramps = disc.phase_ramps(xp.asarray(poses.shift_px[row, column]), count)
                data = chosen.data[:, :count] * ramps * weight
                new.insert(data, chosen.weight[:, :count] * weight, poses.rotation[row, column], disc)
            self._remember(fold, k, new, rate)


def trust_in(score: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight of images by their likelihood: those far below the others are junk, and count for nothing."""
    middle = np.median(score)
    spread = 1.4826 * np.median(np.abs(score - middle))
    deviation = (score - middle) / max(float(spread), 1e-6)
    return np.clip((deviation + 3.0) / 1.5, 0.0, 1.0).astype(np.float32)
