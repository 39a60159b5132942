"""Scores of candidates as the inspector needs them: inside which bounds, calibrated against defocus, true or false."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.picking.match import match_picks
from engine.picking.scores import Thresholds, calibrate_to_defocus
from spa_widgets.steps._pick_scores import DEFOCUS, NCC, POWER, ncc_trend

Floats = NDArray[np.float32]
BOUNDS = ("min_ncc", "max_ncc", "min_power", "max_power")
TRUTH_REACH = 0.3  # a pick is true within this part of the diameter: nearer than two candidates can be


class PickScores:
    """Positions and scores of all candidates.

    Parameters
    ----------
    table : DataFrame
        The candidates.
    number : array, shape (m,)
        Number of each one's micrograph.

    Attributes
    ----------
    x_px, y_px, ncc, power : array, shape (m,)
        Scores that are not known are NaN; those never reject.
    truth : array, shape (m,), int32, or None
        The true particle that each candidate stands for, counted over all micrographs; -1 for a false one.
    truth_count : int
        True particles on the micrographs that were picked.
    """

    def __init__(self, table: pd.DataFrame, number: NDArray[np.int32]) -> None:
        self._table, self.number = table, number
        self.x_px, self.y_px = (table[f"rlnCoordinate{axis}"].to_numpy(np.float32) for axis in "XY")
        self.ncc, self.power = _column(table, NCC), _column(table, POWER)
        self.truth: NDArray[np.int32] | None = None
        self.truth_count = 0

    @property
    def count(self) -> int:
        """Number of candidates."""
        return len(self.number)

    @property
    def has_defocus(self) -> bool:
        """Whether the NCC can be calibrated against defocus."""
        return DEFOCUS in self._table and bool(np.isfinite(self.ncc).all())

    def shown_ncc(self, bounds: Mapping[str, float], calibrate: bool) -> Floats:
        """Give the NCC that the bounds apply to: as it is, or without the trend that the picks inside them have."""
        if not (calibrate and self.has_defocus):
            return self.ncc
        trend = ncc_trend(self._table, Thresholds(**bounds).accept(self.ncc, self.power))
        return calibrate_to_defocus(self.ncc, self._table[DEFOCUS].to_numpy(np.float64), trend).astype(np.float32)

    def kept(self, bounds: Mapping[str, float], calibrate: bool = False) -> NDArray[np.bool_]:
        """Tell which candidates lie inside the bounds, shape (m,)."""
        inside = np.ones(self.count, bool)
        for name, scores in (("ncc", self.shown_ncc(bounds, calibrate)), ("power", self.power)):
            low, high = (
                as_float32(bounds.get(f"min_{name}"), -math.inf),
                as_float32(bounds.get(f"max_{name}"), math.inf),
            )
            inside &= (scores >= low) & (scores <= high) | np.isnan(scores)
        return inside

    def nearest_rejected(
        self, here: NDArray[np.bool_], bounds: Mapping[str, float], calibrate: bool
    ) -> NDArray[np.intp]:
        """Give the candidates of ``here`` that are outside the bounds, those next to them first."""
        far = np.zeros(self.count)
        for name, scores in (("ncc", self.shown_ncc(bounds, calibrate)), ("power", self.power)):
            size = float(np.nanmax(scores) - np.nanmin(scores)) if np.isfinite(scores).any() else 0.0
            for value, sign in ((bounds.get(f"min_{name}"), -1.0), (bounds.get(f"max_{name}"), 1.0)):
                if value is not None and size > 0:
                    far = np.fmax(far, sign * (scores - value) / size)
        some = np.flatnonzero(here & ~self.kept(bounds, calibrate))
        return some[np.argsort(far[some], kind="stable")]

    def compare_with(self, truth_px: Mapping[int, tuple[NDArray[np.floating], float]]) -> None:
        """Find the true particle of each candidate.

        Parameters
        ----------
        truth_px : mapping
            Number of a micrograph to true positions x, y, shape (t, 2), and the largest distance of a candidate from
            its particle.
        """
        self.truth, self.truth_count = np.full(self.count, -1, np.int32), 0
        for index in np.unique(self.number):
            here = np.flatnonzero(self.number == index)
            positions, tolerance_px = truth_px.get(int(index), (np.zeros((0, 2)), 0.0))
            found = match_picks(np.stack([self.x_px[here], self.y_px[here]], axis=1), positions, tolerance_px)
            self.truth[here] = np.where(found.truth_of_pick >= 0, found.truth_of_pick + self.truth_count, -1)
            self.truth_count += len(positions)

    def against_truth(self, kept: NDArray[np.bool_]) -> dict[str, float]:
        """Give ``precision`` and ``recall`` of what is kept; empty where the truth is not known."""
        if self.truth is None or not self.truth_count:
            return {}
        hits = int((self.truth[kept] >= 0).sum())
        return {"precision": hits / max(1, int(kept.sum())), "recall": hits / self.truth_count}


def as_float32(bound: float | None, missing: float) -> float:
    """Give a bound as the float32 that the scores are compared in."""
    return missing if bound is None else float(struct.unpack("<f", struct.pack("<f", bound))[0])


def _column(table: pd.DataFrame, column: str) -> Floats:
    return table[column].to_numpy(np.float32) if column in table else np.full(len(table), np.nan, np.float32)
