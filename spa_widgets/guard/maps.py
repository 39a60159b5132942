"""Maps before and after a long job: order of the symmetry, and hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.alignment.symmetry_axis import SymmetryAlignment, find_symmetry
from engine.checks.axial_order import axial_scores, most_likely_order
from engine.symmetry import parse_symmetry
from spa_widgets.guard.finding import Finding

_DOUBTFUL = 0.3
_SURE_HAND = 0.02


def symmetry_warnings(
    volume: NDArray[np.float32], found: SymmetryAlignment, pixel_size_A: float, symmetry: str
) -> list[Finding]:
    """Return what a map that was turned to its symmetry axes says against the point group.

    Parameters
    ----------
    volume : (n, n, n) array
        The map before it was turned.
    found : SymmetryAlignment
        How its axes were found.
    pixel_size_A : float
    symmetry : str
        The point group asked for.
    """
    family, order = parse_symmetry(symmetry)
    if order < 2 or family not in ("C", "D"):
        return [_little(found, symmetry)] if found.score < _DOUBTFUL else []
    scores = axial_scores(np.asarray(found.aligned), pixel_size_A)
    likely = most_likely_order(scores)
    if found.score >= _DOUBTFUL and (likely == 1 or scores[likely] - scores[order] < _DOUBTFUL):
        if likely > order and likely % order == 0:
            return [_order("higher_order", f"{family}{likely}", scores[likely], f"{family}{order}", scores[order])]
        return []
    if likely == 1 and family == "C":
        likely, scores = _neighbour(volume, pixel_size_A, order, scores)
    if likely in (1, order):
        return [_little(found, symmetry)]
    return [_order("other_order", f"{family}{likely}", scores[likely], symmetry, found.score)]


def _order(key: str, likely: str, likely_score: float, asked: str, asked_score: float) -> Finding:
    values = {"likely": likely, "likely_score": likely_score, "asked": asked, "asked_score": asked_score}
    return Finding(key, {"symmetry": likely}, **values)


def _little(found: SymmetryAlignment, symmetry: str) -> Finding:
    return Finding("little_symmetry", {"symmetry": "C1"}, asked=symmetry, asked_score=found.score)


def _neighbour(
    volume: NDArray[np.float32], pixel_size_A: float, order: int, scores: NDArray[np.float64]
) -> tuple[int, NDArray[np.float64]]:
    """Look for the axis anew with the next lower and higher order: a wrong one may miss it altogether."""
    for other in (order - 1, order + 1):
        if 2 <= other < len(scores):
            turned = np.asarray(find_symmetry(volume, pixel_size_A, f"C{other}").aligned)
            found = axial_scores(turned, pixel_size_A)
            if most_likely_order(found) % other == 0:
                return other, found
    return 1, scores


def hand_warnings(mirrored: float, as_it_is: float) -> list[Finding]:
    """Return what a comparison with a reference says about the hand of a map whose mirror image fits better.

    Parameters
    ----------
    mirrored, as_it_is : float
        Correlation with the reference of the mirror image and of the map itself, each at its best place.
    """
    key = "hand_unseen" if mirrored - as_it_is < _SURE_HAND else "mirrored"
    return [Finding(key, mirrored=mirrored, as_it_is=as_it_is)]
