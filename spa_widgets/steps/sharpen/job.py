"""Sharpen a map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.fourier.shells import resolution_at
from engine.validation.guinier import COARSEST_A, GuinierFit, sharpening_b_factor
from engine.validation.sharpening import sharpen
from spa_widgets.errors import UserError
from spa_widgets.io.curves import read_fsc_csv
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import check_mask, read_volumes
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write ``map_sharp.mrc`` and the Guinier plot."""
    params = ctx.params
    mask_path = ctx.optional_input("mask")
    volumes, pixel_size_A = read_volumes(ctx.input("volume"), *([mask_path] if mask_path else []))
    volume = ctx.xp.asarray(volumes[0])
    box_px = volumes[0].shape[0]
    fsc = _fsc(ctx.optional_input("fsc"), box_px)
    resolution_A = _resolution_A(params.resolution_A, fsc, box_px, pixel_size_A)
    weights = fsc if params.weight_by_fsc else None
    ctx.progress(0, 2, "Guinier fit")
    mask = volumes[1] if mask_path else None
    if mask_path is not None:
        check_mask(volumes[1], mask_path)
    try:
        fit = sharpening_b_factor(volume, pixel_size_A, resolution_A, weights, params.low_resolution_A, mask)
    except ValueError as error:
        raise UserError(
            f"The Guinier fit from {params.low_resolution_A:g} to {resolution_A:.3g} Å failed ({error}); expected "
            "several shells between: raise low_resolution_A."
        ) from error
    b_factor_A2 = _b_factor_A2(ctx, fit, resolution_A)
    ctx.progress(1, 2, "sharpening")
    sharp = sharpen(volume, pixel_size_A, b_factor_A2, weights, resolution_A)
    write_mrc(ctx.out / "map_sharp.mrc", to_numpy(sharp), pixel_size_A)
    _write_guinier(ctx.out / "guinier.csv", fit)
    ctx.figure("b_factor_A2", b_factor_A2)
    if fit.fitted.any():
        ctx.figure("b_factor_fitted_A2", fit.b_factor_A2)
        ctx.figure("b_factor_error_A2", fit.error_A2)
        ctx.figure("guinier_correlation", fit.correlation)
    ctx.figure("resolution_A", resolution_A)
    ctx.progress(2, 2, "done")


def _b_factor_A2(ctx: JobContext, fit: GuinierFit, resolution_A: float) -> float:
    """Give the B-factor asked for, else the fitted one less its error; say when it means little."""
    if ctx.params.b_factor_A2 is not None:
        return float(ctx.params.b_factor_A2)
    if not fit.fitted.any():
        ctx.warn(
            f"The resolution is {resolution_A:.1f} Å: coarser than {COARSEST_A:g} Å amplitudes tell the shape of a "
            "particle and not its blur, so no B-factor was fitted and the map is only weighted by the FSC; set "
            "b_factor_A2 to sharpen it all the same."
        )
    elif fit.error_A2 > abs(fit.b_factor_A2):
        ctx.warn(
            f"The B-factor is {fit.b_factor_A2:.0f} ± {fit.error_A2:.0f} Å², which does not differ from 0; expected a "
            "clear fall of the amplitudes: look at the Guinier plot, or set b_factor_A2."
        )
    return fit.cautious_b_factor_A2


def _fsc(path: Path | None, box_px: int) -> NDArray[np.float64] | None:
    if path is None:
        return None
    _, curve = read_fsc_csv(path)
    if len(curve) != box_px // 2 + 1:
        raise UserError(
            f"{path} has {len(curve) - 1} shells, but the map of {box_px} px has {box_px // 2}; give the curves of "
            "this map."
        )
    return curve


def _resolution_A(given: float | None, fsc: NDArray[np.float64] | None, box_px: int, pixel_size_A: float) -> float:
    nyquist_A = 2 * pixel_size_A
    if given is not None:
        if given < nyquist_A:
            raise UserError(
                f"resolution_A is {given:g}, beyond the Nyquist limit of the map, {nyquist_A:g} Å; give the resolution "
                "that it has."
            )
        return given
    if fsc is None:
        raise UserError("The resolution of the map is not known; give fsc (FSC curves) or resolution_A.")
    resolution_A = resolution_at(fsc, box_px, pixel_size_A)
    if not np.isfinite(resolution_A):
        raise UserError("The FSC curves are below 0.143 from the first shell on; give resolution_A.")
    return resolution_A


def _write_guinier(path: Path, fit: GuinierFit) -> None:
    table = pd.DataFrame(
        {
            "k2_per_A2": fit.k2_per_A2,
            "log_amplitude": fit.log_amplitude,
            "fitted": fit.fitted.astype(int),
            "protein": fit.expected,
        }
    )
    table.to_csv(path, index=False, float_format="%.6f")
