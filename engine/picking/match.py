"""Comparing picks with known positions: recall, precision and the error of position."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree


@dataclass(frozen=True)
class Match:
    """Outcome of `match_picks`.

    Parameters
    ----------
    truth_of_pick : (m,) index of the true position that each pick stands for, -1 for a false pick.
    recall : fraction of the true positions that were picked (nan without any).
    precision : fraction of the picks that stand for a true position (nan without picks).
    median_error_px : median distance of the matched pairs (nan without any).
    """

    truth_of_pick: NDArray[np.int64]
    recall: float
    precision: float
    median_error_px: float


def match_picks(picks_px: NDArray[np.floating], truth_px: NDArray[np.floating], tolerance_px: float) -> Match:
    """Pair picks with true positions, the nearest pairs first, each used once.

    Parameters
    ----------
    picks_px, truth_px : (m, 2) and (t, 2) positions in x, y order, of one micrograph.
    tolerance_px : largest distance of a pair.
    """
    picks = np.asarray(picks_px, dtype=np.float64).reshape(-1, 2)
    truth = np.asarray(truth_px, dtype=np.float64).reshape(-1, 2)
    assigned = np.full(len(picks), -1, dtype=np.int64)
    errors: list[float] = []
    if len(picks) and len(truth):
        pairs = cKDTree(picks).sparse_distance_matrix(cKDTree(truth), tolerance_px, output_type="ndarray")
        taken = np.zeros(len(truth), dtype=bool)
        for pair in np.sort(pairs, order=["v", "i", "j"]):
            if assigned[pair["i"]] < 0 and not taken[pair["j"]]:
                assigned[pair["i"]], taken[pair["j"]] = pair["j"], True
                errors.append(float(pair["v"]))
    return Match(
        truth_of_pick=assigned,
        recall=len(errors) / len(truth) if len(truth) else float("nan"),
        precision=len(errors) / len(picks) if len(picks) else float("nan"),
        median_error_px=float(np.median(errors)) if errors else float("nan"),
    )
