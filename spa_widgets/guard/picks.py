"""Picks and templates before they are used: scale of the coordinates, contrast of the templates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.checks.contrast import share_of_black_templates
from spa_widgets.guard.finding import Finding

_FEWEST = 50
_MOST_OUTSIDE = 0.25
_PART = 0.55


def coordinate_warnings(
    positions_px: Sequence[NDArray[np.floating]], shapes: Sequence[tuple[int, int]]
) -> list[Finding]:
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
        return [Finding("picks_outside", count=outside, total=len(share), reach=share.max())]
    reach = float(share.max())
    if reach < _PART:
        return [Finding("picks_in_a_corner", total=len(share), percent=100 * reach)]
    return []


def template_warnings(templates: NDArray[np.floating]) -> list[Finding]:
    """Return what is wrong about templates ``(k, n, n)``, in which particles are expected white."""
    if templates.shape[-1] != templates.shape[-2]:  # the step says so
        return []
    black = share_of_black_templates(templates)
    return [Finding("black_templates", percent=100 * black)] if black > 0.5 else []
