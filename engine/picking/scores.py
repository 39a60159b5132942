"""Thresholds on scores: bounds, sensible defaults, and the calibration against defocus.

The default lower bound of the NCC comes from decoys, as in the identification of peptides (Elias & Gygi, Nat Methods 4,
207, 2007). Noise is as likely to look like a template in the opposite contrast as like the template itself, so the
peaks of the opposite contrast tell how many of the candidates above a score are noise. Particles surround themselves
with fringes of the opposite contrast, which are no noise: `fringes` tells which decoys these are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

DECOY_SHARE = 0.02
"""Decoys per candidate that the automatic bound of the NCC allows. On simulated micrographs of several particles one or
two candidates are false for each decoy, and the best F1 lies there."""

FLOODED, FEWEST = 0.3, 30
"""No score counts below the one where, among at least FEWEST candidates, this share of decoys is reached: noise is so
dense there that most decoys lie beside a better candidate and are taken for fringes."""

_ACCIDENTS = 2.0

FRINGE_RATIO = 1.1
"""A decoy is a fringe where a candidate beside it has this many times its score."""

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
    """NCC and power of candidates or of decoys of a whole data set, each (m,)."""

    ncc: NDArray[np.floating]
    power: NDArray[np.floating]

    def below_power(self, max_power: float | None) -> NDArray[np.float64]:
        """NCC of the members whose power does not exceed a bound."""
        ncc = np.asarray(self.ncc, np.float64)
        return ncc if max_power is None else ncc[np.asarray(self.power) <= max_power]


def fringes(
    decoys_px: NDArray[np.floating],
    decoy_ncc: NDArray[np.floating],
    candidates_px: NDArray[np.floating],
    candidate_ncc: NDArray[np.floating],
    reach_px: float,
) -> NDArray[np.bool_]:
    """Tell which decoys are fringes of a particle: those with a clearly better candidate within reach.

    Parameters
    ----------
    decoys_px, candidates_px : (d, 2) and (m, 2) positions on one micrograph.
    decoy_ncc, candidate_ncc : (d,) and (m,) scores.
    reach_px : one particle diameter.
    """
    found = np.zeros(len(decoy_ncc), dtype=bool)
    if len(decoy_ncc) and len(candidate_ncc):
        beside = cKDTree(candidates_px).query_ball_point(decoys_px, reach_px)
        for i, near in enumerate(beside):
            found[i] = bool((candidate_ncc[near] > FRINGE_RATIO * decoy_ncc[i]).any())
    return found


def automatic_thresholds(candidates: ScoreSample, decoys: ScoreSample, given: Thresholds) -> Thresholds:
    """Fill in the lower bound of the NCC and the upper bound of the power where they are not given.

    Parameters
    ----------
    candidates, decoys : scores over the whole data set, decoys without `fringes`.
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
            min_ncc = decoy_threshold(candidates.below_power(max_power), decoys.below_power(max_power))
        if given.max_power is None:
            chosen = replace(given, min_ncc=min_ncc, max_power=None).accept(candidates.ncc, candidates.power)
            max_power = power_bound(np.asarray(candidates.power)[chosen])
    return replace(given, min_ncc=min_ncc, max_power=max_power)


def decoy_threshold(
    candidates: NDArray[np.floating], decoys: NDArray[np.floating], share: float = DECOY_SHARE
) -> float:
    """Lowest score above which there are at most `share` decoys for each candidate.

    Returns
    -------
    float
        The next larger number after the best candidate where no score will do; 0 without candidates.
    """
    scores = np.sort(np.asarray(candidates, np.float64))[::-1]
    if not len(scores):
        return 0.0
    above = np.arange(1, len(scores) + 1)
    false = len(decoys) - np.searchsorted(np.sort(np.asarray(decoys, np.float64)), scores, side="left")
    flooded = np.flatnonzero((above >= FEWEST) & (false > FLOODED * above))
    end = flooded[0] if len(flooded) else len(scores)
    # in a small set the share is less than a decoy: one or two of them are accidents
    allowed = np.maximum(share * above[:end], np.where(above[:end] >= FEWEST, _ACCIDENTS, 0.0))
    good = np.flatnonzero(false[:end] <= allowed)
    return float(scores[good[-1]]) if len(good) else float(np.nextafter(scores[0], np.inf))


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
