"""Correlation of the two halves of each class over rings: what it says about signal, and what may be chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc

_WINDOW_COEFFICIENTS = 30.0
"""Rings are averaged with their neighbours until they hold as many independent coefficients."""

LIKELY, SURE = 1.4, 3.0
"""Standard errors taken from an FRC: for what is tried next, and for what is stated (of fifty classes of noise in a
hundred sets one has a resolution by chance)."""

_DOUBTFUL, _CERTAIN = 0.5, 0.8
"""Lower bounds of the FRC between which the halves begin to share their references."""


def shell_mean(disc: HalfDisc, values: NDArray) -> NDArray[np.float64]:
    """Average values ``(m, K)`` of a disc over shells, ``(m, shells)``; shells without coefficients give 0."""
    shells = int(disc.shell.max()) + 1
    counts = np.maximum(np.bincount(disc.shell, minlength=shells), 1)
    return np.stack([np.bincount(disc.shell, row, shells) / counts for row in np.asarray(values, np.float64)])


def ring_correlation(a: NDArray, b: NDArray, disc: HalfDisc) -> NDArray[np.float64]:
    """Return the FRC ``(m, shells)`` of coefficients ``(m, K)``."""
    cross = shell_mean(disc, (a * b.conj()).real)
    norm = np.sqrt(shell_mean(disc, abs(a) ** 2) * shell_mean(disc, abs(b) ** 2))
    frc = np.where(norm > 0, cross / np.where(norm > 0, norm, 1), 0.0)
    frc[:, 0] = 1.0
    return frc


def lower_bound(
    frc: NDArray[np.float64], disc: HalfDisc, mask: NDArray[np.floating], shared_shell: int, deviations: float
) -> NDArray[np.float64]:
    """Return what of an FRC is more than chance: its mean over a few rings less some standard errors.

    Coarse rings hold few coefficients, and a mask makes neighbours alike, so that two unrelated averages correlate by
    more than 0.143 there as often as not. Rings whose halves share a reference are not mixed with those beyond; from
    there on the bound never rises again, so that each class has one chance to be wrong and not one in each ring.

    Parameters
    ----------
    frc : array, shape (C, shells)
        Correlation of halves.
    disc : HalfDisc
        Its coefficients.
    mask : array, shape (n, n)
        Mask of the averages.
    shared_shell : int
        Last shell for which the halves share their reference.
    deviations : float
        Standard errors to take off.
    """
    shells = frc.shape[1]
    # a masked image has as many degrees of freedom in a ring as its share of the box
    free = np.bincount(disc.shell, minlength=shells) * float(np.mean(np.asarray(mask, np.float64) ** 2))
    low = np.array(frc)
    first = shared_shell + 1
    for shell in range(1, shells):
        begin, end = (1, min(first, shells)) if shell < first else (first, shells)
        start, stop = shell, shell + 1
        while free[start:stop].sum() < _WINDOW_COEFFICIENTS and (start > begin or stop < end):
            start, stop = max(start - 1, begin), min(stop + 1, end)
        weight = free[start:stop]
        mean = frc[:, start:stop] @ weight / max(weight.sum(), 1e-12)
        # each complex coefficient counts twice
        low[:, shell] = mean - deviations * (1 - mean**2) / np.sqrt(2 * max(weight.sum(), 1.0))
    low[:, first:] = np.minimum.accumulate(low[:, first:], axis=1)
    return low


def trusted_share(low: NDArray[np.float64], shared_shell: int) -> NDArray[np.float64]:
    """Return the share ``(C, shells)`` of all particles in the references of either half.

    0 where signal is not beyond doubt, so that noise never sees what the other half made of it; up to 1 where
    correlation is high without a break from the resolution that the halves share anyway.
    """
    first = shared_shell + 1
    share = np.clip((low - _DOUBTFUL) / (_CERTAIN - _DOUBTFUL), 0.0, 1.0)
    share[:, :first] = 1.0
    unbroken = np.minimum.accumulate(share, axis=1)
    unbroken[:, first:-1] = unbroken[:, first + 1 :]  # one ring less: masks and rotations spread to the next
    unbroken[:, -1] = 0.0
    return unbroken


def signal_to_noise(frc: NDArray[np.float64], level: NDArray[np.float64], disc: HalfDisc) -> NDArray[np.float64]:
    """Turn half-set FRCs into the SNR of the whole averages.

    A ring of few coefficients gives a poor estimate, so each class's FRC is pulled towards the one that the classes
    together predict for its number of images; beyond the first drop below 0.143 nothing counts as signal.

    Parameters
    ----------
    frc : array, shape (C, shells)
        Correlation of halves.
    level : array, shape (C, shells)
        Mean over each shell of ``Σ w C²``.
    disc : HalfDisc
        Its coefficients.
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
