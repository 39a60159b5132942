"""Which of the picks can be extracted, by micrograph."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.extraction.duplicates import without_duplicates
from engine.extraction.windows import window_centres, windows_fit
from spa_widgets.errors import UserError
from spa_widgets.guard.picks import coordinate_warnings
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.picks import FROM_LAST_ROW, on_micrographs, read_picks
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_scores import NCC
from spa_widgets.steps._picks import known_defoci
from spa_widgets.steps.extract.sizes import ImageSizes, image_sizes


def choose(ctx: JobContext, micrographs: MicrographSet) -> tuple[dict[int, pd.DataFrame], ImageSizes]:
    """Return the picks of each micrograph that can be extracted and their images' sizes; tell what is left out."""
    lost: Counter[str] = Counter()
    fault: UserError | None = None
    chosen = {}
    defoci = known_defoci(micrographs)
    seen: list[tuple[NDArray[np.float64], tuple[int, int]]] = []
    groups = _by_micrograph(ctx, micrographs, lost)
    sizes_A = micrographs.pixel_sizes_A
    images = image_sizes(ctx, {index: float(sizes_A[index]) for index in groups})
    for index, rows in groups.items():
        if any(defoci) and defoci[index] is None:
            lost["without_ctf"] += len(rows)
            continue
        positions = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64)
        try:
            shape = micrographs.shape(index)
        except UserError as error:
            fault = error
            leave_out(ctx, lost, error, len(rows))
            continue
        seen.append((positions, shape))
        fits = windows_fit(window_centres(positions), images.settings[index].box_px, shape)
        if ctx.params.pad:
            fits = windows_fit(window_centres(positions), 1, shape)
        rows, positions = rows[fits], positions[fits]
        lost["over_the_edge"] += int((~fits).sum())
        scores = rows[NCC].to_numpy(np.float64) if NCC in rows else None
        kept = without_duplicates(positions, scores, ctx.params.min_distance_A / float(sizes_A[index]))
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
    return dict(sorted(chosen.items())), images


def leave_out(ctx: JobContext, lost: Counter[str], error: UserError, count: int) -> None:
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
