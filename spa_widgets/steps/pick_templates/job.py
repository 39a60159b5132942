"""Pick with class averages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.picking.blob import round_bank
from engine.picking.grid import PickingGrid
from engine.picking.templates import TemplateBank, template_bank
from spa_widgets.errors import UserError
from spa_widgets.guard.picks import template_warnings
from spa_widgets.io.mrc import read_mrc
from spa_widgets.session.context import JobContext
from spa_widgets.steps._picks import pick_all


def run(ctx: JobContext) -> None:
    """Pick every micrograph with the templates."""
    params = ctx.params
    averages, size_A = _templates(ctx.input("templates"), params.template_pixel_size_A)
    averages = _without_empty(ctx, averages)
    ctx.figure("templates", len(averages))
    for sentence in template_warnings(averages):
        ctx.warn(sentence)

    def banks(grid: PickingGrid) -> list[TemplateBank]:
        coarse_A = grid.coarse_pixel_size_A
        step = params.angle_step_deg
        made = [template_bank(averages, size_A, coarse_A, params.diameter_A, params.low_pass_A, step)]
        return made + [round_bank(params.diameter_A, coarse_A, params.low_pass_A)] * params.blobs_too

    pick_all(ctx, banks, params.use_ctf)


def _without_empty(ctx: JobContext, averages: NDArray[np.float32]) -> NDArray[np.float32]:
    """Leave out classes that hold nothing: a 2D classification may end with some."""
    empty = np.array([average.min() == average.max() for average in averages], bool)
    if empty.all() or not empty.any():
        return averages
    listed = ", ".join(str(number + 1) for number in np.flatnonzero(empty))
    ctx.warn(
        f"{int(empty.sum())} of the {len(averages)} templates are empty classes and are left out ({listed}): choose "
        "the good classes with select_2d, and poor ones do not pick either."
    )
    return averages[~empty]


def _templates(path: Path, given_A: float | None) -> tuple[NDArray[np.float32], float]:
    """Averages and their pixel size."""
    averages, header_A = read_mrc(path)
    size_A = header_A if given_A is None else given_A
    if size_A <= 0:
        raise UserError(
            f"The header of {path} does not state a pixel size; expected that of the templates: "
            "give it as template_pixel_size_A."
        )
    return averages[None] if averages.ndim == 2 else averages, size_A
