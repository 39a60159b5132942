"""Scores in tables of picks, and which picks lie within thresholds on them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.picking.scores import (
    ScoreSample,
    Thresholds,
    automatic_thresholds,
    calibrate_to_defocus,
    defocus_trend,
)
from spa_widgets.errors import UserError
from spa_widgets.io.star import Tables, write_star
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_params import ThresholdParams

NCC, POWER, WEIGHT, DEFOCUS, MICROGRAPH = (
    "rlnAutopickFigureOfMerit",
    "spaPickPower",
    "spaPickWeight",
    "spaMicrographDefocusA",
    "rlnMicrographName",
)


def write_within_thresholds(ctx: JobContext, tables: Tables) -> None:
    """Write `picks.star` with the candidates within the thresholds, and report what they are.

    Raises
    ------
    UserError
        When nothing is left.
    """
    candidates, params = tables["particles"], ctx.params
    bounds, inside = within_thresholds(candidates, tables.get("decoys"), params)
    picks = candidates[inside].reset_index(drop=True)
    if not len(picks):
        raise UserError(
            f"None of the {len(candidates)} candidates lies within the thresholds ({_described(bounds)}); "
            "expected at least one: widen them, or check the diameter, and that templates show particles in white."
        )
    write_star(ctx.out / "picks.star", {"particles": picks})
    for name, value in vars(bounds).items():
        if value is not None:
            ctx.figure(name, round(float(value), 4))
    ctx.figure("candidates", len(candidates))
    ctx.figure("picks", len(picks))
    ctx.figure("picks_per_micrograph", round(len(picks) / max(1, candidates[MICROGRAPH].nunique()), 1))


def within_thresholds(
    candidates: pd.DataFrame, decoys: pd.DataFrame | None, params: ThresholdParams
) -> tuple[Thresholds, NDArray[np.bool_]]:
    """Thresholds in use, and which of the candidates lie within them."""
    given = Thresholds(params.min_ncc, params.max_ncc, params.min_power, params.max_power)
    sample, opposite = _sample(candidates), _sample(decoys)
    bounds = _filled_in(sample, opposite, given, params)
    if params.calibrate_to_defocus:
        trend = ncc_trend(candidates, bounds.accept(sample.ncc, sample.power))
        defocus_A = candidates[DEFOCUS].to_numpy(np.float64)
        sample = ScoreSample(calibrate_to_defocus(sample.ncc, defocus_A, trend), sample.power)
        if decoys is not None:
            decoy_defocus_A = decoys[DEFOCUS].to_numpy(np.float64)
            opposite = replace(opposite, ncc=calibrate_to_defocus(opposite.ncc, decoy_defocus_A, trend))
        bounds = _filled_in(sample, opposite, given, params)
    return bounds, bounds.accept(sample.ncc, sample.power)


def ncc_trend(candidates: pd.DataFrame, chosen: NDArray[np.bool_]) -> tuple[float, float]:
    """Trend of the NCC of the chosen candidates with defocus, see `engine.picking.scores.defocus_trend`.

    Raises
    ------
    UserError
        When the candidates do not say their micrographs' defocus.
    """
    if DEFOCUS not in candidates:
        raise UserError("The picks do not say their micrographs' defocus; estimate the CTF before picking.")
    group = pd.factorize(candidates[MICROGRAPH])[0]
    ncc, defocus_A = (candidates[name].to_numpy(np.float64)[chosen] for name in (NCC, DEFOCUS))
    return defocus_trend(ncc, group[chosen], defocus_A)


def _filled_in(sample: ScoreSample, opposite: ScoreSample, given: Thresholds, params: ThresholdParams) -> Thresholds:
    """Thresholds with the automatic ones; without decoys (a file from elsewhere) every NCC passes."""
    if not params.automatic_thresholds:
        return given
    bounds = automatic_thresholds(sample, opposite, given)
    return bounds if len(opposite.ncc) else replace(bounds, min_ncc=given.min_ncc)


def _sample(table: pd.DataFrame | None) -> ScoreSample:
    if table is None:
        return ScoreSample(np.zeros(0), np.zeros(0))
    missing = [name for name in (NCC, POWER) if name not in table]
    if missing:
        raise UserError(
            f"The picks have no column {', '.join(missing)}; expected the scores of a picker: "
            "picks made by hand need no thresholds, extract them as they are."
        )
    weight = table[WEIGHT].to_numpy(np.float64) if WEIGHT in table else None
    return ScoreSample(table[NCC].to_numpy(np.float64), table[POWER].to_numpy(np.float64), weight)


def _described(bounds: Thresholds) -> str:
    parts: list[Any] = [f"{name} {value:.3g}" for name, value in vars(bounds).items() if value is not None]
    return ", ".join(parts) or "none"
