"""Automatic choice of good classes.

Views of a particle carry detail that explains images left out of their average (`detail_gain`); empty nanodiscs, ice
and noise carry none, whatever their size or contrast. Where the good classes end is found by splitting the logarithms
of the gains into two groups with the largest variance between them (Otsu, IEEE Trans SMC 9, 62, 1979).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_LOWEST_SHARE, _HIGHEST_SHARE = 0.07, 0.2
_SIGNIFICANT = 15.0  # gain of a whole class in units of log-likelihood: what chance gives a class of junk stays below
_STRIPE, _NARROW, _VERY_NARROW = 0.65, 0.68, 0.55
_RARE = 0.2  # more than that share of narrow images is a view of a flat particle, not junk
_FEWEST = 3


def select_classes(figures: Mapping[str, NDArray]) -> NDArray[np.intp]:
    """Choose the classes that show particles.

    Parameters
    ----------
    figures : mapping of str to array, shape (C,)
        Columns ``count``, ``detail_gain``, ``streak`` and ``width_A`` of `class_figures`.

    Returns
    -------
    array of int
        Indices from 0 of the chosen classes, ascending.

    Raises
    ------
    ValueError
        When a column is missing, or no class shows any detail.
    """
    missing = [name for name in ("count", "detail_gain", "streak", "width_A") if name not in figures]
    if missing:
        raise ValueError(f"The class table has no column {missing[0]}; automatic selection needs it: classify again.")
    count = np.asarray(figures["count"], np.float64)
    gain = np.asarray(figures["detail_gain"], np.float64)
    usable = (count >= _FEWEST) & (gain * count > _SIGNIFICANT) & ~_stripes(figures)
    if not usable.any():
        raise ValueError(
            "No class shows detail finer than 25 Å, so none can be chosen automatically: "
            "choose classes by hand, or classify more particles."
        )
    level = _weighted_quantile(gain[usable], count[usable], 0.75)
    threshold = _split(gain, count, level)
    return np.flatnonzero(usable & (gain >= threshold))


def _stripes(figures: Mapping[str, NDArray]) -> NDArray[np.bool_]:
    """Tell which classes are rare narrow stripes among wider particles: membrane discs seen from the side."""
    count = np.asarray(figures["count"], np.float64)
    width, streak = np.asarray(figures["width_A"], np.float64), np.asarray(figures["streak"], np.float64)
    strong = np.asarray(figures["detail_gain"], np.float64) * count > _SIGNIFICANT
    if not strong.any():
        return np.zeros(len(count), bool)
    relative = width / _weighted_quantile(width[strong], count[strong], 0.6)
    stripes = (relative < _VERY_NARROW) | ((relative < _NARROW) & (streak > _STRIPE))
    rare = count[stripes & strong].sum() < _RARE * count[strong].sum()
    return stripes & rare


def _weighted_quantile(values: NDArray, weights: NDArray, share: float) -> float:
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(int(np.searchsorted(cumulated, share)), len(values) - 1)])


def _split(gain: NDArray[np.float64], count: NDArray[np.float64], level: float) -> float:
    """Return the gain between poor and good classes, 0.07 to 0.2 of the level of good ones."""
    logs = np.log(np.maximum(gain, 0.02 * level))
    ordered = np.unique(logs)
    middles = 0.5 * (ordered[1:] + ordered[:-1])
    low, high = np.log(_LOWEST_SHARE * level), np.log(_HIGHEST_SHARE * level)
    middles = middles[(middles >= low) & (middles <= high)]
    best, threshold = -1.0, 0.5 * (low + high)
    for middle in middles:
        upper = logs > middle
        a, b = count[upper].sum(), count[~upper].sum()
        if a == 0 or b == 0:
            continue
        distance = np.average(logs[upper], weights=count[upper]) - np.average(logs[~upper], weights=count[~upper])
        if a * b * distance**2 > best:
            best, threshold = a * b * distance**2, middle
    return float(np.exp(threshold))
