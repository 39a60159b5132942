"""An extraction before it is run: where the picks lie, the box, and on which side the contrast comes out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from engine.checks.contrast import contrast_significance
from engine.extraction.boxes import default_box_px, even_px
from engine.extraction.extract import ExtractSettings, extract_particles
from engine.extraction.windows import window_centres
from engine.particles import Particles
from spa_widgets.guard.boxes import box_warnings
from spa_widgets.guard.finding import Finding
from spa_widgets.guard.picks import coordinate_warnings
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.picks import on_micrographs, read_picks

_MOST_MICROGRAPHS, _MOST_EACH, _MOST_PX = 3, 32, 64
_MOST_HEADERS = 40
_SURELY_BLACK = -5.0


def extraction_findings(
    micrograph_file: Path, pick_file: Path, box_px: int | None, crop_px: int | None, diameter_A: float, invert: bool
) -> Iterator[Finding]:
    """Tell what looks wrong about the particles that an extraction would give.

    Parameters
    ----------
    micrograph_file, pick_file : Path
    box_px, crop_px, diameter_A, invert
        As the step has them.

    Raises
    ------
    UserError, ValueError
        Where the files cannot be read; the step says so.
    """
    micrographs = MicrographSet.read(micrograph_file)
    groups, _ = on_micrographs(read_picks(pick_file)["particles"], micrographs)
    some = sorted(groups, key=lambda index: -len(groups[index]))[:_MOST_HEADERS]
    places = [groups[index][["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64) for index in some]
    yield from coordinate_warnings(places, [micrographs.shape(index) for index in some])
    sizes_A = micrographs.pixel_sizes_A
    size_A = float(sizes_A[some].max())  # the box counts pixels of the coarsest
    box = even_px(box_px or default_box_px(diameter_A, size_A))
    output_px = even_px(crop_px or box)
    optics = micrographs.optics.take(0)
    sides = output_px, size_A * box / output_px
    yield from box_warnings(*sides, _typical_defocus_A(micrographs), optics, diameter_A, unbinned_A=size_A)
    few = {index: groups[index] for index in [i for i in some if sizes_A[i] == size_A][:_MOST_MICROGRAPHS]}
    yield from _contrast(micrographs, few, (box, size_A), diameter_A, invert)


def _typical_defocus_A(micrographs: MicrographSet) -> float:
    return float(np.median(np.abs(micrographs.defocus.mean_A))) if "rlnDefocusU" in micrographs.table else 0.0


def _contrast(
    micrographs: MicrographSet,
    groups: dict[int, pd.DataFrame],
    box: tuple[int, float],
    diameter_A: float,
    invert: bool,
) -> Iterator[Finding]:
    """Cut a few particles as the step would, with a box of so many pixels of so many Å, and look at their contrast."""
    if "rlnDefocusU" not in micrographs.table:
        return
    box_px, size_A = box
    crop_px = min(box_px, _MOST_PX)
    settings = ExtractSettings(box_px, 0.5 * diameter_A / size_A, crop_px, invert)
    stacks, owners = [], []
    for index, rows in groups.items():
        places = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(np.float64)[:_MOST_EACH]
        for _, cut in extract_particles(micrographs.load(index), window_centres(places), settings):
            stacks.append(np.asarray(cut))
            owners += [index] * len(cut)
    if not owners:
        return
    images = np.concatenate(stacks)
    defocus, optics = micrographs.defocus.take(np.array(owners)), micrographs.optics.take(np.array(owners))
    particles = Particles.from_array(images, size_A * box_px / crop_px, defocus, optics)
    sure = max((contrast_significance(particles, share * diameter_A / 2) for share in (0.6, 1.0)), key=abs)
    if sure < _SURELY_BLACK:
        key = "black_inverted" if invert else "black_not_inverted"
        yield Finding(key, {"invert": not invert}, sure=-sure, count=len(images))
