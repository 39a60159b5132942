"""Map the local resolution."""

from __future__ import annotations

import numpy as np

from engine.display import contrast_by_sigma
from engine.validation.local_resolution import LEAST_WINDOW_PX, local_resolution
from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import check_mask, read_volumes
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write ``local_resolution.mrc`` (Å); report its spread inside the mask."""
    paths, mask_path = [ctx.input("half_a"), ctx.input("half_b")], ctx.optional_input("mask")
    volumes, pixel_size_A = read_volumes(*paths, *([mask_path] if mask_path else []))
    if mask_path is not None:
        check_mask(volumes[2], mask_path)
    if np.array_equal(volumes[0], volumes[1]):
        raise UserError(f"{paths[0]} and {paths[1]} are the same map; expected two independent half maps.")
    params = ctx.params
    ctx.progress(0, 1, "comparing band by band")
    window_A = _fitting_window_A(ctx, volumes[0].shape[0], pixel_size_A)
    with ctx.stage("local resolution"):
        try:
            found = local_resolution(
                volumes[0], volumes[1], pixel_size_A, window_A, params.threshold, params.coarsest_A
            )
        except ValueError as error:
            raise UserError(f"{error}; set window_A.") from error
    write_mrc(ctx.out / "local_resolution.mrc", found, pixel_size_A)
    inside = found < params.coarsest_A if mask_path is None else volumes[2] > 0.5
    if not inside.any():
        ctx.warn("The half maps agree nowhere under the window; check that they are halves of one map.")
        inside = np.ones(found.shape, np.bool_)
    fine, median, coarse = (float(value) for value in np.percentile(found[inside], [5, 50, 95]))
    ctx.figure("finest_5_percent_A", fine)
    ctx.figure("median_A", median)
    ctx.figure("coarsest_5_percent_A", coarse)
    middle = len(found) // 2
    sections = np.hstack([found[middle], found[:, middle], found[:, :, middle]])
    ctx.picture("sections", contrast_by_sigma(-sections), "local resolution: z, y, x; bright is fine")
    ctx.progress(1, 1, "done")


def _fitting_window_A(ctx: JobContext, box_px: int, pixel_size_A: float) -> float:
    """Return the window asked for, or the nearest one that the maps allow."""
    asked_A = float(ctx.params.window_A)
    fitting_A = max(min(asked_A, box_px * pixel_size_A / 2), LEAST_WINDOW_PX * pixel_size_A)
    if fitting_A != asked_A:
        ctx.warn(
            f"The window of {asked_A:g} Å does not suit {box_px} voxels of {pixel_size_A:.3g} Å (from "
            f"{LEAST_WINDOW_PX} voxels to half the box), so {fitting_A:.3g} Å are taken: give maps that are "
            "binned less to see finer differences."
        )
    return fitting_A
