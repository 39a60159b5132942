"""Compare two half maps."""

from __future__ import annotations

import numpy as np

from engine.arrays import to_numpy
from engine.validation.curves import FSCCurves
from engine.validation.fsc import automatic_fsc_mask, fsc_curves
from spa_widgets.errors import UserError
from spa_widgets.guard.curves import too_tight
from spa_widgets.io.curves import write_fsc_csv
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import check_mask, read_volumes
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write ``fsc.csv`` and the masks; report the resolution of every curve."""
    paths = [ctx.input("half_a"), ctx.input("half_b")]
    mask_path = ctx.optional_input("mask")
    volumes, pixel_size_A = read_volumes(*paths, *([mask_path] if mask_path else []))
    half_a, half_b = (ctx.xp.asarray(volume) for volume in volumes[:2])
    mask = volumes[2] if mask_path else None
    if mask_path is not None:
        check_mask(volumes[2], mask_path)
    if np.array_equal(volumes[0], volumes[1]):
        raise UserError(f"{paths[0]} and {paths[1]} are the same map; expected two independent half maps.")
    ctx.progress(0, 2, "FSC curves")
    with ctx.stage("fsc"):
        found = fsc_curves(
            half_a, half_b, pixel_size_A, ctx.rng(), mask=mask, randomise_at_fsc=ctx.params.randomise_at_fsc
        )
    ctx.progress(1, 2, "masks")
    with ctx.stage("masks"):
        masks = {**found.masks, "auto": automatic_fsc_mask(half_a, half_b, found)}
        for name, volume in masks.items():
            write_mrc(ctx.out / f"mask_{name}.mrc", to_numpy(volume), pixel_size_A)
    more = {"randomised": found.randomised, "corrected_error": found.errors["corrected"]}
    write_fsc_csv(ctx.out / "fsc.csv", found.resolution_A, {**found.curves, **more})
    report_curves(ctx, found)
    ctx.progress(2, 2, "done")


def report_curves(ctx: JobContext, found: FSCCurves) -> None:
    """Put the resolutions and curves into the job's report; warn where a curve reaches the Nyquist limit."""
    for name, resolution_A in found.resolutions.items():
        ctx.figure(f"resolution_{name}_A", resolution_A if np.isfinite(resolution_A) else None)
    finer_A, coarser_A = found.interval()
    for name, value in (("finer", finer_A), ("coarser", coarser_A)):
        ctx.figure(f"resolution_corrected_{name}_A", value if np.isfinite(value) else None)
    ctx.figure("randomised_from_A", found.randomised_from_A)
    ctx.figure("mask_correlation", found.mask_correlation)
    if found.mask_is_too_tight:
        ctx.warn(too_tight(found))
    nyquist_A = float(found.resolution_A[-1])
    ctx.figure("nyquist_A", nyquist_A)
    if found.resolution("corrected") <= nyquist_A:
        ctx.warn(
            f"The corrected FSC stays above 0.143 up to the Nyquist limit ({nyquist_A:.2f} Å); the pixel is too large "
            "for this map, or the halves are not independent."
        )
    frequency = [float(f) for f in found.frequency_per_A]
    curves = {name: [float(value) for value in curve] for name, curve in found.curves.items()}
    ctx.event("fsc", frequency_per_A=frequency, curves=curves)
