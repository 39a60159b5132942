"""One start of the ab-initio search: sums in folds, so that no image is ever compared with a model it helped to make.

The particles are dealt into a few folds, each with its running sums. A mini-batch comes from one fold and is compared
with the model of all the others: with few particles, an image would otherwise find its own noise in the model and stay
where it is. The mean likelihood of a mini-batch is therefore one of images not yet seen: it tells good starts from bad.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.fourier.shells import fourier_shell_correlation
from engine.geometry import random_rotations
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import FourierVolume, fourier_volume
from engine.reconstruction.initial_model_images import ImagePreparer, PreparedImages
from engine.reconstruction.initial_model_options import InitialModelOptions
from engine.reconstruction.initial_model_search import (
    Poses,
    climb,
    posterior,
    search_globally,
    search_grid,
    shift_grid,
)
from engine.windows import soft_sphere

FOLDS = 6
_FIRST_IMAGES = 50
_KEPT_POSES = 8
_LEAST_WEIGHT = 1e-3
_PADDING = 2.0


@dataclass(frozen=True)
class BatchResult:
    """What a mini-batch gave.

    Attributes
    ----------
    indices : (m,) particles.
    poses, weights : candidates and their posterior (m, c).
    trust : (m,) weight of each image in the sums; junk has little.
    """

    indices: NDArray[np.intp]
    poses: Poses
    weights: NDArray[np.float32]
    trust: NDArray[np.float32]


class Run:
    """Running sums of one start and how they are made.

    Parameters
    ----------
    preparer : source of the images.
    options : InitialModelOptions
    seed : of this start; everything random in it follows from the seed and the number of the iteration.
    """

    def __init__(self, preparer: ImagePreparer, options: InitialModelOptions, seed: int) -> None:
        self.preparer, self.options, self.seed = preparer, options, seed
        order = self._rng(0).permutation(np.flatnonzero(preparer.usable))
        self.folds = [order[f::FOLDS] for f in range(FOLDS)]
        p = preparer.pixel_size_A
        radius_px = min(0.5 * options.mask_diameter_A / p, preparer.box_px / 2 - 3)
        self.mask = soft_sphere(preparer.box_px, radius_px, 2.0)
        self.sums = [[self._empty() for _ in range(options.classes)] for _ in range(FOLDS)]
        self.fsc = np.zeros((options.classes, preparer.box_px // 2 + 1))

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])

    def _empty(self) -> Accumulator:
        return Accumulator(self.preparer.box_px, _PADDING, self.preparer.disc.radius_px)

    def radius_px(self, resolution_A: float) -> float:
        """Working radius on the small grid."""
        return min(self.preparer.field_A / resolution_A, self.preparer.disc.radius_px)

    def begin(self) -> None:
        """First sums: a few images in random poses."""
        disc = self.preparer.disc
        count = disc.count_within(self.radius_px(self.options.start_resolution_A))
        for f, fold in enumerate(self.folds):
            rng = self._rng(1, f)
            for sums in self.sums[f]:
                images = self.preparer.prepare(rng.permutation(fold)[:_FIRST_IMAGES])
                rotations = random_rotations(len(images.data), rng)
                sums.insert(images.data[:, :count], images.weight[:, :count], rotations, disc)

    def _added(self, folds: list[int], model: int) -> Accumulator:
        total = self.sums[folds[0]][model]
        for f in folds[1:]:
            total = total + self.sums[f][model]
        return total.symmetrised(self.options.symmetry)

    def measure_fsc(self, resolution_A: float) -> None:
        """FSC of the models made from odd and from even folds: the signal-to-noise ratio of each shell."""
        radius = self.radius_px(resolution_A)
        for k in range(self.options.classes):
            odd, even = (self._added(list(range(h, FOLDS, 2)), k).solve(None, radius) * self.mask for h in (0, 1))
            self.fsc[k] = fourier_shell_correlation(odd, even)
        # the mask blurs a little of the last shell beyond the radius; nothing is known there
        self.fsc[:, int(np.floor(radius)) + 1 :] = 0.0

    def model(self, index: int, resolution_A: float, without: int | None = None) -> NDArray[np.float32]:
        """Wiener-filtered model of a class (box, box, box), from all folds or all but one."""
        fsc = np.clip(self.fsc[index], 0.02, 0.99)
        fsc[0] = 0.99
        folds = [f for f in range(FOLDS) if f != without]
        solved = self._added(folds, index).solve(2 * fsc / (1 - fsc), self.radius_px(resolution_A))
        return np.asarray(solved * self.mask, dtype=np.float32)

    def _batch(self, fold: int, iteration: int, size: int) -> NDArray[np.intp]:
        """Particles of a fold for an iteration: each walk through the fold has a shuffle of its own."""
        members = self.folds[fold]
        size = min(size, len(members))
        per_epoch = max(1, len(members) // size)
        epoch, place = divmod(iteration, per_epoch)
        return np.sort(self._rng(2, fold, epoch).permutation(members)[place * size : (place + 1) * size])

    def iterate(self, iteration: int, resolution_A: float, batch: int, memory: int) -> list[BatchResult]:
        """One mini-batch from each fold; the sums remember about `memory` images."""
        results = []
        for fold in range(FOLDS):
            self.measure_fsc(resolution_A)
            volumes = [self.model(k, resolution_A, without=fold) for k in range(self.options.classes)]
            chosen = self._batch(fold, iteration, batch)
            images = self.preparer.prepare(chosen)
            poses = self.search(images, volumes, resolution_A, self._rng(3, fold, iteration))
            trust = trust_in(poses.score[:, 0])
            result = BatchResult(chosen, poses, posterior(poses), trust)
            self._add(fold, images, result, min(1.0, FOLDS * len(chosen) / memory), resolution_A)
            results.append(result)
        return results

    def search(
        self, images: PreparedImages, volumes: list[NDArray[np.float32]], resolution_A: float, rng: np.random.Generator
    ) -> Poses:
        """Best poses of images against models, on a grid turned at random."""
        options, preparer, disc = self.options, self.preparer, self.preparer.disc
        radius = self.radius_px(resolution_A)
        models: list[FourierVolume] = [fourier_volume(v, _PADDING, radius) for v in volumes]
        coarse = min(preparer.field_A / options.search_resolution_A, radius)
        few, all_of_them = disc.count_within(coarse), disc.count_within(radius)
        step_deg = float(np.rad2deg(preparer.field_A / coarse / options.mask_diameter_A)) * options.angular_sampling
        most_px = options.max_shift_A / preparer.pixel_size_A
        # a quarter of the wavelength keeps the phase error of the best shift below 45 degrees
        step_px = min(0.25 * preparer.field_A / coarse / preparer.pixel_size_A, max(most_px, 0.5))
        grid = search_grid(step_deg, options.symmetry, random_rotations(1, rng)[0])
        poses = search_globally(
            images, models, disc, few, grid, shift_grid(most_px, step_px), options.followed * options.classes
        )
        middle = all_of_them if coarse == radius else (few + all_of_them) // 2
        poses = climb(images, models, disc, middle, poses, step_deg / 3, step_px / 2)
        if radius > 0.75 * coarse:
            poses = climb(
                images,
                models,
                disc,
                all_of_them,
                poses.sorted(_KEPT_POSES * options.classes),
                step_deg / 6,
                step_px / 4,
            )
        return poses.sorted(_KEPT_POSES * options.classes)

    def _add(self, fold: int, images: PreparedImages, result: BatchResult, rate: float, resolution_A: float) -> None:
        disc, poses = self.preparer.disc, result.poses
        count = disc.count_within(self.radius_px(resolution_A))
        weights = result.weights * result.trust[:, None]
        # all mini-batches weigh alike whatever their size
        gain = np.float32(rate / max(float(result.trust.sum()), 1.0))
        for k in range(self.options.classes):
            row, column = np.nonzero((weights > _LEAST_WEIGHT) & (poses.model == k))
            new = self._empty()
            if len(row):
                weight = (gain * weights[row, column])[:, None]
                ramps = disc.phase_ramps(poses.shift_px[row, column], count)
                data = images.data[row, :count] * ramps * weight
                new.insert(data, images.weight[row, :count] * weight, poses.rotation[row, column], disc)
            self.sums[fold][k] = self.sums[fold][k].scaled(1 - rate) + new

    def to_dict(self) -> dict[str, Any]:
        """Sums and FSC as arrays."""
        flat = [a for row in self.sums for a in row]
        return {
            "numerator": np.stack([a.numerator for a in flat]),
            "denominator": np.stack([a.denominator for a in flat]),
            "fsc": self.fsc,
        }

    def load_dict(self, data: dict[str, Any]) -> None:
        """Take sums and FSC from `to_dict`."""
        flat = [a for row in self.sums for a in row]
        for a, numerator, denominator in zip(flat, data["numerator"], data["denominator"], strict=True):
            a.numerator, a.denominator = np.array(numerator), np.array(denominator)
        self.fsc = np.array(data["fsc"])


def trust_in(score: NDArray[np.float32]) -> NDArray[np.float32]:
    """Weight of images by their likelihood: those far below the others are junk, and count for nothing."""
    middle = np.median(score)
    spread = 1.4826 * np.median(np.abs(score - middle))
    deviation = (score - middle) / max(float(spread), 1e-6)
    return np.clip((deviation + 3.0) / 1.5, 0.0, 1.0).astype(np.float32)
