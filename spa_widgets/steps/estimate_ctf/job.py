"""Fit the CTF of every micrograph and write what the inspector shows.

`spectra.npz` holds, for M micrographs in the order of `micrographs.star`: ``names`` (M,); the curves
``frequency_per_A`` (float32), ``spectrum``, ``background``, ``fit``, ``cross_correlation`` (float16), all (M, R)
with NaN where a micrograph has fewer rings; ``pictures`` (M, 256, 256) uint8 (fit on the left, spectrum at the
upper right, its equiphase average at the lower right, DC at [128, 128]; zeros around a smaller picture) and
``picture_step_per_A`` (M,).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.ctf.estimate import estimate_ctf
from engine.ctf.result import CtfFit, CtfSettings
from engine.display import to_uint8
from engine.optics import Optics
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.session.context import JobContext

_CURVES = ("frequency_per_A", "spectrum", "background", "fit", "cross_correlation")
_PICTURE_PX = 256
_LOW_CONFIDENCE = 0.5
_COLUMNS = {
    "u_A": "rlnDefocusU",
    "v_A": "rlnDefocusV",
    "angle_deg": "rlnDefocusAngle",
    "phase_shift_deg": "rlnPhaseShift",
    "score": "rlnCtfFigureOfMerit",
    "fit_resolution_A": "rlnCtfMaxResolution",
    "confidence": "spaCtfConfidence",
    "ice_thickness": "spaIceThickness",
    "error_A": "spaDefocusError",
}


def run(ctx: JobContext) -> None:
    """Fit micrograph after micrograph; each one's result is kept, so that a killed job goes on where it was."""
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    settings = CtfSettings(**ctx.params.model_dump())
    results: list[dict[str, NDArray[Any]]] = []
    with ctx.stage("fit"):
        for index in range(micrographs.count):
            ctx.progress(index, micrographs.count, Path(micrographs.name(index)).name)
            results.append(_one(ctx, micrographs, index, settings))
    ctx.progress(micrographs.count, micrographs.count, "writing")
    failed = [i for i, result in enumerate(results) if not result["fitted"]]
    if len(failed) == micrographs.count:
        raise UserError(
            f"None of the {micrographs.count} micrographs could be fitted; expected images of ice with Thon rings: "
            "look at the warnings and at the pixel size."
        )
    with ctx.stage("write"):
        _write_table(ctx, micrographs, results)
        _write_spectra(ctx, micrographs, results)
    _figures(ctx, [r for r in results if r["fitted"]], len(failed))


def _one(ctx: JobContext, micrographs: MicrographSet, index: int, settings: CtfSettings) -> dict[str, NDArray[Any]]:
    """Return the result of one micrograph, from an earlier attempt if there is one."""
    place = f"fits/{index:06d}"
    if (kept := ctx.kept(place)) is not None:
        return kept
    name = micrographs.name(index)
    row = micrographs.optics.take(index)
    optics = Optics(float(row.voltage_kv), float(row.cs_mm), float(row.amplitude_contrast))
    try:
        image = ctx.xp.asarray(micrographs.load(index))
        result = _pack(estimate_ctf(image, float(micrographs.pixel_sizes_A[index]), optics, settings))
        caption = f"{Path(name).name}: fit on the left, spectrum and its average on the right"
        ctx.picture("spectrum", result["picture"], caption)
    except (ValueError, UserError) as error:
        ctx.warn(f"{Path(name).name} was not fitted and has figure of merit 0: {error}")
        return {"fitted": np.array(False)}  # not kept: another attempt says why again
    ctx.keep(place, result)
    return result


def _pack(fit: CtfFit) -> dict[str, NDArray[Any]]:
    """Turn a fit into the arrays that are kept."""
    numbers = {name: np.array(getattr(fit, name), np.float64) for name in _COLUMNS}
    curves = {name: np.asarray(getattr(fit.curves, name)) for name in _CURVES}
    return {
        "fitted": np.array(True),
        "surface": fit.surface,
        "picture": to_numpy(to_uint8(fit.spectrum_2d, 0.0, 1.0)),
        "picture_step_per_A": np.array(fit.spectrum_2d_step_per_A),
        **numbers,
        **curves,
    }


def _write_table(ctx: JobContext, micrographs: MicrographSet, results: list[dict[str, NDArray[Any]]]) -> None:
    """Write the micrographs with their CTF; one that was not fitted has zeros."""
    table = micrographs.table.copy()
    for name, column in _COLUMNS.items():
        table[column] = [float(result.get(name, 0.0)) for result in results]
    for power in range(6):
        table[f"spaDefocusSurface{power}"] = [
            float(result["surface"][power]) if result["fitted"] else 0.0 for result in results
        ]
    table["rlnMicrographName"] = [str(micrographs.image_path(i)) for i in range(micrographs.count)]
    if table["spaIceThickness"].isna().any():  # pixels too coarse to see the water ring
        table = table.drop(columns="spaIceThickness")
    micrographs.with_table(table).write(ctx.out / "micrographs.star")


def _write_spectra(ctx: JobContext, micrographs: MicrographSet, results: list[dict[str, NDArray[Any]]]) -> None:
    """Gather curves and pictures of all micrographs in one small file."""
    rings = max(len(result["fit"]) for result in results if result["fitted"])
    curves = {
        name: np.full((len(results), rings), np.nan, np.float32 if name == "frequency_per_A" else np.float16)
        for name in _CURVES
    }
    pictures = np.zeros((len(results), _PICTURE_PX, _PICTURE_PX), np.uint8)
    steps = np.zeros(len(results))
    for index, result in enumerate(results):
        if not result["fitted"]:
            continue
        for name in _CURVES:
            curves[name][index, : len(result[name])] = result[name]
        side = len(result["picture"])
        first = _PICTURE_PX // 2 - side // 2
        pictures[index, first : first + side, first : first + side] = result["picture"]
        steps[index] = result["picture_step_per_A"]
    names = np.array([micrographs.name(i) for i in range(micrographs.count)])
    arrays = {**curves, "names": names, "pictures": pictures, "picture_step_per_A": steps}
    np.savez_compressed(ctx.out / "spectra.npz", **arrays)  # type: ignore[arg-type]


def _figures(ctx: JobContext, fitted: list[dict[str, NDArray[Any]]], failed: int) -> None:
    """Report what the whole set looks like."""
    u, v = (np.array([float(result[name]) for result in fitted]) for name in ("u_A", "v_A"))
    ctx.figure("micrographs", len(fitted))
    ctx.figure("failed", failed)
    ctx.figure("mean_defocus_A", round(float(np.mean([u, v])), 1))
    ctx.figure("mean_astigmatism_A", round(float(np.mean(u) - np.mean(v)), 1))
    resolutions = [float(result["fit_resolution_A"]) for result in fitted]
    ctx.figure("median_fit_resolution_A", round(float(np.median(resolutions)), 2))
    unsure = sum(float(result["confidence"]) < _LOW_CONFIDENCE for result in fitted)
    ctx.figure("unsure", unsure)
    if unsure:
        ctx.warn(
            f"{unsure} of {len(fitted)} micrographs have a CTF confidence below {_LOW_CONFIDENCE:g}: look at them in "
            "the inspector and leave out those without rings."
        )
    ctx.figure("lowest_confidence", round(min(float(result["confidence"]) for result in fitted), 3))
