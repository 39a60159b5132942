"""One start of the ab-initio search: mini-batches, first weighed over all poses, then searched and climbed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.initial_model.candidates import Poses, posterior
from engine.initial_model.images import PreparedImages
from engine.initial_model.mapped import (
    MARGIN,
    BatchSearch,
    grids,
    search_batch,
    search_shared,
    shares,
    sliceable,
)
from engine.initial_model.marginal import marginal_sums
from engine.initial_model.sums import FOLDS, FoldSums
from engine.mapping import MapAdd
from engine.reconstruction.fourier_volume import FourierVolume

_LEAST_WEIGHT = 1e-3


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
    """One start: its sums and the mini-batches that change them.

    Attributes
    ----------
    map_add : who searches poses, where several workers may.
    images_seed : what others prepare the same images with.
    """

    map_add: MapAdd | None = None
    images_seed = 0

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
        references: list[list[Array]] | None = None,
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
            volumes = self.volumes(resolution_A, without=fold) if references is None else references[fold]
            results.append(step(fold, volumes, (self.seed, 3, fold, iteration), chosen, resolution_A, rate, heat))
        return results

    def _marginal_step(
        self,
        fold: int,
        volumes: list[Array],
        turn_key: tuple[int, ...],
        chosen: NDArray[np.intp],
        resolution_A: float,
        rate: float,
        heat: float,
    ) -> BatchResult:
        disc, radius = self.grid.disc, self.radius_px(resolution_A)
        models, rng = sliceable(volumes, radius), np.random.default_rng(turn_key)
        rotations, shifts, _, _ = grids(self.preparer, self.grid, self.options, radius, rng)
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
        volumes: list[Array],
        turn_key: tuple[int, ...],
        chosen: NDArray[np.intp],
        resolution_A: float,
        rate: float,
        heat: float,
    ) -> BatchResult:
        images = self.preparer.prepare(chosen)
        poses = self._search(images, volumes, turn_key, chosen, resolution_A, MARGIN / heat)
        weights = posterior(poses, heat)
        trust = trust_in(poses.score[:, 0])
        # all mini-batches weigh alike whatever their size
        gain = rate / max(float(trust.sum()), 1.0)
        self._add(
            fold, images, poses, weights * trust[:, None] * np.float32(gain), _LEAST_WEIGHT * gain, rate, resolution_A
        )
        share = np.bincount(poses.model.ravel(), weights.ravel(), self.options.classes)
        return BatchResult(poses.score[:, 0], weights[:, 0], share.astype(np.float64))

    def _search(
        self,
        images: PreparedImages,
        volumes: list[Array],
        turn_key: tuple[int, ...],
        chosen: NDArray[np.intp],
        resolution_A: float,
        margin: float,
    ) -> Poses:
        parts = [chosen] if self.map_add is None else shares(chosen, self.map_add.workers)
        if self.map_add is not None and len(parts) > 1:
            models = np.stack([to_numpy(volume) for volume in volumes])
            radius_px = self.grid.disc.radius_px
            search = BatchSearch(self.options, self.images_seed, models, radius_px, resolution_A, turn_key, margin)
            return search_shared(self.map_add, search, parts)
        sliced, rng = sliceable(volumes, self.radius_px(resolution_A)), np.random.default_rng(turn_key)
        return search_batch(self.preparer, self.grid, self.options, images, sliced, resolution_A, rng, margin)

    def search(
        self, images: PreparedImages, models: list[FourierVolume], resolution_A: float, rng: np.random.Generator
    ) -> Poses:
        """Best poses of images against models, on a grid turned at random."""
        return search_batch(self.preparer, self.grid, self.options, images, models, resolution_A, rng)

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
