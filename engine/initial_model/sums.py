"""Running sums in folds, so that no image is ever compared with a model that it helped to make.

The particles are dealt into a few folds, each with its running sums. A mini-batch comes from one fold and is compared
with the model of all the others: with few particles, an image would otherwise find its own noise in the model and stay
where it is. The mean likelihood of a mini-batch is therefore one of images not yet seen: it tells good starts from bad.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from engine.arrays import Array, to_numpy
from engine.fourier.shells import fourier_shell_correlation
from engine.geometry import random_rotations
from engine.initial_model.grid import WorkingGrid, embedded, grid_for
from engine.initial_model.images import ImagePreparer
from engine.initial_model.mapped import PADDING, sliceable
from engine.initial_model.options import InitialModelOptions
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import FourierVolume
from engine.windows import soft_sphere

FOLDS = 6
_FIRST_IMAGES = 50


class FoldSums:
    """Running sums of one start and the models that they give.

    Parameters
    ----------
    preparer : source of the images.
    options : InitialModelOptions
    seed : of this start; everything random in it follows from the seed and the number of the iteration.

    Attributes
    ----------
    grid : that of the sums and models; it becomes finer as detail does.
    """

    def __init__(self, preparer: ImagePreparer, options: InitialModelOptions, seed: int) -> None:
        self.preparer, self.options, self.seed = preparer, options, seed
        order = self._rng(0).permutation(np.flatnonzero(preparer.usable))
        self.folds = [order[f::FOLDS] for f in range(FOLDS)]
        self._take_grid(self._grid_at(options.start_resolution_A))
        self.sums = [[self._empty() for _ in range(options.classes)] for _ in range(FOLDS)]
        self.fsc = np.zeros((options.classes, self.grid.box_px // 2 + 1))

    def _rng(self, *key: int) -> np.random.Generator:
        return np.random.default_rng([self.seed, *key])

    def _empty(self) -> Accumulator:
        return Accumulator(self.grid.box_px, PADDING, self.grid.disc.radius_px, self.preparer.xp)

    def radius_px(self, resolution_A: float) -> float:
        """Working radius: cycles in the window that is kept."""
        return self.preparer.radius_px(resolution_A)

    def _grid_at(self, resolution_A: float) -> WorkingGrid:
        preparer = self.preparer
        return grid_for(preparer.field_px, preparer.field_A, preparer.disc.radius_px, self.radius_px(resolution_A))

    def _take_grid(self, grid: WorkingGrid) -> None:
        self.grid = grid
        radius_px = min(0.5 * self.options.mask_diameter_A / grid.pixel_size_A, grid.box_px / 2 - 2)
        self.mask = self.preparer.xp.asarray(soft_sphere(grid.box_px, radius_px, 2.0))

    def refine_grid(self, resolution_A: float) -> None:
        """Go to a finer grid when the working resolution asks for it: what is there is kept, the rest is empty."""
        grid = self._grid_at(resolution_A)
        if grid.box_px == self.grid.box_px:
            return
        self._take_grid(grid)
        self.sums = [[embedded(old, self._empty()) for old in row] for row in self.sums]
        fsc = np.zeros((self.options.classes, grid.box_px // 2 + 1))
        known = min(fsc.shape[1], self.fsc.shape[1])
        fsc[:, :known] = self.fsc[:, :known]
        self.fsc = fsc

    def begin(self) -> None:
        """First sums: a few images in random poses."""
        disc = self.grid.disc
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
        return total

    def _remember(self, fold: int, model: int, new: Accumulator, rate: float) -> None:
        """Add the sums of a mini-batch, averaged over the symmetry, to those of its fold."""
        old = self.sums[fold][model].scaled(1 - rate)
        self.sums[fold][model] = old + new.symmetrised(self.options.symmetry)

    def measure_fsc(self, resolution_A: float) -> None:
        """FSC of the models made from odd and from even folds: the signal-to-noise ratio of each shell."""
        radius = self.radius_px(resolution_A)
        for k in range(self.options.classes):
            odd, even = (self._added(list(range(h, FOLDS, 2)), k).solve(None, radius) * self.mask for h in (0, 1))
            self.fsc[k] = fourier_shell_correlation(odd, even)
        # the mask blurs a little of the last shell beyond the radius; nothing is known there
        self.fsc[:, int(np.floor(radius)) + 1 :] = 0.0

    def model(self, index: int, resolution_A: float, without: int | None = None) -> Array:
        """Wiener-filtered model of a class (box, box, box), from all folds or all but one."""
        fsc = np.clip(self.fsc[index], 0.02, 0.99)
        fsc[0] = 0.99
        folds = [f for f in range(FOLDS) if f != without]
        solved = self._added(folds, index).solve(2 * fsc / (1 - fsc), self.radius_px(resolution_A))
        return self.preparer.xp.astype(solved * self.mask, np.float32)

    def volumes(self, resolution_A: float, without: int | None = None) -> list[Array]:
        """Models of all classes, from all folds or all but one."""
        return [self.model(k, resolution_A, without) for k in range(self.options.classes)]

    def models(self, resolution_A: float, without: int | None = None) -> list[FourierVolume]:
        """Models of all classes ready to be sliced, from all folds or all but one."""
        return sliceable(self.volumes(resolution_A, without), self.radius_px(resolution_A))

    def to_dict(self) -> dict[str, Any]:
        """Sums and FSC as arrays."""
        flat = [a for row in self.sums for a in row]
        return {
            "numerator": np.stack([to_numpy(a.numerator) for a in flat]),
            "denominator": np.stack([to_numpy(a.denominator) for a in flat]),
            "fsc": self.fsc,
            "radius_px": self.grid.disc.radius_px,
        }

    def load_dict(self, data: dict[str, Any]) -> None:
        """Take sums and FSC from `to_dict`."""
        self._take_grid(
            grid_for(
                self.preparer.field_px, self.preparer.field_A, self.preparer.disc.radius_px, float(data["radius_px"])
            )
        )
        self.sums = [[self._empty() for _ in range(self.options.classes)] for _ in range(FOLDS)]
        flat = [a for row in self.sums for a in row]
        for a, numerator, denominator in zip(flat, data["numerator"], data["denominator"], strict=True):
            a.numerator, a.denominator = (self.preparer.xp.asarray(x, copy=True) for x in (numerator, denominator))
        self.fsc = np.array(data["fsc"])
