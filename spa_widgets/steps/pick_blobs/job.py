"""Pick with discs and rings of several diameters."""

from __future__ import annotations

from engine.picking.blob import blob_bank, blob_diameters_A
from engine.picking.grid import PickingGrid
from engine.picking.scores import BLOB_DECOY_WEIGHT
from engine.picking.templates import TemplateBank
from spa_widgets.errors import UserError
from spa_widgets.session.context import JobContext
from spa_widgets.steps._picks import pick_all

_SMALLEST, _LARGEST = 0.85, 1.0


def run(ctx: JobContext) -> None:
    """Pick blobs on every micrograph."""
    params = ctx.params
    smallest = _SMALLEST * params.diameter_A if params.min_diameter_A is None else params.min_diameter_A
    largest = max(smallest, _LARGEST * params.diameter_A) if params.max_diameter_A is None else params.max_diameter_A
    try:
        diameters_A = blob_diameters_A(smallest, largest)
    except ValueError as error:
        raise UserError(str(error)) from error

    def banks(grid: PickingGrid) -> list[TemplateBank]:
        size_A = grid.coarse_pixel_size_A
        return [blob_bank(float(d), size_A, params.low_pass_A, params.ring) for d in diameters_A]

    pick_all(ctx, banks, params.use_ctf, BLOB_DECOY_WEIGHT)
