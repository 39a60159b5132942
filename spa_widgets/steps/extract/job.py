"""Cut the picked particles out of the micrographs, one micrograph at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.display import atlas
from engine.extraction.boxes import default_box_px
from engine.extraction.duplicates import without_duplicates
from engine.extraction.extract import ExtractSettings, extract_particles
from engine.extraction.half_sets import assign_half_sets
from engine.extraction.local_defocus import local_defocus
from engine.extraction.windows import window_centres, windows_fit
from engine.optics import Defocus
from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.guard.picks import coordinate_warnings
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import MrcStackWriter, read_mrc_slices
from spa_widgets.io.picks import FROM_LAST_ROW, on_micrographs, read_picks
from spa_widgets.io.star import write_star
from spa_widgets.session.context import JobContext
from spa_widgets.steps._picks import MICROGRAPH, NCC, known_defoci

_COPY = 512
_SHOWN, _SHOWN_IN_A_ROW = 40, 10
_NOT_CARRIED = ("rlnClassNumber", "rlnAnglePsi", "spaMicrographDefocusA", "rlnImageName")


def run(ctx: JobContext) -> None:
    """Extract the particles and write their stack and table."""
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    settings = _settings(ctx, micrographs.pixel_size_A)
    with ctx.stage("positions"):
        chosen = _choose(ctx, micrographs, settings.box_px)
    count = sum(len(rows) for rows in chosen.values())
    if not count:
        raise UserError(
            "No particle is left to extract; expected at least one pick whose box lies on its micrograph: "
            "choose a smaller box, or look at the picks."
        )
    pixel_size_A = micrographs.pixel_size_A * settings.box_px / settings.output_px
    with ctx.stage("extract"):
        tables = _extract(ctx, micrographs, chosen, settings, pixel_size_A, count)
    table = pd.concat(tables, ignore_index=True)
    _write(ctx, micrographs, table, settings, pixel_size_A)
    for sentence in particle_warnings(ParticleSet.read(ctx.out / "particles.star"), ctx.params.diameter_A):
        ctx.warn(sentence)
    ctx.figure("particles", len(table))
    ctx.figure("micrographs", len(tables))
    ctx.figure("box_px", settings.output_px)
    ctx.figure("pixel_size_A", round(pixel_size_A, 5))


def _settings(ctx: JobContext, pixel_size_A: float) -> ExtractSettings:
    params = ctx.params
    try:
        return ExtractSettings(
            box_px=params.box_px or default_box_px(params.diameter_A, pixel_size_A),
            particle_radius_px=0.5 * params.diameter_A / pixel_size_A,
            crop_px=params.crop_px,
            invert=params.invert,
            normalise=params.normalise,
            ramp=params.ramp,
            outlier_sigma=params.outlier_sigma,
        )
    except ValueError as error:
        raise UserError(str(error)) from error


def _choose(ctx: JobContext, micrographs: MicrographSet, box_px: int) -> dict[int, pd.DataFrame]:
    """Picks of each micrograph that can be extracted, with the reasons for the others counted and reported."""
    lost: Counter[str] = Counter()
    fault: UserError | None = None
    chosen = {}
    defoci = known_defoci(micrographs)
    seen: list[tuple[NDArray[np.float64], tuple[int, int]]] = []
    for index, rows in _by_micrograph(ctx, micrographs, lost).items():
        if any(defoci) and defoci[index] is None:
            lost["without_ctf"] += len(rows)
            continue
        positions = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64)
        try:
            shape = micrographs.shape(index)
        except UserError as error:
            fault = error
            _leave_out(ctx, lost, error, len(rows))
            continue
        seen.append((positions, shape))
        fits = windows_fit(window_centres(positions), box_px, shape)
        if ctx.params.pad:
            fits = windows_fit(window_centres(positions), 1, shape)
        rows, positions = rows[fits], positions[fits]
        lost["over_the_edge"] += int((~fits).sum())
        scores = rows[NCC].to_numpy(np.float64) if NCC in rows else None
        kept = without_duplicates(positions, scores, ctx.params.min_distance_A / micrographs.pixel_size_A)
        lost["duplicates"] += len(rows) - len(kept)
        if len(kept):
            chosen[index] = rows.iloc[kept]
    for sentence in coordinate_warnings([each for each, _ in seen], [shape for _, shape in seen]):
        ctx.warn(sentence)
    if not chosen and fault is not None:
        raise fault
    for reason in ("over_the_edge", "duplicates", "without_ctf"):
        ctx.figure(reason, lost[reason])
    if lost["without_ctf"]:
        ctx.warn(f"{lost['without_ctf']} picks lie on micrographs whose CTF could not be fitted and are left out.")
    if not any(defoci):
        ctx.warn("The micrographs have no CTF, so the particles get no defocus: estimate the CTF before classifying.")
    return dict(sorted(chosen.items()))


def _leave_out(ctx: JobContext, lost: Counter[str], error: UserError, count: int) -> None:
    """Go on without a micrograph that cannot be read."""
    lost["unreadable"] += count
    ctx.warn(f"{count} pick(s) left out: {error}")


def _by_micrograph(ctx: JobContext, micrographs: MicrographSet, lost: Counter[str]) -> dict[int, pd.DataFrame]:
    """Picks by index of their micrograph."""
    path = ctx.input("picks")
    picks = read_picks(path)["particles"]
    groups, lost["unknown"] = on_micrographs(picks, micrographs)
    if FROM_LAST_ROW in picks:
        ctx.warn(
            f"The coordinates of {path.name} count y from the last row, as CryoPPP's do; they were turned. If the "
            "particles are empty, name its columns x and y instead."
        )
    if picks.empty or not groups:
        raise UserError(
            f"None of the {len(picks)} picks lies on one of the {micrographs.count} micrographs; "
            "expected picks that were made on them: were other micrographs given?"
        )
    if lost["unknown"]:
        ctx.warn(f"{lost['unknown']} picks lie on micrographs that are not in the set and are left out.")
    return groups


def _extract(
    ctx: JobContext,
    micrographs: MicrographSet,
    chosen: dict[int, pd.DataFrame],
    settings: ExtractSettings,
    pixel_size_A: float,
    count: int,
) -> list[pd.DataFrame]:
    """Write the images, and return the table of those written."""
    path = ctx.out / "particles.mrcs"
    dtype = np.float16 if ctx.params.float16 else np.float32
    defoci = known_defoci(micrographs)
    tables = []
    lost: Counter[str] = Counter()
    fault: UserError | None = None
    with MrcStackWriter(path, count, settings.output_px, pixel_size_A, dtype) as stack:
        for done, (index, rows) in enumerate(chosen.items()):
            ctx.progress(done, len(chosen), Path(micrographs.name(index)).name)
            centres = window_centres(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64))
            try:
                image = ctx.xp.asarray(micrographs.load(index))
            except UserError as error:
                fault = error
                _leave_out(ctx, lost, error, len(rows))
                continue
            try:
                written: list[NDArray[np.int64]] = []
                shown: list[NDArray[np.float32]] = []
                for indices, images in extract_particles(image, centres, settings):
                    stack.append(images.astype(dtype))
                    written.append(indices)
                    if done == 0 and len(shown) * len(images) < _SHOWN:
                        shown.append(images)
                if any(map(len, shown)):
                    ctx.picture(
                        "particles", atlas(np.concatenate(shown)[:_SHOWN], _SHOWN_IN_A_ROW), "The first particles"
                    )
            except ValueError as error:
                raise UserError(f"{micrographs.name(index)}: {error}") from error
            kept = np.concatenate(written)
            tables.append(_rows(micrographs, index, rows.iloc[kept], centres[kept], defoci[index]))
    ctx.progress(len(chosen), len(chosen), "writing")
    total = sum(len(table) for table in tables)
    ctx.figure("unreadable", lost["unreadable"])
    if not total and fault is not None:
        raise fault
    if total + lost["unreadable"] < count:
        ctx.warn(f"{count - total - lost['unreadable']} windows are blank and are left out.")
    if total < count:
        _shorten(path, total, settings.output_px, pixel_size_A, dtype)
    return tables


def _shorten(path: Path, count: int, box_px: int, pixel_size_A: float, dtype: Any) -> None:
    """Copy the first images of a stack that turned out too long."""
    if not count:
        raise UserError("Every window is blank; expected micrographs with images: import them again.")
    long = path.rename(path.with_suffix(".long.mrcs"))
    with MrcStackWriter(path, count, box_px, pixel_size_A, dtype) as stack:
        for start in range(0, count, _COPY):
            images = read_mrc_slices(long, np.arange(start, min(start + _COPY, count)))
            stack.append(images.astype(dtype))
    long.unlink()


def _rows(
    micrographs: MicrographSet,
    index: int,
    picks: pd.DataFrame,
    centres: NDArray[np.int64],
    defocus: Defocus | None,
) -> pd.DataFrame:
    """Table of the particles of one micrograph; the coordinates are those of the images' centres."""
    group = micrographs.table["rlnOpticsGroup"].iloc[index] if "rlnOpticsGroup" in micrographs.table else 1
    table = pd.DataFrame(
        {
            "rlnCoordinateX": centres[:, 0].astype(np.float64),
            "rlnCoordinateY": centres[:, 1].astype(np.float64),
            MICROGRAPH: str(micrographs.image_path(index)),
            "rlnOpticsGroup": int(group),
        }
    )
    if defocus is not None:
        local = local_defocus(defocus, micrographs.defocus_surfaces_A[index], centres, micrographs.shape(index))
        table["rlnDefocusU"], table["rlnDefocusV"] = local.u_A, local.v_A
        table["rlnDefocusAngle"], table["rlnPhaseShift"] = local.angle_deg, local.phase_shift_deg
    for name in picks.columns:
        if name not in table and name not in _NOT_CARRIED:
            table[name] = picks[name].to_numpy()
    return table


def _write(
    ctx: JobContext, micrographs: MicrographSet, table: pd.DataFrame, settings: ExtractSettings, pixel_size_A: float
) -> None:
    """Number the images, draw the half sets and write the particles."""
    stack = ctx.out / "particles.mrcs"
    table.insert(3, "rlnImageName", [f"{i + 1:06d}@{stack}" for i in range(len(table))])
    if "rlnRandomSubset" not in table:  # half sets are drawn once: those of particles cut out again are kept
        group = pd.factorize(table[MICROGRAPH])[0]
        table["rlnRandomSubset"] = assign_half_sets(group, ctx.rng("half sets"))
    optics = micrographs.optics_table.copy()
    optics["rlnImagePixelSize"] = pixel_size_A
    optics["rlnImageSize"] = settings.output_px
    optics["rlnImageDimensionality"] = 2
    write_star(ctx.out / "particles.star", {"optics": optics, "particles": table})
