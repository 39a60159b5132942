"""Decoys of one micrograph: which are noise, and for how many candidates of noise each stands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

FRINGE_RATIO = 1.1
"""A decoy is a fringe where a candidate beside it has this many times its score."""

_MUCH_SEEN, _LITTLE_SEEN = 2.0, 4.0
"""Ratios of areas between which decoys beside candidates begin to count."""

_NOISE_SHARE = 0.4
"""Share of noise among all decoys, a quarter to a half on simulated micrographs of several particles."""

_PROBES_PER_REACH = 6.0


@dataclass(frozen=True)
class Scored:
    """Positions (m, 2), x and y in px, and scores (m,) on one micrograph."""

    positions_px: NDArray[np.floating]
    scores: NDArray[np.floating]

    def best_within(self, points_px: NDArray[np.floating], reach_px: float) -> NDArray[np.float64]:
        """Best score within reach of each point (p, 2); 0 where there is none."""
        best = np.zeros(len(points_px))
        if len(points_px) and len(self.scores):
            tree = cKDTree(self.positions_px)
            pairs = cKDTree(points_px).sparse_distance_matrix(tree, reach_px, output_type="ndarray")
            np.maximum.at(best, pairs["i"], np.asarray(self.scores, np.float64)[pairs["j"]])
        return best


def noise_weights(
    decoys: Scored,
    candidates: Scored,
    area_px: tuple[float, float, float, float],
    reach_px: float,
    apart_px: float,
) -> NDArray[np.float32]:
    """Return for how many candidates of noise each decoy (d,) stands; 0 for fringes of a particle.

    A decoy with a clearly better candidate within reach may be its fringe. Noise makes a candidate wherever no better
    one is nearer than two picks may be, which is a larger part of the micrograph than that out of reach of fringes:
    the ratio of the two areas, measured on a grid of points at the decoy's score, is what a decoy out of reach stands
    for. (Candidates of noise keep each other away as decoys do: the area that better decoys take is left out.)
    Between large or crowded particles next to nothing is out of reach; there every decoy counts, fringe or not, for
    the share that is noise among all of them.

    Parameters
    ----------
    decoys, candidates : peaks in the opposite and in the right contrast.
    area_px : left, top, right and bottom of where peaks may lie.
    reach_px : how far fringes reach, one particle diameter.
    apart_px : least distance of two picks.
    """
    left, top, right, bottom = area_px
    step = reach_px / _PROBES_PER_REACH
    x, y = np.meshgrid(np.arange(left, right, step), np.arange(top, bottom, step))
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    scores = np.asarray(decoys.scores, np.float64)
    free = np.searchsorted(np.sort(candidates.best_within(points, apart_px)), scores)
    seen = np.searchsorted(np.sort(candidates.best_within(points, reach_px)), FRINGE_RATIO * scores)
    alone = np.searchsorted(np.sort(decoys.best_within(points, apart_px)), scores) / max(len(points), 1)
    ratio = np.maximum(free / np.maximum(seen * alone, 1), 1.0)
    hidden = np.clip((ratio - _MUCH_SEEN) / (_LITTLE_SEEN - _MUCH_SEEN), 0.0, 1.0)
    beside = candidates.best_within(decoys.positions_px, reach_px) > FRINGE_RATIO * scores
    return (_NOISE_SHARE * hidden + np.where(beside, 0.0, (1.0 - hidden) * ratio)).astype(np.float32)
