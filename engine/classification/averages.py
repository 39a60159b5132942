"""Class averages from the sums of aligned images, and what the next iteration compares images with.

The correlation of even and odd averages over rings (FRC) sets the strength of the Wiener-type regularisation
(Scheres, J Mol Biol 415, 406, 2012). Beyond a coarse resolution the two halves have references of their own, and
nothing may leak from one half to the other: noise that was aligned to a shared coarse reference is alike in both
halves, and masks and rotations spread it over the neighbouring rings, from where each iteration would carry it
farther. So the independent part is cut off before it is turned back into the sums, and again before it is masked, for
references and for the FRC.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.classification.correlation import (
    LIKELY,
    SURE,
    lower_bound,
    ring_correlation,
    shell_mean,
    signal_to_noise,
    trusted_share,
)
from engine.classification.maximisation import Sums
from engine.classification.setup import Sampling
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.windows import radius_px


@dataclass(frozen=True)
class Solution:
    """Class averages and how well they are known.

    Attributes
    ----------
    averages : array, shape (C, n, n)
        Regularised, masked averages of all particles of each class. Their coarse part is what the next iteration
        compares images with: both halves share it, so that they stay the same class in the same orientation.
    fine : array, shape (2, C, n, n)
        The same of even and odd particles for the finer detail alone, masked: nearly that of all particles where
        the halves agree by far more than chance, for halves that look apart could part for good.
    halves : array, shape (2, C, n, n)
        The finer detail of either half alone.
    frc : array, shape (C, shells)
        Correlation of even with odd averages inside the mask.
    frc_likely, frc_low : array, shape (C, shells)
        What of it is probably, and what surely, more than chance (see `lower_bound`).
    snr : array, shape (C, shells)
        Signal to noise power of the whole sums, from the FRC.
    """

    averages: Array
    fine: Array
    halves: Array
    frc: NDArray[np.float64]
    frc_likely: NDArray[np.float64]
    frc_low: NDArray[np.float64]
    snr: NDArray[np.float64]


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
    frc = _half_correlation(sums, level, sampling)
    snr = signal_to_noise(frc, level.sum(axis=0), disc)
    known = xp.asarray((snr > 1e-6)[:, disc.shell])
    prior = np.where(snr > 1e-6, level.sum(axis=0) / np.maximum(snr, 1e-6), 1.0) + 1e-6
    strength = xp.asarray(prior.astype(np.float32)[:, disc.shell])

    def wiener(numerator: Array, denominator: Array) -> Array:
        return xp.where(known, numerator / (denominator + strength), 0)

    whole = wiener(sums.numerator[0] + sums.numerator[1], sums.denominator[0] + sums.denominator[1])
    averages = masked_images(whole, sampling)
    likely, sure = (lower_bound(frc, disc, sampling.mask, sampling.shared_shell, n) for n in (LIKELY, SURE))
    trust = xp.asarray(trusted_share(likely, sampling.shared_shell).astype(np.float32)[:, disc.shell])
    halves = [wiener(sums.numerator[h], sums.denominator[h]) for h in (0, 1)]
    fine = [_masked_fine(trust * whole + (1 - trust) * half, sampling) for half in halves]
    own = [_masked_fine(half, sampling) for half in halves]
    return Solution(averages, xp.stack(fine), xp.stack(own), frc, likely, sure, snr)


def _masked_fine(coefficients: Array, sampling: Sampling) -> Array:
    """Return masked images ``(C, n, n)`` of nothing but the coefficients that the halves do not share."""
    xp = array_namespace(coefficients)
    index = xp.arange(coefficients.shape[1])
    return masked_images(xp.where(index >= sampling.shared, coefficients, 0), sampling)


def reference_spectra(averages: Array, fine: Array, sampling: Sampling) -> Array:
    """Return the coefficients ``(C, K)`` of the references of one half: the averages', and beyond them its own."""
    xp, disc = array_namespace(averages), sampling.disc
    coarse, own = (disc.gather(rfft2_centred(images)) for images in (averages, fine))
    return xp.concat([coarse[:, : sampling.shared], own[:, sampling.shared :]], axis=1)


def _half_correlation(sums: Sums, level: NDArray[np.float64], sampling: Sampling) -> NDArray[np.float64]:
    """Return the FRC of the halves inside the mask, ``(C, shells)``."""
    xp, disc = array_namespace(sums.numerator), sampling.disc
    # relative to the whole class: a shell where every CTF is near 0 must not drown its neighbours in the mask's leakage
    mean_level = level.sum(axis=2) / np.maximum((level > 0).sum(axis=2), 1)
    floor = xp.asarray((1e-3 + 0.1 * mean_level).astype(np.float32))[:, :, None]
    pairs: list[list[Array]] = [[], []]
    for h in (0, 1):
        half = sums.numerator[h] / (sums.denominator[h] + floor[h])
        pairs[0].append(disc.gather(rfft2_centred(masked_images(half, sampling))))
        pairs[1].append(disc.gather(rfft2_centred(_masked_fine(half, sampling))))
    coarse, independent = (ring_correlation(to_numpy(a), to_numpy(b), disc) for a, b in pairs)
    shells = np.arange(coarse.shape[1])
    return np.where(shells > sampling.shared_shell, independent, coarse)


def masked_images(coefficients: Array, sampling: Sampling) -> Array:
    """Return real images of coefficients inside the circular mask, their level at its rim set to 0."""
    xp = array_namespace(coefficients)
    n = sampling.box_px
    images = irfft2_centred(sampling.disc.scatter(xp.astype(coefficients, xp.complex64)), (n, n))
    ring = (sampling.mask > 0.02) & (sampling.mask < 0.98)
    ring_f = xp.asarray(ring.astype(np.float32) / max(ring.sum(), 1))
    level = xp.sum(images * ring_f, axis=(1, 2))
    return xp.astype((images - level[:, None, None]) * xp.asarray(sampling.mask), xp.float32)


def centres_px(images: Array) -> NDArray[np.float64]:
    """Return the centre of mass (x, y) in px from ``n // 2`` of the bright part of images ``(m, n, n)``."""
    x = to_numpy(images).astype(np.float64)
    n = x.shape[-1]
    peak = x.max(axis=(1, 2), keepdims=True)
    bright = np.where(x > 0.2 * peak, x, 0.0)
    total = np.maximum(bright.sum(axis=(1, 2)), 1e-12)
    axis = np.arange(n) - n // 2
    return np.stack([bright.sum(axis=1) @ axis / total, bright.sum(axis=2) @ axis / total], axis=1)


def recentre(sums: Sums, averages: Array, sampling: Sampling) -> Sums:
    """Return sums moved so that the centre of mass of each average is at the box centre; poses found later follow."""
    xp = array_namespace(averages)
    limit = float(np.max(radius_px((sampling.box_px,) * 2)[sampling.mask > 0.5])) / 4
    shift = -np.clip(centres_px(averages), -limit, limit)
    ramps = sampling.disc.phase_ramps(xp.asarray(shift.astype(np.float32)))
    return Sums(xp.astype(sums.numerator * ramps[None], xp.complex64), sums.denominator)
