"""Check the header of every micrograph and write the table of micrographs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.guard.microscope import micrograph_warnings, optics_warnings
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Import the micrographs."""
    files = ctx.input_files("files")
    if not files:
        raise UserError("No micrograph was given; expected at least one .mrc file: check the path or the pattern.")
    with ctx.stage("headers"):
        files, shapes, sizes_A = _headers(ctx, files)
    params = ctx.params
    for sentence in [
        *micrograph_warnings(files, shapes, sizes_A, params.pixel_size_A),
        *optics_warnings(params.voltage_kv, params.cs_mm, params.amplitude_contrast),
    ]:
        ctx.warn(sentence)
    table = pd.DataFrame({"rlnMicrographName": [str(path.absolute()) for path in files], "rlnOpticsGroup": 1})
    MicrographSet(table, _optics_table(ctx), ctx.out).write(ctx.out / "micrographs.star")
    ctx.figure("micrographs", len(files))
    ctx.figure("height_px", shapes[0][0])
    ctx.figure("width_px", shapes[0][1])


def _optics_table(ctx: JobContext) -> pd.DataFrame:
    params = ctx.params
    return pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnMicrographPixelSize": [params.pixel_size_A],
            "rlnVoltage": [params.voltage_kv],
            "rlnSphericalAberration": [params.cs_mm],
            "rlnAmplitudeContrast": [params.amplitude_contrast],
            "spaDoseEPerA2": [params.dose_e_per_A2],
        }
    )


def _headers(ctx: JobContext, files: list[Path]) -> tuple[list[Path], list[tuple[int, int]], list[float]]:
    """Files that can be used, their shapes and pixel sizes; those that cannot are named and left out."""
    good: list[Path] = []
    shapes: list[tuple[int, int]] = []
    sizes_A: list[float] = []
    faults: list[str] = []
    for index, path in enumerate(files):
        ctx.progress(index, len(files), path.name)
        try:
            shape = mrc_shape(path)
            if len(shape) == 3 and shape[0] > 1:
                raise UserError(
                    f"{path} has {shape[0]} frames; expected one averaged micrograph: correct the movie for motion "
                    "first."
                )
            size_A = mrc_pixel_size_A(path)
            good.append(path)
            shapes.append((shape[-2], shape[-1]))
            sizes_A.append(size_A)
        except UserError as error:
            faults.append(str(error))
    if not good:
        raise UserError(faults[0] if len(faults) == 1 else f"None of the {len(files)} files can be used: {faults[0]}")
    for fault in faults:
        ctx.warn(f"Left out: {fault}")
    ctx.figure("left_out", len(faults))
    return good, shapes, sizes_A
