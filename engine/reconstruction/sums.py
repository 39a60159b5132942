"""Sums over the images of a half: slices of the map, and powers on shells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.disc import HalfDisc
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.image_coefficients import ImageCoefficients

BATCH = 64
"""Images in one piece of work; fixed, so that sums do not depend on the machine."""


def image_power(store: ImageCoefficients, indices: NDArray[np.intp]) -> ShellSums:
    """Sum the power of images on each shell: the first guess of the noise."""
    sums = ShellSums(store.disc)
    for start in range(0, len(indices), BATCH):
        coefficients, _ = store.batch(indices[start : start + BATCH])
        sums.add_images(abs(coefficients) ** 2)
    return sums


class ShellSums:
    """Mean over images and over each shell of coefficients on a disc."""

    def __init__(self, disc: HalfDisc) -> None:
        self._shell = disc.shell
        self._length = disc.box_px // 2 + 1
        self._total = np.zeros(len(disc), np.float64)
        self._images = 0

    def add_images(self, values: Array) -> None:
        """Add values (m, K)."""
        xp = array_namespace(values)
        self._total += to_numpy(xp.sum(values, axis=0, dtype=xp.float64))
        self._images += int(values.shape[0])

    def add(self, other: ShellSums) -> None:
        """Add other sums in place."""
        self._total += other._total
        self._images += other._images

    def on(self, xp: Any) -> ShellSums:
        """Return the sums, which are always on the host."""
        return self

    def mean(self) -> NDArray[np.float64]:
        """Return the mean of each shell; shells outside the disc repeat their neighbour."""
        counts = np.bincount(self._shell, minlength=self._length)[: self._length]
        sums = np.bincount(self._shell, self._total, minlength=self._length)[: self._length]
        known = np.flatnonzero(counts)
        mean = sums[known] / counts[known] / max(self._images, 1)
        return np.interp(np.arange(self._length), known, mean)


@dataclass
class PassSums:
    """What a pass over particles adds up.

    Attributes
    ----------
    slices : Accumulator
        Not symmetrised.
    residual : ShellSums
        Power of what the reference in its best pose does not explain.
    """

    slices: Accumulator
    residual: ShellSums

    def add(self, other: PassSums) -> None:
        """Add other sums in place."""
        self.slices.add(other.slices)
        self.residual.add(other.residual)

    def on(self, xp: Any) -> PassSums:
        """Return the same sums where an array namespace has its arrays."""
        return PassSums(self.slices.on(xp), self.residual)
