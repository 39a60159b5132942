"""Cut the picked particles out of the micrographs, one micrograph at a time."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.display import atlas
from engine.extraction.extract import ExtractSettings, extract_particles
from engine.extraction.half_sets import assign_half_sets
from engine.extraction.local_defocus import local_defocus
from engine.extraction.windows import window_centres
from engine.optics import Defocus
from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import read_mrc_slices
from spa_widgets.io.mrc_write import MrcStackWriter
from spa_widgets.io.star import write_star
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_scores import MICROGRAPH
from spa_widgets.steps._picks import known_defoci
from spa_widgets.steps.extract.positions import choose, leave_out
from spa_widgets.steps.extract.sizes import ImageSizes

_COPY = 512
_SHOWN, _SHOWN_IN_A_ROW = 40, 10
_NOT_CARRIED = ("rlnClassNumber", "rlnAnglePsi", "spaMicrographDefocusA", "rlnImageName")


def run(ctx: JobContext) -> None:
    """Extract the particles and write their stack and table."""
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    with ctx.stage("positions"):
        chosen, images = choose(ctx, micrographs)
    count = sum(len(rows) for rows in chosen.values())
    if not count:
        raise UserError(
            "No particle is left to extract; expected at least one pick whose box lies on its micrograph: "
            "choose a smaller box, or look at the picks."
        )
    with ctx.stage("extract"):
        tables = _extract(ctx, micrographs, chosen, images, count)
    table = pd.concat(tables, ignore_index=True)
    _write(ctx, micrographs, table, images)
    for sentence in particle_warnings(ParticleSet.read(ctx.out / "particles.star"), ctx.params.diameter_A):
        ctx.warn(sentence)
    ctx.figure("particles", len(table))
    ctx.figure("micrographs", len(tables))
    ctx.figure("box_px", images.box_px)
    ctx.figure("pixel_size_A", round(images.pixel_size_A, 5))


def _extract(
    ctx: JobContext,
    micrographs: MicrographSet,
    chosen: dict[int, pd.DataFrame],
    images: ImageSizes,
    count: int,
) -> list[pd.DataFrame]:
    """Write the images, and return the table of those written."""
    path = ctx.out / "particles.mrcs"
    dtype = np.float16 if ctx.params.float16 else np.float32
    defoci = known_defoci(micrographs)
    tables: list[pd.DataFrame] = []
    lost: Counter[str] = Counter()
    fault: UserError | None = None
    with MrcStackWriter(path, count, images.box_px, images.pixel_size_A, dtype) as stack:
        for done, (index, rows) in enumerate(chosen.items()):
            ctx.progress(done, len(chosen), Path(micrographs.name(index)).name)
            centres = window_centres(rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64))
            try:
                image = ctx.xp.asarray(micrographs.load(index))
            except UserError as error:
                fault = error
                leave_out(ctx, lost, error, len(rows))
                continue
            try:
                kept, first = _cut(image, centres, images.settings[index], stack, dtype)
            except ValueError as error:
                raise UserError(f"{micrographs.name(index)}: {error}") from error
            if done == 0 and len(first):
                ctx.picture("particles", atlas(first, _SHOWN_IN_A_ROW), "The first particles")
            tables.append(_rows(micrographs, index, rows.iloc[kept], centres[kept], defoci[index]))
    ctx.progress(len(chosen), len(chosen), "writing")
    total = sum(len(table) for table in tables)
    ctx.figure("unreadable", lost["unreadable"])
    if not total and fault is not None:
        raise fault
    if total + lost["unreadable"] < count:
        ctx.warn(f"{count - total - lost['unreadable']} windows are blank and are left out.")
    if total < count:
        _shorten(path, total, images, dtype)
    return tables


def _cut(
    image: Any, centres_px: NDArray[np.int64], settings: ExtractSettings, stack: MrcStackWriter, dtype: Any
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Append the particles of one micrograph to the stack; return which ones, and the first of them to be shown."""
    written: list[NDArray[np.int64]] = []
    first: list[NDArray[np.float32]] = []
    for indices, cut in extract_particles(image, centres_px, settings):
        stack.append(cut.astype(dtype))
        written.append(indices)
        if sum(map(len, first)) < _SHOWN:
            first.append(cut[:_SHOWN])
    return np.concatenate(written), np.concatenate(first)[:_SHOWN]


def _shorten(path: Path, count: int, sizes: ImageSizes, dtype: Any) -> None:
    """Copy the first images of a stack that turned out too long."""
    if not count:
        raise UserError("Every window is blank; expected micrographs with images: import them again.")
    long = path.rename(path.with_suffix(".long.mrcs"))
    with MrcStackWriter(path, count, sizes.box_px, sizes.pixel_size_A, dtype) as stack:
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


def _write(ctx: JobContext, micrographs: MicrographSet, table: pd.DataFrame, images: ImageSizes) -> None:
    """Number the images, draw the half sets and write the particles."""
    stack = ctx.out / "particles.mrcs"
    table.insert(3, "rlnImageName", [f"{i + 1:06d}@{stack}" for i in range(len(table))])
    if "rlnRandomSubset" not in table:  # half sets are drawn once: those of particles cut out again are kept
        group = pd.factorize(table[MICROGRAPH])[0]
        table["rlnRandomSubset"] = assign_half_sets(group, ctx.rng("half sets"))
    optics = micrographs.optics_table.copy()
    optics["rlnImagePixelSize"] = images.pixel_size_A
    optics["rlnImageSize"] = images.box_px
    optics["rlnImageDimensionality"] = 2
    write_star(ctx.out / "particles.star", {"optics": optics, "particles": table})
