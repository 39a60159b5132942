"""Class references turned to every in-plane angle: what images are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.classification.rotation import as_real
from engine.classification.setup import COARSE_FACTOR, Sampling

_LEAST_SHARE = 0.05
"""Of the mean: what a class without particles counts as."""


@dataclass(frozen=True)
class Library:
    """Rotated class references at the working resolution.

    Attributes
    ----------
    references : array, shape (C, A, count)
        complex64.
    coarse : array, shape (C * A // 3, 2 * coarse_count)
        Every third angle at low resolution, real and imaginary parts as a row.
    power, coarse_power : arrays, shape (C * A, count), (C * A // 3, coarse_count)
        Squared modulus.
    inverse_noise : array, shape (count,)
        ``1 / σ²`` of each coefficient.
    class_prior : array, shape (C,)
        Log of each class's share of the particles, relative to the mean.
    coarse_shift_prior, shift_prior : arrays, shape (s,)
        Log of the density of the coarse and the fine shifts, relative to that of none.
    """

    references: Array
    coarse: Array
    power: Array
    coarse_power: Array
    inverse_noise: Array
    class_prior: Array
    coarse_shift_prior: Array
    shift_prior: Array

    @property
    def count(self) -> int:
        """Number of coefficients."""
        return int(self.references.shape[2])


@dataclass(frozen=True)
class Priors:
    """What is known of any image before it is looked at (Scheres et al., J Mol Biol 348, 139, 2005, eq. 4).

    Where images are faint this is worth as much as what the image says: without it noise pulls particles to the rim of
    the search and into classes that hardly any image shows.

    Attributes
    ----------
    shift_sd_px : float
        Standard deviation of shifts along x and y in working px.
    weight : array, shape (C,)
        Particles in each class.
    """

    shift_sd_px: float = np.inf
    weight: NDArray[np.float64] | None = None

    def of_shifts(self, shifts_px: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the log of the density of shifts ``(s, 2)``, relative to that of none."""
        square = np.sum(shifts_px.astype(np.float64) ** 2, axis=1)
        return (-square / (2 * self.shift_sd_px**2)).astype(np.float32)

    def of_classes(self, count: int) -> NDArray[np.float32]:
        """Return the log of the share of ``count`` classes relative to the mean; empty ones may come back."""
        if self.weight is None:
            return np.zeros(count, np.float32)
        share = self.weight / max(float(self.weight.mean()), 1e-12)
        return np.log(np.maximum(share, _LEAST_SHARE)).astype(np.float32)


def make_library(
    averages: Array, fine: Array, inverse_noise: Array, sampling: Sampling, count: int, priors: Priors | None = None
) -> Library:
    """Rotate references to every in-plane angle.

    Parameters
    ----------
    averages, fine : array, shape (C, n, n)
        Class averages, and the same for the finer detail that the references of the halves do not share.
    inverse_noise : array, shape (K,)
        ``1 / σ²`` of each coefficient.
    sampling : Sampling
        Angles, and how much is shared.
    count : int
        Coefficients of the working resolution.
    priors : Priors, optional
        All classes and shifts alike without.
    """
    xp = array_namespace(averages)
    shared = min(sampling.shared, count)
    # turned apart: cut off sharply in one image, the coarse part would leak into the finer rings as it turns
    coarse = sampling.rotation.forward(averages, shared)
    turned = coarse if shared == count else sampling.rotation.forward(fine, count)
    turned[:, :, :shared] = coarse
    classes, angles, _ = turned.shape
    power = xp.reshape(_squared(xp, turned), (classes * angles, count))
    coarse_count = min(count, sampling.disc.count_within(sampling.coarse_radius_px))
    coarse = xp.reshape(turned[:, ::COARSE_FACTOR, :coarse_count], (-1, coarse_count))
    known = priors or Priors()
    shift_priors = (known.of_shifts(shifts) for shifts in (sampling.coarse_shifts_px, sampling.fine_shifts_px))
    logs = (xp.asarray(log) for log in (known.of_classes(classes), *shift_priors))
    return Library(turned, as_real(xp, coarse), power, _squared(xp, coarse), inverse_noise[:count], *logs)


def _squared(xp: Any, x: Array) -> Array:
    return xp.real(x) ** 2 + xp.imag(x) ** 2
