"""Thresholds on scores: bounds, sensible defaults, and the calibration against defocus.

The default lower bound of the NCC comes from decoys, as in the identification of peptides (Elias & Gygi, Nat Methods 4,
207, 2007). Noise is as likely to look like a template in the opposite contrast as like the template itself, so the
peaks of the opposite contrast tell how many of the candidates above a score are noise. Particles surround themselves
with fringes of the opposite contrast, which are no noise: `engine.picking.decoys` tells which decoys these are, and
for how many candidates of noise each of the others stands.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

FLOODED, FEWEST = 0.3, 30
"""No score counts below the one where, among at least FEWEST candidates, this share of noise is reached: noise is so
dense there that most decoys lie beside a better candidate and are taken for fringes."""

POWER_SPREADS = 5.0
"""Robust standard deviations (of the logarithm) above the median from which the power counts as ice or carbon."""

LEAST_POWER_RATIO = 2.5
"""The automatic upper bound of the power is at least this many medians."""


@dataclass(frozen=True)
class Thresholds:
    """Bounds on both scores; None leaves a side open."""

    min_ncc: float | None = None
    max_ncc: float | None = None
    min_power: float | None = None
    max_power: float | None = None

    def accept(self, ncc: NDArray[np.floating], power: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which candidates (m,) lie within the bounds, bounds included."""
        ncc, power = np.asarray(ncc, np.float64), np.asarray(power, np.float64)
        inside = np.ones(ncc.shape, dtype=bool)
        for values, low, high in ((ncc, self.min_ncc, self.max_ncc), (power, self.min_power, self.max_power)):
            if low is not None:
                inside &= values >= low
            if high is not None:
                inside &= values <= high
        return inside


@dataclass(frozen=True)
class ScoreSample:
    """NCC and power of candidates or of decoys of a whole data set, each (m,), and what each counts (1 where None)."""

    ncc: NDArray[np.floating]
    power: NDArray[np.floating]
    weight: NDArray[np.floating] | None = None

    def below_power(self, max_power: float | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """NCC and weight of the members whose power does not exceed a bound."""
        ncc = np.asarray(self.ncc, np.float64)
        weight = np.ones(ncc.shape) if self.weight is None else np.asarray(self.weight, np.float64)
        chosen = slice(None) if max_power is None else np.asarray(self.power) <= max_power
        return ncc[chosen], weight[chosen]


def automatic_thresholds(candidates: ScoreSample, decoys: ScoreSample, given: Thresholds) -> Thresholds:
    """Fill in the lower bound of the NCC and the upper bound of the power where they are not given.

    Parameters
    ----------
    candidates, decoys : scores over the whole data set, decoys without fringes.
    given : bounds that are kept as they are.

    Returns
    -------
    Thresholds
        With `min_ncc` just above the best candidate where none stands out from the decoys.
    """
    min_ncc, max_power = given.min_ncc, given.max_power
    # the bounds depend on each other: ice must not count among the decoys, nor noise among the particles
    for _ in range(2):
        if given.min_ncc is None:
            min_ncc = decoy_threshold(candidates.below_power(max_power)[0], *decoys.below_power(max_power))
        if given.max_power is None:
            chosen = replace(given, min_ncc=min_ncc, max_power=None).accept(candidates.ncc, candidates.power)
            max_power = power_bound(np.asarray(candidates.power)[chosen])
    return replace(given, min_ncc=min_ncc, max_power=max_power)


def decoy_threshold(
    candidates: NDArray[np.floating], decoys: NDArray[np.floating], weight: NDArray[np.floating] | None = None
) -> float:
    """Score with the best expected F1, twice what is right over the sum of what is picked and what there is.

    Of n candidates above a score those are right that the decoys above it leave, and there are as many objects as are
    right at the score where most are.

    Parameters
    ----------
    candidates, decoys : (m,) and (d,) scores.
    weight : (d,) candidates of noise that each decoy stands for; 1 where None.

    Returns
    -------
    float
        The next larger number after the best candidate where no score will do; 0 without candidates.
    """
    scores = np.sort(np.asarray(candidates, np.float64))[::-1]
    if not len(scores):
        return 0.0
    above = np.arange(1, len(scores) + 1)
    order = np.argsort(np.asarray(decoys, np.float64), kind="stable")
    counted = np.ones(len(order)) if weight is None else np.asarray(weight, np.float64)[order]
    below = np.concatenate([[0.0], np.cumsum(counted)])
    false = below[-1] - below[np.searchsorted(np.asarray(decoys, np.float64)[order], scores, side="left")]
    flooded = np.flatnonzero((above >= FEWEST) & (false > FLOODED * above))
    end = flooded[0] if len(flooded) else len(scores)
    right = (above - false)[:end]
    objects = right.max(initial=0.0)
    if objects <= 0:
        return float(np.nextafter(scores[0], np.inf))
    return float(scores[np.argmax(2 * right / (above[:end] + objects))])


def power_bound(powers: NDArray[np.floating]) -> float | None:
    """Upper bound beyond which a power is an outlier of the given ones; None without any."""
    positive = np.asarray(powers, np.float64)
    positive = positive[positive > 0]
    if not len(positive):
        return None
    logs = np.log(positive)
    middle = np.median(logs)
    spread = 1.4826 * np.median(np.abs(logs - middle))
    return float(np.exp(middle) * max(LEAST_POWER_RATIO, np.exp(POWER_SPREADS * spread)))


def defocus_trend(
    scores: NDArray[np.floating], group: NDArray[np.integer], defocus_A: NDArray[np.floating]
) -> tuple[float, float]:
    """Robust line through the micrographs' median scores against their defocus.

    Parameters
    ----------
    scores : (m,) scores of chosen candidates.
    group : (m,) index of each one's micrograph.
    defocus_A : (m,) mean defocus of that micrograph.

    Returns
    -------
    (slope per Å, defocus at which the correction is zero): Theil's line, the median of the slopes between all pairs
    of micrographs; slope 0 with fewer than three micrographs.
    """
    groups = np.unique(group)
    medians = np.array([np.median(scores[group == g]) for g in groups])
    defoci = np.array([np.median(defocus_A[group == g]) for g in groups])
    if len(groups) < 3:
        return 0.0, float(np.median(defoci)) if len(groups) else 0.0
    first, second = np.triu_indices(len(groups), k=1)
    apart = defoci[second] != defoci[first]
    if not apart.any():
        return 0.0, float(np.median(defoci))
    slopes = (medians[second] - medians[first])[apart] / (defoci[second] - defoci[first])[apart]
    return float(np.median(slopes)), float(np.median(defoci))


def calibrate_to_defocus(
    scores: NDArray[np.floating], defocus_A: NDArray[np.floating], trend: tuple[float, float]
) -> NDArray[np.float64]:
    """Subtract a trend, so that one threshold means the same at every defocus."""
    slope, origin_A = trend
    return np.asarray(scores, np.float64) - slope * (np.asarray(defocus_A, np.float64) - origin_A)
