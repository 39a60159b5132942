"""Automatic choice of good classes.

Views of a particle carry detail that explains images left out of their average (`detail_gain`); empty nanodiscs, ice
and noise carry none or little, whatever their size or contrast. A class counts when its gain is more than chance gives;
among those, the good ones end at the widest gap between the logarithms of the gains.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_LOWEST_SHARE, _HIGHEST_SHARE = 0.02, 0.4
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
    threshold = _split(gain[usable], level)
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


def _split(gain: NDArray[np.float64], level: float) -> float:
    """Return the gain between poor and good classes: the widest gap on a logarithmic scale below the good ones' level.

    Gains count down to 0.02 of the level, so that nothing is split off when no poor class is significant.
    """
    ordered = np.sort(np.log(np.maximum(np.append(gain, 0.0), _LOWEST_SHARE * level)))
    middles, gaps = 0.5 * (ordered[1:] + ordered[:-1]), np.diff(ordered)
    low = middles <= np.log(_HIGHEST_SHARE * level)
    if not low.any():
        return float(_HIGHEST_SHARE * level)
    return float(np.exp(middles[low][np.argmax(gaps[low])]))
