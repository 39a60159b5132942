"""Tables of picks, and the loop over micrographs that the two pickers share."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.optics import Defocus, Optics
from engine.picking.grid import PickingGrid, picking_grid
from engine.picking.pick import Candidates, PickSettings, pick_micrograph
from engine.picking.scores import (
    ScoreSample,
    Thresholds,
    automatic_thresholds,
    calibrate_to_defocus,
    defocus_trend,
)
from engine.picking.templates import TemplateBank
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.star import Tables, write_star
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_params import PickerParams, ThresholdParams

CANDIDATES_FILE = "candidates.star"
_APART = 0.6  # default distance of two picks in diameters
NCC, POWER, WEIGHT, DEFOCUS, MICROGRAPH = (
    "rlnAutopickFigureOfMerit",
    "spaPickPower",
    "spaPickWeight",
    "spaMicrographDefocusA",
    "rlnMicrographName",
)

_PICK_COLUMNS = {
    "x_px": "rlnCoordinateX",
    "y_px": "rlnCoordinateY",
    "ncc": NCC,
    "power": POWER,
    "class_number": "rlnClassNumber",
    "psi_deg": "rlnAnglePsi",
}
_DECOY_COLUMNS = {"decoy_ncc": NCC, "decoy_power": POWER, "decoy_weight": WEIGHT}

MakeBanks = Callable[[PickingGrid], Sequence[TemplateBank]]


def pick_all(ctx: JobContext, make_banks: MakeBanks, use_ctf: bool) -> None:
    """Pick every micrograph, keep all candidates, and write those within the thresholds as picks.

    Parameters
    ----------
    ctx : the job; its parameters are `PickerParams`.
    make_banks : makes the templates for a grid.
    use_ctf : filter the templates with each micrograph's CTF.
    """
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    settings = pick_settings(ctx.params)
    defoci = known_defoci(micrographs)
    if use_ctf and not any(defoci):
        ctx.warn("The micrographs have no CTF, so the templates are not filtered with it: estimate the CTF first.")
    loop = _Loop(ctx, micrographs, settings, make_banks, [d if use_ctf else None for d in defoci])
    tables: list[Tables] = []
    with ctx.stage("pick"):
        for index in range(micrographs.count):
            ctx.progress(index, micrographs.count, Path(micrographs.name(index)).name)
            try:
                found = loop.one(index)
            except ValueError as error:  # the templates, which are the same for all
                raise UserError(str(error)) from error
            if found is not None:
                tables.append(_tables(found, str(micrographs.image_path(index)), defoci[index]))
    if not tables:
        raise UserError(loop.faults[0])
    ctx.figure("failed", len(loop.faults))
    ctx.progress(micrographs.count, micrographs.count, "thresholds")
    candidates = {name: pd.concat([t[name] for t in tables], ignore_index=True) for name in ("particles", "decoys")}
    write_star(ctx.out / CANDIDATES_FILE, candidates)
    write_within_thresholds(ctx, candidates)


def pick_settings(params: PickerParams) -> PickSettings:
    """Settings of the engine with the defaults that follow from the diameter."""
    half = 0.5 * params.diameter_A
    apart = _APART * params.diameter_A
    return PickSettings(
        diameter_A=params.diameter_A,
        low_pass_A=params.low_pass_A,
        high_pass_A=max(params.high_pass_A, 2.0 * params.diameter_A),
        min_distance_A=apart if params.min_distance_A is None else params.min_distance_A,
        edge_A=half if params.edge_A is None else params.edge_A,
        max_candidates=params.max_candidates,
    )


def known_defoci(micrographs: MicrographSet) -> list[Defocus | None]:
    """Defocus of each micrograph; None where it was not estimated or the fit failed (all zero)."""
    if "rlnDefocusU" not in micrographs.table:
        return [None] * micrographs.count
    all_defoci = micrographs.defocus
    each = [all_defoci.take(i) for i in range(micrographs.count)]
    return [defocus if defocus.u_A or defocus.v_A else None for defocus in each]


@dataclass
class _Loop:
    """Picks one micrograph after the other; each one's candidates are kept, so that a killed job goes on there."""

    ctx: JobContext
    micrographs: MicrographSet
    settings: PickSettings
    make_banks: MakeBanks
    defoci: list[Defocus | None]

    def __post_init__(self) -> None:
        self.faults: list[str] = []
        self._optics = self.micrographs.optics
        self._sizes_A = self.micrographs.pixel_sizes_A
        self._banks: dict[tuple[tuple[int, int], float], tuple[PickingGrid, Sequence[TemplateBank]]] = {}

    def one(self, index: int) -> Candidates | None:
        """Candidates of one micrograph, from an earlier attempt if there is one; None if it cannot be picked."""
        place = f"candidates/{index:06d}"
        if (kept := self.ctx.kept(place)) is not None:
            return Candidates(**kept)
        try:
            found = self._pick(index)
        except UserError as error:  # the others can be picked
            self.faults.append(str(error))
            self.ctx.warn(f"No picks: {error}")
            return None
        self.ctx.keep(place, vars(found))
        return found

    def _pick(self, index: int) -> Candidates:
        image = self.micrographs.load(index)
        grid, banks = self._prepare((image.shape[0], image.shape[1]), float(self._sizes_A[index]))
        array = self.ctx.xp.asarray(image)
        try:
            return pick_micrograph(
                array, grid, banks, self.settings, self.defoci[index], _plain(self._optics.take(index))
            )
        except ValueError as error:
            raise UserError(f"{self.micrographs.name(index)}: {error}") from error

    def _prepare(self, shape: tuple[int, int], pixel_size_A: float) -> tuple[PickingGrid, Sequence[TemplateBank]]:
        """Grid and templates for a size of micrograph and of its pixels, made once."""
        key = shape, pixel_size_A
        if key not in self._banks:
            grid = picking_grid(shape, pixel_size_A, self.settings.low_pass_A)
            self._banks[key] = (grid, [bank.to(self.ctx.xp) for bank in self.make_banks(grid)])
        return self._banks[key]


def _plain(optics: Optics) -> Optics:
    return Optics(float(optics.voltage_kv), float(optics.cs_mm), float(optics.amplitude_contrast))


def _tables(found: Candidates, name: str, defocus: Defocus | None) -> Tables:
    """Candidates and decoys of one micrograph as tables."""
    tables = {}
    for key, columns in (("particles", _PICK_COLUMNS), ("decoys", _DECOY_COLUMNS)):
        values = {column: getattr(found, field) for field, column in columns.items()}
        table = pd.DataFrame(values)
        table.insert(0, MICROGRAPH, name)
        if defocus is not None:
            table[DEFOCUS] = float(defocus.mean_A)
        tables[key] = table
    return tables


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
