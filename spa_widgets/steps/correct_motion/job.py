"""Correct movies for motion, one at a time, and write micrographs that the next steps take.

`motion.npz` holds for M movies in the order of `micrographs.star`: ``names`` (M,), ``shifts_A`` (M, F, 2), x and y by
which the specimen has moved since the first frame (NaN behind the last frame of a shorter movie), and ``local_A``
(M, 18, 2), the coefficients of the local motion. `motion/*.star` are the same for each micrograph as RELION reads them.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.display import bin_image, display_binning, micrograph_picture
from engine.motion.correct import CorrectedMovie, MotionSettings, correct_movie
from engine.motion.figures import motion_figures
from engine.motion.frames import oriented_gain
from engine.motion.picture import track_picture
from spa_widgets.errors import UserError
from spa_widgets.guard.microscope import micrograph_warnings, optics_warnings
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.motion_star import write_motion_star
from spa_widgets.io.movies import Movie, open_movie, read_gain
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import JobContext
from spa_widgets.session.whole import sync

_PICTURE_PX, _LOW_PASS_A = 640, 15.0
_FIGURES = {
    "total_A": "rlnAccumMotionTotal",
    "early_A": "rlnAccumMotionEarly",
    "late_A": "rlnAccumMotionLate",
}


def run(ctx: JobContext) -> None:
    """Correct movie after movie; each one's result is kept, so that a killed job goes on where it was."""
    files = ctx.input_files("movies")
    if not files:
        raise UserError("No movie was given; expected at least one .mrc, .tif or .eer file: check the pattern.")
    for sentence in optics_warnings(ctx.params.voltage_kv, ctx.params.cs_mm, ctx.params.amplitude_contrast):
        ctx.warn(sentence)
    if ctx.params.dose_weighting and not ctx.params.dose_e_per_A2:
        ctx.warn("No dose is given, so the frames are not weighted by dose: give dose_e_per_A2 of the whole movie.")
    gain = _Gain(ctx)
    done: list[tuple[str, dict[str, NDArray[Any]]]] = []
    faults: list[str] = []
    (ctx.work / "images").mkdir(exist_ok=True)
    with ctx.stage("motion"):
        for index, (path, name) in enumerate(zip(files, _names(files), strict=True)):
            ctx.progress(index, len(files), path.name)
            try:
                done.append((name, _one(ctx, path, name, index, len(files), gain)))
            except UserError as error:
                faults.append(str(error))
                ctx.warn(f"Left out: {error}")
    if not done:
        raise UserError(faults[0] if len(faults) == 1 else f"None of the {len(files)} movies can be used: {faults[0]}")
    ctx.progress(len(files), len(files), "writing")
    with ctx.stage("write"):
        _write(ctx, done)
    _figures(ctx, done, len(faults))


def _names(files: list[Path]) -> list[str]:
    """Name each micrograph like its movie; what would be named twice gets a number."""
    names: list[str] = []
    for path in files:
        plain = path.with_suffix("") if path.suffix.lower() in (".gz", ".bz2") else path
        name, number = plain.stem, 1
        while name in names:
            number += 1
            name = f"{plain.stem}_{number}"
        names.append(name)
    return names


class _Gain:
    """The gain reference, read when the first movie of a kind needs it, and turned for its frames."""

    def __init__(self, ctx: JobContext) -> None:
        self._path = ctx.optional_input("gain")
        self._params = ctx.params
        self._read: dict[bool, NDArray[np.float32]] = {}

    def factor(self, movie: Movie) -> NDArray[np.float32] | None:
        """Return what each pixel of a movie is multiplied by."""
        if self._path is None:
            return None
        if movie.is_eer not in self._read:
            self._read[movie.is_eer] = read_gain(self._path, movie.is_eer)
        use = self._params.gain_use
        # as in RELION: EER movies are divided by references, but for the detector's own, which are factors
        divide = movie.is_eer and self._path.suffix.lower() != ".gain" if use == "auto" else use == "divide"
        turns = int(self._params.gain_quarter_turns)
        try:
            return oriented_gain(self._read[movie.is_eer], movie.shape[1:], turns, self._params.gain_flip, divide)
        except ValueError as error:
            raise UserError(f"{self._path}: {error}.") from error


def _one(ctx: JobContext, path: Path, name: str, index: int, count: int, gain: _Gain) -> dict[str, NDArray[Any]]:
    """Return the motion of one movie; its micrograph lies in the working folder."""
    image_file = ctx.work / "images" / f"{name}.mrc"
    kept = ctx.kept(f"motion/{index:06d}")
    if kept is not None and image_file.exists():
        return kept
    scratch = ctx.work / "unpacked"
    try:
        movie = open_movie(path, scratch, ctx.params.eer_fractions, int(ctx.params.eer_upsampling))
        found = _corrected(ctx, movie, gain, lambda share: ctx.progress(index + share, count, path.name))
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    image = to_numpy(found.image)
    half = ctx.params.float16 and float(abs(image).max()) < np.finfo(np.float16).max
    temporary = image_file.with_name(f".{name}.{os.getpid()}.tmp.mrc")
    write_mrc(temporary, image.astype(np.float16) if half else image, found.pixel_size_A)
    sync(temporary)
    temporary.replace(image_file)
    result = _pack(ctx, movie, found)
    ctx.keep(f"motion/{index:06d}", result)
    binning = display_binning(image.shape, _PICTURE_PX)
    picture = micrograph_picture(bin_image(image, binning), found.pixel_size_A * binning, _LOW_PASS_A)
    ctx.picture("micrograph", picture, name)
    ctx.picture("drift", track_picture(found.shifts_A), f"{name}: motion of {float(result['total_A']):.1f} Å")
    return result


def _corrected(ctx: JobContext, movie: Movie, gain: _Gain, report: Any) -> CorrectedMovie:
    params = ctx.params
    settings = MotionSettings(
        pixel_size_A=params.pixel_size_A / (int(params.eer_upsampling) if movie.is_eer else 1),
        voltage_kv=params.voltage_kv,
        dose_e_per_A2=params.dose_e_per_A2 if params.dose_weighting else 0.0,
        pre_exposure_e_per_A2=params.pre_exposure_e_per_A2,
        binning=params.binning,
        patches=params.patches,
        b_factor_A2=params.b_factor_A2,
        resolution_A=params.resolution_A,
    )
    try:
        return correct_movie(movie.frames, settings, gain.factor(movie), ctx.xp, report)
    except ValueError as error:
        raise UserError(f"{movie.path}: {error}.") from error


def _pack(ctx: JobContext, movie: Movie, found: CorrectedMovie) -> dict[str, NDArray[Any]]:
    figures = motion_figures(found.shifts_A, ctx.params.dose_e_per_A2)
    return {
        "movie": np.array(str(movie.path.absolute())),
        "movie_shape": np.array(movie.shape),
        "movie_pixel_A": np.array(found.movie_pixel_size_A),
        "header_pixel_A": np.array(movie.pixel_size_A),
        "image_shape": np.array(found.image.shape),
        "pixel_size_A": np.array(found.pixel_size_A),
        "shifts_A": found.shifts_A,
        "local_A": found.local.coefficients,
        "local": np.array(found.local.kept),
        "bad_pixels": np.array(found.bad_pixels),
        **{name: np.array(value) for name, value in figures.items()},
    }


def _write(ctx: JobContext, done: list[tuple[str, dict[str, NDArray[Any]]]]) -> None:
    """Move the micrographs to their place and write the tables; one optics group for each pixel size."""
    for folder in ("micrographs", "motion"):
        (ctx.out / folder).mkdir()
    sizes_A = sorted({float(result["pixel_size_A"]) for _, result in done})
    doses = ctx.params.dose_e_per_A2, ctx.params.pre_exposure_e_per_A2
    rows = []
    for name, result in done:
        target = ctx.out / "micrographs" / f"{name}.mrc"
        shutil.copyfile(ctx.work / "images" / f"{name}.mrc", target)
        star = ctx.out / "motion" / f"{name}.star"
        write_motion_star(star, result, ctx.params.voltage_kv, doses, ctx.params.binning)
        row = {
            "rlnMicrographName": str(target),
            "rlnMicrographMetadata": str(star),
            "rlnOpticsGroup": sizes_A.index(float(result["pixel_size_A"])) + 1,
        }
        rows.append(row | {column: float(result[figure]) for figure, column in _FIGURES.items()})
    optics = pd.DataFrame(
        {
            "rlnOpticsGroup": np.arange(len(sizes_A)) + 1,
            "rlnOpticsGroupName": [f"opticsGroup{i + 1}" for i in range(len(sizes_A))],
            "rlnMicrographPixelSize": sizes_A,
            "rlnVoltage": ctx.params.voltage_kv,
            "rlnSphericalAberration": ctx.params.cs_mm,
            "rlnAmplitudeContrast": ctx.params.amplitude_contrast,
            "spaDoseEPerA2": ctx.params.dose_e_per_A2,
        }
    )
    MicrographSet(pd.DataFrame(rows), optics, ctx.out).write(ctx.out / "micrographs.star")
    longest = max(len(result["shifts_A"]) for _, result in done)
    shifts_A = np.full((len(done), longest, 2), np.nan)
    for index, (_, result) in enumerate(done):
        shifts_A[index, : len(result["shifts_A"])] = result["shifts_A"]
    np.savez_compressed(
        ctx.out / "motion.npz",
        names=np.array([name for name, _ in done]),
        shifts_A=shifts_A,
        local_A=np.stack([result["local_A"] for _, result in done]),
    )


def _figures(ctx: JobContext, done: list[tuple[str, dict[str, NDArray[Any]]]], left_out: int) -> None:
    results = [result for _, result in done]
    shapes = [(int(height), int(width)) for _, height, width in (result["movie_shape"] for result in results)]
    headers_A = [float(result["header_pixel_A"]) for result in results]
    movies = [Path(str(result["movie"])) for result in results]
    for sentence in micrograph_warnings(movies, shapes, headers_A, ctx.params.pixel_size_A):
        ctx.warn(sentence)
    ctx.figure("micrographs", len(done))
    ctx.figure("left_out", left_out)
    height, width = results[0]["image_shape"]
    ctx.figure("height_px", int(height))
    ctx.figure("width_px", int(width))
    ctx.figure("pixel_size_A", round(float(results[0]["pixel_size_A"]), 5))
    ctx.figure("median_motion_A", round(float(np.median([float(result["total_A"]) for result in results])), 2))
    ctx.figure("largest_motion_A", round(max(float(result["total_A"]) for result in results), 2))
    ctx.figure("with_local_motion", sum(bool(result["local"]) for result in results))
    ctx.figure("bad_pixels", max(int(result["bad_pixels"]) for result in results))
