"""Automatic choice of good classes.

A class shows particles when each of its images fits it far better than an empty image (`mean_score`), fits few others
(`effective_classes`), and its independent halves agree (`resolution_A`, which stays at the resolution that the halves
share where there is nothing but aligned noise). The three are weighed in one sum, a logistic regression over classes
of simulated particles and junk; its weights hold for structures that were left out. How much better an image of a
particle fits depends on its mass, the dose and the pixel size, so scores are judged between what noise reaches and
what the better part of the images reach.

Projections of one object hold the same mass from every side: all slices of its transform meet in the origin. A class
that holds clearly less than most images is therefore another object, such as an empty membrane disc, however strong
its stripe is from the side. Narrow stripes with little detail for their contrast, and less mass besides, are such
discs too where the masses are close and no common lines say otherwise.

Where images are strong, common lines (see `engine.classification.kinship`) tell objects apart whose masses are closer
than that: sharp classes that share no lines with the commonest object are left, with all that share lines with them,
and blurred ones where they differ from it in mass as well.

What is strong but agrees in nothing finer than the halves share anyway is ice, unless it shares lines and mass with the
commonest object: a class of few images is blurred, too; where all images are faint, only what fits far better than the
others is. What is both fainter than the particles and poorer in detail is a mixture or a smaller object.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

NEEDED = ("count", "resolution_A", "effective_classes", "mean_score", "detail_gain", "width_A", "mass", "object")
"""Columns of the class table that the choice looks at."""

_FEWEST = 3
_RESOLUTION_WEIGHT, _SCORE_WEIGHT, _CERTAINTY_WEIGHT = 1.2, 3.15, 1.25
_COARSEST_A, _FINEST_A = 40.0, 8.0
_CERTAINTY = 0.7
_NOISE_SCORE, _LEAST_SCORE, _SCORE_SHARE = 8.0, 12.0, 0.45
_BETTER = 0.7  # with up to 40 % of junk this quantile of the images' scores is about the median of the particles'
_STRIPE_GAP, _STRIPE_WIDTH, _STRIPE_DETAIL = 1.3, 0.68, 0.6
_SMOOTH_A, _STRONG, _STRONGER, _CHANCE = 36.0, 25.0, 2.0, 15.0
_FAINT, _POOR, _FAINT_SHARE = 0.35, 0.5, 0.2
_LIGHT, _LIGHTER = 0.8, 0.95  # views of one particle differ by a few per cent in mass, discs and particles by a third
_AS_HEAVY, _SHARP_A = 0.08, 25.0
_CLEAR_SCORE = 30.0  # averages of images that are fitted no better than this are too noisy for common lines
_RARE = 0.25  # more than that share of narrow images is a view of a flat particle, not junk


def select_classes(figures: Mapping[str, NDArray]) -> NDArray[np.intp]:
    """Choose the classes that show particles.

    Parameters
    ----------
    figures : mapping of str to array, shape (C,)
        Columns of `class_figures`, at least those in `NEEDED`.

    Returns
    -------
    array of int
        Indices from 0 of the chosen classes, ascending.

    Raises
    ------
    ValueError
        When a column is missing, or no class shows particles.
    """
    missing = [name for name in NEEDED if name not in figures]
    if missing:
        raise ValueError(f"The class table has no column {missing[0]}; automatic selection needs it: classify again.")
    column = {name: np.asarray(figures[name], np.float64) for name in NEEDED}
    good = (column["count"] >= _FEWEST) & (_merit(column) > 0)
    good &= ~_ice(column, good)
    mass = _relative_mass(column, good)
    good &= mass > _LIGHT
    good &= ~(_stripes(column, good) & (mass < _LIGHTER)) | _commonest(column, good)
    good &= ~_other_object(column, good)
    good &= ~_faint(column, good)
    if not good.any():
        raise ValueError(
            "No class shows particles clearly, so none can be chosen automatically: "
            "choose classes by hand, or classify more particles."
        )
    return np.flatnonzero(good)


def _merit(column: Mapping[str, NDArray[np.float64]]) -> NDArray[np.float64]:
    """Return how much speaks for each class: above 0 more than against it."""
    resolution_A = np.clip(column["resolution_A"], _FINEST_A, _COARSEST_A)
    certainty = 1 / np.maximum(column["effective_classes"], 1.0)
    return (
        _RESOLUTION_WEIGHT * np.log(_COARSEST_A / resolution_A)
        + _SCORE_WEIGHT * np.log(np.maximum(column["mean_score"], 1.0) / _usual_score(column))
        + _CERTAINTY_WEIGHT * (certainty - _CERTAINTY)
    )


def _usual_score(column: Mapping[str, NDArray[np.float64]]) -> float:
    """Return the score that says nothing for or against a class of this data set."""
    level = _quantile_of_images(column["mean_score"], column["count"], _BETTER)
    return max(_LEAST_SCORE, _NOISE_SCORE + _SCORE_SHARE * (level - _NOISE_SCORE))


def _quantile_of_images(values: NDArray[np.float64], count: NDArray[np.float64], share: float) -> float:
    """Return the value of a class that this share of all images does not exceed; 0 without images."""
    order = np.argsort(values, kind="stable")
    cumulated = np.cumsum(count[order])
    return float(values[order[int(np.searchsorted(cumulated, share * cumulated[-1]))]]) if len(order) else 0.0


def _ice(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes explain their images by coarse features alone and are no blurred views of the particle."""
    no_detail = column["detail_gain"] * column["count"] < _CHANCE
    strong = _STRONG
    if _usual_score(column) < _CLEAR_SCORE:  # few faint images show no detail either, but ice stands out from them
        strong = max(strong, _STRONGER * _quantile_of_images(column["mean_score"], column["count"], _BETTER))
    smooth = (column["resolution_A"] > _SMOOTH_A) & (column["mean_score"] > strong) & no_detail
    commonest = _commonest(column, good & ~smooth)
    return smooth & ~(commonest & _as_heavy(column, commonest & ~smooth))


def _relative_mass(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mass of each class relative to the median over the images of the good ones."""
    usual = _quantile_of_images(column["mass"][good], column["count"][good], 0.5)
    return column["mass"] / usual if usual > 0 else np.ones(len(good))


def _other_object(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes show another object than most images."""
    commonest = _commonest(column, good)
    if not commonest.any():
        return commonest
    # a blurred view may find no lines like its own, but holds the particle's mass all the same
    sharp = column["resolution_A"] < _SHARP_A
    known = np.isin(column["object"], column["object"][sharp])
    return ~commonest & (known | ~_as_heavy(column, good & commonest))


def _commonest(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes show the object of most images of the good ones; none where noise hides common lines."""
    if not good.any() or _usual_score(column) < _CLEAR_SCORE:
        return np.zeros(len(good), np.bool_)
    which = column["object"].astype(np.intp)
    return which == np.bincount(which[good], column["count"][good]).argmax()


def _as_heavy(column: Mapping[str, NDArray[np.float64]], like: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes are about as heavy as some others."""
    return np.abs(_relative_mass(column, like) - 1) <= _AS_HEAVY


def _stripes(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes are rare narrow stripes, set apart from wider particles and poor in detail."""
    count, width, nothing = column["count"], column["width_A"], np.zeros(len(good), np.bool_)
    order = np.flatnonzero(good)[np.argsort(width[good], kind="stable")]
    if len(order) < _FEWEST:
        return nothing
    ordered = width[order]
    cumulated = np.cumsum(count[order])
    level = ordered[int(np.searchsorted(cumulated, 0.6 * cumulated[-1]))]
    gaps = (ordered[1:] > _STRIPE_GAP * ordered[:-1]) & (ordered[:-1] < _STRIPE_WIDTH * level)
    if not gaps.any():
        return nothing
    stripes = good & (_detail(column, good) < _STRIPE_DETAIL) & (width <= ordered[np.flatnonzero(gaps)[-1]])
    return stripes if count[stripes].sum() <= _RARE * count[good].sum() else nothing


def _faint(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Tell which classes explain far less of their images than the others, and hardly any of it by detail."""
    if not good.any():
        return good
    level = _quantile_of_images(column["mean_score"][good], column["count"][good], 0.5)
    detail = _detail(column, good)
    faint = np.flatnonzero(good & (column["mean_score"] < _FAINT * level) & (detail < _POOR))
    faint = faint[np.argsort(detail[faint], kind="stable")]
    # common ones are views of the particle
    few = np.cumsum(column["count"][faint]) <= _FAINT_SHARE * column["count"][good].sum()
    return np.isin(np.arange(len(good)), faint[few])


def _detail(column: Mapping[str, NDArray[np.float64]], good: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the share of detail in what a class explains, relative to the good classes together."""
    share = column["detail_gain"] / np.maximum(column["mean_score"], 1.0)
    return share / max(float(np.average(share[good], weights=column["count"][good])), 1e-6)
