"""Maps before and after a long job: order of the symmetry, and hand."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.checks.axial_order import axial_scores, most_likely_order
from engine.reconstruction.symmetry_axis import SymmetryAlignment, find_symmetry
from engine.symmetry import parse_symmetry

_DOUBTFUL = 0.3
_SURE_HAND = 0.02


def symmetry_warnings(
    volume: NDArray[np.float32], found: SymmetryAlignment, pixel_size_A: float, symmetry: str
) -> list[str]:
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
            return [
                f"The initial model fits {family}{likely} (score {scores[likely]:.2f}) as well as {family}{order} "
                f"({scores[order]:.2f}); with the lower order fewer views are averaged: try {family}{likely}, and keep "
                "it if the resolution improves."
            ]
        return []
    if likely == 1 and family == "C":
        likely, scores = _neighbour(volume, pixel_size_A, order, scores)
    if likely in (1, order):
        return [_little(found, symmetry)]
    return [
        f"The initial model looks like {family}{likely} (score {scores[likely]:.2f}), not {symmetry} "
        f"({found.score:.2f}; 1 is perfect); a wrong order smears all that differs between the subunits: refine in C1 "
        f"or {family}{likely} and compare."
    ]


def _little(found: SymmetryAlignment, symmetry: str) -> str:
    return (
        f"The initial model shows little {symmetry} symmetry (score {found.score:.2f}, 1 is perfect); "
        "compare with a refinement in C1."
    )


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


def hand_warnings(mirrored: float, as_it_is: float) -> list[str]:
    """Return what a comparison with a reference says about the hand of a map whose mirror image fits better.

    Parameters
    ----------
    mirrored, as_it_is : float
        Correlation with the reference of the mirror image and of the map itself, each at its best place.
    """
    if mirrored - as_it_is < _SURE_HAND:
        return [
            f"The map and its mirror image fit the reference equally well (correlation {as_it_is:.2f} and "
            f"{mirrored:.2f}); at this resolution the hand is not seen: decide on it once helices are resolved."
        ]
    return [
        f"The map is the mirror image of the reference (correlation {mirrored:.2f} mirrored, {as_it_is:.2f} as it is); "
        "helices would be left-handed and no model would fit: mirror it, and the poses with it, with flip_hand."
    ]
