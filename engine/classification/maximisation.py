"""Maximisation: sums of aligned images.

Each image counts with its CTF and its posterior weight; even and odd particles are summed apart. Running sums with a
forgetting factor make mini-batches converge (Cappé & Moulines, J R Stat Soc B 71, 593, 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, on, scipy_module
from engine.classification.expectation import Poses
from engine.classification.rotation import as_complex, as_real
from engine.classification.setup import Sampling
from engine.ctf.model import ctf_on_disc
from engine.fourier.transforms import rfft2_centred
from engine.optics import Defocus
from engine.particles import Particles

_SMALLEST_WEIGHT = 0.02
_CLASSES_AT_ONCE = 8


@dataclass
class Sums:
    """Sums of aligned images for the two halves of each class.

    Attributes
    ----------
    numerator : array, shape (2, C, K)
        ``Σ w C x`` turned and shifted, complex64.
    denominator : array, shape (2, C, K)
        ``Σ w C²``, float32.
    """

    numerator: Array
    denominator: Array

    @classmethod
    def zeros(cls, classes: int, count: int, xp: Any = np) -> Sums:
        """Return empty sums."""
        shape = (2, classes, count)
        return cls(xp.zeros(shape, dtype=xp.complex64), xp.zeros(shape, dtype=xp.float32))

    def add(self, other: Sums) -> None:
        """Add other sums in place."""
        self.numerator += other.numerator
        self.denominator += other.denominator

    def on(self, xp: Any) -> Sums:
        """Return the same sums where an array namespace has its arrays."""
        return Sums(on(xp, self.numerator), on(xp, self.denominator))

    def forget(self, batch: Sums, gain: float, scale: float) -> Sums:
        """Return ``(1 - gain) · self + gain · scale · batch``."""
        keep, add = np.float32(1 - gain), np.float32(gain * scale)
        return Sums(keep * self.numerator + add * batch.numerator, keep * self.denominator + add * batch.denominator)

    def clear(self, classes: NDArray[np.bool_]) -> None:
        """Empty some classes ``(C,)`` (in place)."""
        chosen = array_namespace(self.numerator).asarray(np.flatnonzero(classes))
        self.numerator[:, chosen], self.denominator[:, chosen] = 0, 0


def add_block(
    sums: Sums,
    x: Array,
    ctf: Array,
    poses: Poses,
    indices: NDArray[np.intp],
    particles: Particles,
    sampling: Sampling,
    count: int | None = None,
) -> None:
    """Add the images of a block, aligned by their poses, to the first ``count`` coefficients of the sums (in place)."""
    image, slot = np.nonzero(poses.weight > _SMALLEST_WEIGHT)
    classes, halves = poses.classes[image, slot], indices[image] % 2
    x, ctf = x[:, :count], ctf[:, :count]
    for start in range(0, sums.numerator.shape[1], _CLASSES_AT_ONCE):
        for half in (0, 1):
            group = (classes >= start) & (classes < start + _CLASSES_AT_ONCE) & (halves == half)
            if group.any():
                entries = _Entries(image[group], slot[group], start, half, poses, indices)
                _add_numerators(sums, x, ctf, entries, sampling)
                _add_denominators(sums, entries, particles, sampling, count)


class _Entries:
    """The (image, kept pose) pairs of one half of a few neighbouring classes, the first of which is ``start``."""

    def __init__(
        self,
        image: NDArray[np.intp],
        slot: NDArray[np.intp],
        start: int,
        half: int,
        poses: Poses,
        indices: NDArray[np.intp],
    ) -> None:
        self.image, self.start, self.half = image, start, half
        self.classes = poses.classes[image, slot] - start
        self.angle, self.weight = poses.angle[image, slot], poses.weight[image, slot]
        self.shift_px = poses.shift_px[image, slot]
        self.particle = indices[image]


def _add_numerators(sums: Sums, x: Array, ctf: Array, entries: _Entries, sampling: Sampling) -> None:
    xp = array_namespace(x)
    where = xp.asarray(entries.image)
    moved = sampling.disc.phase_ramps(xp.asarray(entries.shift_px), x.shape[1])
    moved *= x[where]
    moved *= ctf[where] * xp.asarray(entries.weight)[:, None]
    angles = len(sampling.rotation.angles_deg)
    count = min(_CLASSES_AT_ONCE, sums.numerator.shape[1] - entries.start)
    bins = entries.classes * angles + entries.angle
    binned = xp.reshape(_bin(xp, moved, bins, count * angles), (count, angles, -1))
    spectra = sampling.disc.gather(rfft2_centred(sampling.rotation.adjoint(binned)))
    # what the halves share must not reach their finer rings: turned images are cut off by the box, which would leak
    shared = min(sampling.shared, x.shape[1])
    coarse = sampling.disc.gather(rfft2_centred(sampling.rotation.adjoint(binned[:, :, :shared])))
    spectra[:, shared:] -= coarse[:, shared:]
    chosen = slice(entries.start, entries.start + count)
    sums.numerator[entries.half, chosen, : x.shape[1]] += spectra[:, : x.shape[1]]


def _add_denominators(
    sums: Sums, entries: _Entries, particles: Particles, sampling: Sampling, limit: int | None
) -> None:
    """Add the squared CTF as the class average's frame sees it: turned by psi with the image.

    The kept poses of an image in one class differ by a few degrees, which the CTF does not feel: they count together.
    """
    xp = array_namespace(sums.denominator)
    key = entries.image.astype(np.int64) * _CLASSES_AT_ONCE + entries.classes
    _, first, member = np.unique(key, return_index=True, return_inverse=True)
    weight = np.bincount(member.ravel(), entries.weight, len(first)).astype(np.float32)
    psi = sampling.rotation.angles_deg[entries.angle[first]]
    squared = _turned_ctf(particles, sampling, entries.particle[first], psi, xp)[:, :limit] ** 2
    count = min(_CLASSES_AT_ONCE, sums.numerator.shape[1] - entries.start)
    select = np.zeros((count, len(first)), np.float32)
    select[entries.classes[first], np.arange(len(first))] = weight
    chosen = slice(entries.start, entries.start + count)
    sums.denominator[entries.half, chosen, : squared.shape[1]] += xp.asarray(select) @ squared


def _bin(xp: Any, rows: Array, bins: NDArray[np.int64], count: int) -> Array:
    """Add rows (complex) that fall into the same bin, in their order."""
    order = np.argsort(bins, kind="stable").astype(np.int32)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=count))]).astype(np.int32)
    parts = (np.ones(len(order), np.float32), order, pointers)
    matrix = scipy_module(rows, "sparse").csr_matrix(tuple(xp.asarray(p) for p in parts), shape=(count, len(order)))
    return as_complex(xp, matrix @ as_real(xp, rows))


def _turned_ctf(
    particles: Particles, sampling: Sampling, indices: NDArray[np.intp], psi_deg: NDArray, xp: Any
) -> Array:
    defocus = particles.defocus.take(indices)
    turned = Defocus(defocus.u_A, defocus.v_A, np.asarray(defocus.angle_deg + psi_deg), defocus.phase_shift_deg)
    turned = Defocus(*(np.broadcast_to(np.asarray(v, np.float64), psi_deg.shape) for v in vars(turned).values()))
    return ctf_on_disc(sampling.disc, sampling.pixel_size_A, turned, particles.optics.take(indices), xp)
