"""Compare two maps."""

from __future__ import annotations

from functools import partial

import numpy as np

from engine.alignment.align import compare_with_truth
from engine.alignment.rigid import match_grid
from engine.display import contrast_by_sigma
from spa_widgets.errors import UserError
from spa_widgets.guard.maps import hand_warnings
from spa_widgets.io.curves import write_fsc_csv
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import check_mask, read_volume, read_volumes
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write ``aligned.mrc`` on the reference's grid and ``fsc.csv``; report hand, rotation, shift and resolution."""
    reference, pixel_size_A = read_volume(ctx.input("reference"))
    volume, own_pixel_size_A = read_volume(ctx.input("volume"))
    mask_path = ctx.optional_input("mask")
    mask = None if mask_path is None else read_volumes(ctx.input("reference"), mask_path)[0][1]
    if mask is not None and mask_path is not None:
        check_mask(mask, mask_path)
    if own_pixel_size_A > 3 * pixel_size_A or pixel_size_A > 3 * own_pixel_size_A:
        raise UserError(
            f"{ctx.input('volume')} has voxels of {own_pixel_size_A:g} Å, the reference of {pixel_size_A:g} Å; "
            "expected sizes within a factor of 3: check the headers."
        )
    ctx.progress(0, 2, "aligning" if ctx.params.align else "comparing")
    with ctx.stage("compare"):
        on_grid = match_grid(volume, own_pixel_size_A, reference.shape[0], pixel_size_A)
        compare = partial(
            compare_with_truth, on_grid, reference, pixel_size_A, ctx.params.symmetry, mask, align=ctx.params.align
        )
        found = compare(check_hand=ctx.params.check_hand)
        if found.hand_flipped:
            for sentence in hand_warnings(found.correlation, compare(check_hand=False).correlation):
                ctx.warn(sentence)
    ctx.progress(1, 2, "writing")
    write_mrc(ctx.out / "aligned.mrc", found.aligned, pixel_size_A)
    write_fsc_csv(ctx.out / "fsc.csv", found.shell_resolution_A, {"fsc": found.fsc})
    middle = reference.shape[0] // 2
    ctx.picture("slices", contrast_by_sigma(np.hstack([found.aligned[middle], reference[middle]])), "map and reference")
    for name in ("resolution_05_A", "resolution_0143_A"):
        value = getattr(found, name)
        ctx.figure(name, value if np.isfinite(value) else None)
    ctx.figure("correlation", found.correlation)
    ctx.figure("hand_flipped", found.hand_flipped)
    ctx.figure("rotation_deg", found.rotation_deg)
    ctx.figure("rotation", found.rotation.tolist())
    ctx.figure("shift_A", found.shift_A.tolist())
    ctx.progress(2, 2, "done")
