"""Pick with blobs and rings of several diameters."""

from __future__ import annotations

from engine.picking.blob import LARGEST_BLOB, SMALLEST_BLOB, blob_bank, blob_diameters_A
from engine.picking.grid import PickingGrid
from engine.picking.templates import TemplateBank
from spa_widgets.errors import UserError
from spa_widgets.session.context import JobContext
from spa_widgets.steps._picks import pick_all


def run(ctx: JobContext) -> None:
    """Pick blobs on every micrograph."""
    params = ctx.params
    smallest, largest = params.min_diameter_A, params.max_diameter_A
    smallest = SMALLEST_BLOB * params.diameter_A if smallest is None else smallest
    largest = max(smallest, LARGEST_BLOB * params.diameter_A) if largest is None else largest
    try:
        diameters_A = blob_diameters_A(smallest, largest)
    except ValueError as error:
        raise UserError(str(error)) from error

    def banks(grid: PickingGrid) -> list[TemplateBank]:
        size_A = grid.coarse_pixel_size_A
        return [blob_bank(diameters_A, params.diameter_A, size_A, params.low_pass_A, params.ring)]

    pick_all(ctx, banks, params.use_ctf)
