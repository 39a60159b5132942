"""Picks and templates before they are used: scale of the coordinates, contrast of the templates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.checks.contrast import share_of_black_templates

_FEWEST = 50
_MOST_OUTSIDE = 0.25
_PART = 0.55


def coordinate_warnings(positions_px: Sequence[NDArray[np.floating]], shapes: Sequence[tuple[int, int]]) -> list[str]:
    """Return what is wrong about where picks lie on their micrographs.

    Parameters
    ----------
    positions_px : sequence of (m, 2) arrays
        Centres x, y of each micrograph's picks.
    shapes : sequence of (int, int)
        ``(h, w)`` of these micrographs.
    """
    shares = [
        np.asarray(positions, np.float64) / (width, height)
        for positions, (height, width) in zip(positions_px, shapes, strict=True)
        if len(positions)
    ]
    if not shares or sum(map(len, shares)) < _FEWEST:
        return []
    share = np.concatenate(shares)
    outside = int((share > 1).any(axis=1).sum())
    if outside > _MOST_OUTSIDE * len(share):
        return [
            f"{outside} of {len(share)} picks lie outside their micrographs, up to {share.max():.2g} times as far as "
            "their edge; they were probably made before binning: pick on these micrographs, or divide the coordinates "
            "by the factor of binning."
        ]
    reach = float(share.max())
    if reach < _PART:
        return [
            f"All {len(share)} picks lie within the first {100 * reach:.0f} % of the width and height of their "
            "micrographs; they were probably made on binned ones, and the boxes would lie beside the particles: "
            "multiply the coordinates by the factor of binning."
        ]
    return []


def template_warnings(templates: NDArray[np.floating]) -> list[str]:
    """Return what is wrong about templates ``(k, n, n)``, in which particles are expected white."""
    if templates.shape[-1] != templates.shape[-2]:  # the step says so
        return []
    black = share_of_black_templates(templates)
    if black <= 0.5:
        return []
    return [
        f"{100 * black:.0f} % of the templates are darker in the middle than at the edge; particles are expected white "
        "in templates, and black ones find the gaps between particles: give them with the contrast inverted."
    ]
