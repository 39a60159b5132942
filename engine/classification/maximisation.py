"""Maximisation: sums of aligned images, and the class averages they give.

Each image counts with its CTF and its posterior weight. Even and odd particles are summed apart; the correlation of
their averages over rings (FRC) is the class's resolution and sets the strength of the Wiener-type regularisation
(Scheres, J Mol Biol 415, 406, 2012). Running sums with a forgetting factor make mini-batches converge
(Cappé & Moulines, J R Stat Soc B 71, 593, 2009).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.classification.expectation import Poses
from engine.classification.rotation import as_complex, as_real, sparse_module
from engine.classification.setup import Sampling
from engine.ctf.model import ctf_on_disc
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.optics import Defocus
from engine.particles import Particles
from engine.windows import cosine_edge, radius_px

_SMALLEST_WEIGHT = 0.02
_CLASSES_AT_ONCE = 4


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

    def forget(self, batch: Sums, gain: float, scale: float) -> Sums:
        """Return ``(1 - gain) · self + gain · scale · batch``."""
        keep, add = np.float32(1 - gain), np.float32(gain * scale)
        return Sums(keep * self.numerator + add * batch.numerator, keep * self.denominator + add * batch.denominator)


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
    classes = poses.classes[image, slot]
    x, ctf = x[:, :count], ctf[:, :count]
    for start in range(0, sums.numerator.shape[1], _CLASSES_AT_ONCE):
        group = (classes >= start) & (classes < start + _CLASSES_AT_ONCE)
        if group.any():
            entries = _Entries(image[group], slot[group], start, poses, indices)
            _add_numerators(sums, x, ctf, entries, sampling)
            _add_denominators(sums, entries, particles, sampling, count)


class _Entries:
    """The (image, kept pose) pairs of a few neighbouring classes."""

    def __init__(
        self, image: NDArray[np.intp], slot: NDArray[np.intp], start: int, poses: Poses, indices: NDArray[np.intp]
    ) -> None:
        self.image, self.start = image, start
        self.classes = poses.classes[image, slot] - start
        self.angle, self.weight = poses.angle[image, slot], poses.weight[image, slot]
        self.shift_px = poses.shift_px[image, slot]
        self.particle = indices[image]
        self.half = self.particle % 2


def _add_numerators(sums: Sums, x: Array, ctf: Array, entries: _Entries, sampling: Sampling) -> None:
    xp = array_namespace(x)
    where = xp.asarray(entries.image)
    moved = sampling.disc.phase_ramps(xp.asarray(entries.shift_px), x.shape[1])
    moved *= x[where]
    moved *= ctf[where] * xp.asarray(entries.weight)[:, None]
    angles = len(sampling.rotation.angles_deg)
    count = min(_CLASSES_AT_ONCE, sums.numerator.shape[1] - entries.start)
    bins = (entries.half * count + entries.classes) * angles + entries.angle
    binned = xp.reshape(_bin(xp, moved, bins, 2 * count * angles), (2 * count, angles, -1))
    spectra = sampling.disc.gather(rfft2_centred(sampling.rotation.adjoint(binned)))
    chosen = slice(entries.start, entries.start + count)
    sums.numerator[:, chosen, : x.shape[1]] += xp.reshape(spectra, (2, count, -1))[:, :, : x.shape[1]]


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
    row = entries.half[first] * count + entries.classes[first]
    select = np.zeros((2 * count, len(first)), np.float32)
    select[row, np.arange(len(first))] = weight
    chosen = slice(entries.start, entries.start + count)
    sums.denominator[:, chosen, : squared.shape[1]] += xp.reshape(xp.asarray(select) @ squared, (2, count, -1))


def _bin(xp: Any, rows: Array, bins: NDArray[np.int64], count: int) -> Array:
    """Add rows (complex) that fall into the same bin, in their order."""
    order = np.argsort(bins, kind="stable").astype(np.int32)
    pointers = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=count))]).astype(np.int32)
    parts = (np.ones(len(order), np.float32), order, pointers)
    matrix = sparse_module(rows).csr_matrix(tuple(xp.asarray(p) for p in parts), shape=(count, len(order)))
    return as_complex(xp, matrix @ as_real(xp, rows))


def _turned_ctf(
    particles: Particles, sampling: Sampling, indices: NDArray[np.intp], psi_deg: NDArray, xp: Any
) -> Array:
    defocus = particles.defocus.take(indices)
    turned = Defocus(defocus.u_A, defocus.v_A, np.asarray(defocus.angle_deg + psi_deg), defocus.phase_shift_deg)
    turned = Defocus(*(np.broadcast_to(np.asarray(v, np.float64), psi_deg.shape) for v in vars(turned).values()))
    return ctf_on_disc(sampling.disc, sampling.pixel_size_A, turned, particles.optics.take(indices), xp)


@dataclass(frozen=True)
class Solution:
    """Class averages and how well they are known.

    Attributes
    ----------
    averages : array, shape (C, n, n)
        Regularised, masked averages of all particles of each class.
    references : array, shape (2, C, n, n)
        What the next iteration compares even and odd particles with.
    frc : array, shape (C, shells)
        Correlation of even with odd averages inside the mask.
    snr : array, shape (C, shells)
        Signal to noise power of the whole sums, from the FRC.
    """

    averages: Array
    references: Array
    frc: NDArray[np.float64]
    snr: NDArray[np.float64]


def shell_mean(disc: HalfDisc, values: NDArray) -> NDArray[np.float64]:
    """Average values ``(m, K)`` of a disc over shells, ``(m, shells)``; shells without coefficients give 0."""
    shells = int(disc.shell.max()) + 1
    counts = np.maximum(np.bincount(disc.shell, minlength=shells), 1)
    return np.stack([np.bincount(disc.shell, row, shells) / counts for row in np.asarray(values, np.float64)])


def solve(sums: Sums, sampling: Sampling) -> Solution:
    """Solve for the class averages and the references of either half.

    Parameters
    ----------
    sums : Sums
        Sums of both halves.
    sampling : Sampling
        Disc, mask, and the resolution beyond which the references of the halves are independent.
    """
    xp = array_namespace(sums.numerator)
    disc = sampling.disc
    classes = sums.denominator.shape[1]
    level = shell_mean(disc, to_numpy(sums.denominator).reshape(-1, len(disc))).reshape(2, classes, -1)
    # relative to the whole class: a shell where every CTF is near 0 must not drown its neighbours in the mask's leakage
    mean_level = level.sum(axis=2) / np.maximum((level > 0).sum(axis=2), 1)
    floor = xp.asarray((1e-3 + 0.1 * mean_level).astype(np.float32))[:, :, None]
    halves = [masked_images(sums.numerator[h] / (sums.denominator[h] + floor[h]), sampling) for h in (0, 1)]
    frc = _ring_correlation(halves[0], halves[1], sampling)
    snr = _signal_to_noise(frc, level.sum(axis=0), disc)
    known = xp.asarray((snr > 1e-6)[:, disc.shell])
    prior = np.where(snr > 1e-6, level.sum(axis=0) / np.maximum(snr, 1e-6), 1.0) + 1e-6
    strength = xp.asarray(prior.astype(np.float32)[:, disc.shell])

    def wiener(numerator: Array, denominator: Array) -> Array:
        return xp.where(known, numerator / (denominator + strength), 0)

    whole = wiener(sums.numerator[0] + sums.numerator[1], sums.denominator[0] + sums.denominator[1])
    averages = masked_images(whole, sampling)
    # both halves share the coarse features, so that they stay the same class in the same orientation
    shared = xp.asarray(cosine_edge(disc.radius - (sampling.shared_radius_px - 2.0), 2.0))
    mixed = [shared * whole + (1 - shared) * wiener(sums.numerator[h], sums.denominator[h]) for h in (0, 1)]
    return Solution(averages, xp.stack([masked_images(m, sampling) for m in mixed]), frc, snr)


def masked_images(coefficients: Array, sampling: Sampling) -> Array:
    """Return real images of coefficients inside the circular mask, their level at its rim set to 0."""
    xp = array_namespace(coefficients)
    n = sampling.box_px
    images = irfft2_centred(sampling.disc.scatter(xp.astype(coefficients, xp.complex64)), (n, n))
    ring = (sampling.mask > 0.02) & (sampling.mask < 0.98)
    ring_f = xp.asarray(ring.astype(np.float32) / max(ring.sum(), 1))
    level = xp.sum(images * ring_f, axis=(1, 2))
    return xp.astype((images - level[:, None, None]) * xp.asarray(sampling.mask), xp.float32)


def _ring_correlation(a: Array, b: Array, sampling: Sampling) -> NDArray[np.float64]:
    fa, fb = (to_numpy(sampling.disc.gather(rfft2_centred(half))) for half in (a, b))
    cross = shell_mean(sampling.disc, (fa * fb.conj()).real)
    norm = np.sqrt(shell_mean(sampling.disc, abs(fa) ** 2) * shell_mean(sampling.disc, abs(fb) ** 2))
    frc = np.where(norm > 0, cross / np.where(norm > 0, norm, 1), 0.0)
    frc[:, 0] = 1.0
    return frc


def _signal_to_noise(frc: NDArray, level: NDArray, disc: HalfDisc) -> NDArray[np.float64]:
    """Turn half-set FRCs into the SNR of the whole averages.

    A ring of few coefficients gives a poor estimate, so each class's FRC is pulled towards the one that the classes
    together predict for its number of images; beyond the first drop below 0.143 nothing counts as signal.
    """
    counts = np.bincount(disc.shell, minlength=frc.shape[1]).astype(float)
    clipped = np.clip(frc, 0.0, 0.999)
    each = clipped / (1 - clipped)
    weight = level * counts
    # SNR per unit of Σ C² of one half, as all classes together see it
    unit = np.sum(np.minimum(each, 50) * counts, axis=0) / np.maximum(np.sum(weight / 2, axis=0), 1e-9)
    expected = unit * level / 2
    expected = expected / (1 + expected)
    shrunk = (counts * clipped + 10 * expected) / (counts + 10)
    shrunk = np.clip(shrunk, 0, 0.999)
    below = np.cumsum(shrunk < 0.143, axis=1) > 1  # one low ring among good ones is chance
    shrunk = np.where(below, 0.0, shrunk)
    return 2 * shrunk / (1 - shrunk)


def centres_px(images: Array) -> NDArray[np.float64]:
    """Return the centre of mass (x, y) in px from ``n // 2`` of the bright part of images ``(m, n, n)``."""
    x = to_numpy(images).astype(np.float64)
    n = x.shape[-1]
    peak = x.max(axis=(1, 2), keepdims=True)
    bright = np.where(x > 0.2 * peak, x, 0.0)
    total = np.maximum(bright.sum(axis=(1, 2)), 1e-12)
    axis = np.arange(n) - n // 2
    return np.stack([bright.sum(axis=1) @ axis / total, bright.sum(axis=2) @ axis / total], axis=1)


def recentre(sums: Sums, solution: Solution, sampling: Sampling) -> tuple[Sums, Solution]:
    """Move classes so that their centre of mass is at the box centre; poses found later follow."""
    xp = array_namespace(solution.averages)
    limit = float(np.max(radius_px((sampling.box_px,) * 2)[sampling.mask > 0.5])) / 4
    shift = -np.clip(centres_px(solution.averages), -limit, limit)
    ramps = sampling.disc.phase_ramps(xp.asarray(shift.astype(np.float32)))

    def move(images: Array) -> Array:
        return masked_images(sampling.disc.gather(rfft2_centred(images)) * ramps, sampling)

    moved = replace(
        solution,
        averages=move(solution.averages),
        references=xp.stack([move(half) for half in (solution.references[0], solution.references[1])]),
    )
    return Sums(xp.astype(sums.numerator * ramps[None], xp.complex64), sums.denominator), moved
