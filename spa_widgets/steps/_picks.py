"""The loop over micrographs that the two pickers share, and the tables that it fills."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from engine.optics import Defocus, Optics
from engine.picking.grid import PickingGrid, picking_grid
from engine.picking.pick import Candidates, PickSettings, pick_micrograph
from engine.picking.templates import TemplateBank
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.star import Tables, write_star
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_params import PickerParams
from spa_widgets.steps._pick_scores import DEFOCUS, MICROGRAPH, NCC, POWER, WEIGHT, write_within_thresholds

CANDIDATES_FILE = "candidates.star"
_APART = 0.6  # default distance of two picks in diameters

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
