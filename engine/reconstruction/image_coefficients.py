"""Particle images as Fourier coefficients with their CTF, kept in memory while they fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import rfft2_centred
from engine.particles import Particles


def cropping_factor(particles: Particles, box_px: int) -> float:
    """Return what cropping images to a smaller box multiplies their coefficients by, so that they match its volumes."""
    return float((box_px / particles.box_px) ** 3)


class ImageCoefficients:
    """Coefficients and CTFs of a stack on a disc, computed when first asked for.

    The disc may belong to a smaller box over the same field of view: the images are then Fourier-cropped to it, scaled
    so that they match slices of a volume that was cropped to the same box with its grey values kept.

    Parameters
    ----------
    particles : Particles
    disc : HalfDisc
    xp : module
        Array namespace (device) of the results.
    limit_bytes : int
        Kept in memory when the whole stack needs no more than this; otherwise read anew each time.

    Attributes
    ----------
    original : Particles
        As they came; ``particles`` have the defocus of `set_defocus_shift`.
    factor : float
        What cropping multiplied the coefficients by.
    pixel_size_A : float
        Å per px of the disc's box.
    """

    def __init__(self, particles: Particles, disc: HalfDisc, xp: Any = np, limit_bytes: int = 400_000_000) -> None:
        self.particles = self.original = particles
        self.disc = disc
        self.xp = xp
        ratio = disc.box_px / particles.box_px
        self.factor = cropping_factor(particles, disc.box_px)
        self.pixel_size_A = particles.pixel_size_A / ratio
        self._source = disc if ratio == 1 else HalfDisc(particles.box_px, disc.radius_px, by_ring=disc.by_ring)
        self._shift_A = np.zeros(particles.count)
        self._known = np.zeros(particles.count, bool)
        self._keep = particles.count * len(disc) * 12 <= limit_bytes
        if self._keep:
            self._images = xp.empty((particles.count, len(disc)), dtype=xp.complex64)
            self._ctf = xp.empty((particles.count, len(disc)), dtype=xp.float32)

    def set_defocus_shift(self, shift_A: NDArray[np.float64]) -> None:
        """Add to the defocus that the particles came with; CTFs are computed anew when it is another one."""
        if np.array_equal(shift_A, self._shift_A):
            return
        self._shift_A = shift_A
        self.particles = replace(self.original, defocus=self.original.defocus.shifted(shift_A))
        known = np.flatnonzero(self._known)
        for start in range(0, len(known), 64):
            part = known[start : start + 64]
            ctf = self.particles.ctf_on_disc(self.disc, part, self.xp)
            self._ctf[self.xp.asarray(part)] = self.xp.astype(ctf, self.xp.float32)

    def _compute(self, indices: NDArray[np.intp]) -> tuple[Array, Array]:
        images = self.particles.images_on(indices, self.xp)
        coefficients = self._source.gather(rfft2_centred(images))
        if self.factor != 1:
            coefficients = coefficients * np.float32(self.factor)
        ctf = self.particles.ctf_on_disc(self.disc, indices, self.xp)
        return coefficients, self.xp.astype(ctf, self.xp.float32)

    def batch(self, indices: NDArray[np.intp]) -> tuple[Array, Array]:
        """Return coefficients ``(m, K)`` complex64 and CTFs ``(m, K)`` float32 of some images."""
        if not self._keep:
            return self._compute(indices)
        missing = indices[~self._known[indices]]
        if len(missing):
            where = self.xp.asarray(missing)
            self._images[where], self._ctf[where] = self._compute(missing)
            self._known[missing] = True
        chosen = self.xp.asarray(indices)
        return self._images[chosen], self._ctf[chosen]
