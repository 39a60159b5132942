"""Class references turned to every in-plane angle: what images are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from engine.arrays import Array, array_namespace
from engine.classification.rotation import as_real
from engine.classification.setup import COARSE_FACTOR, Sampling


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
    """

    references: Array
    coarse: Array
    power: Array
    coarse_power: Array
    inverse_noise: Array

    @property
    def count(self) -> int:
        """Number of coefficients."""
        return int(self.references.shape[2])


def make_library(averages: Array, fine: Array, inverse_noise: Array, sampling: Sampling, count: int) -> Library:
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
    return Library(turned, as_real(xp, coarse), power, _squared(xp, coarse), inverse_noise[:count])


def _squared(xp: Any, x: Array) -> Array:
    return xp.real(x) ** 2 + xp.imag(x) ** 2
