"""A picture of what a job gave: its last live picture, else one drawn from its result."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.display import contrast_by_sigma
from engine.volume_display import central_slices
from spa_widgets.errors import UserError
from spa_widgets.viewers.encode import WEBP, encode

_LONGEST_PX = 512
_LOW_PASS_A = 20.0
_VOLUMES = ("volume", "half_map", "mask")


def last_picture(job: Any) -> bytes | None:
    """Give the last live picture of a job (WebP), if it made any."""
    for path, _ in reversed(list(job.pictures.values())):
        if path.is_file():
            return bytes(path.read_bytes())
    return None


def result_picture(job: Any) -> bytes | None:
    """Give a picture (WebP) of a finished job: live, or drawn from its picks or its map; None where there is none."""
    found = last_picture(job)
    if found is not None:
        return found
    files: dict[str, Path] = {}
    for output in job.step.outputs:  # the first of a kind is what the step is for
        if not output.optional and output.kind not in files:
            files[output.kind] = job.path(output.file)
    if "picks" in files:
        return _picks(files["picks"], job.params.get("diameter_A"))
    volume = next((files[kind] for kind in _VOLUMES if kind in files), None)
    return None if volume is None else _sections(volume)


def _picks(star: Path, diameter_A: float | None) -> bytes | None:
    """Draw the picks of the first micrograph, by name, that has any."""
    from spa_widgets.io.image_paths import resolve_image_path
    from spa_widgets.io.picks import read_picks
    from spa_widgets.viewers.overlay import draw_circles

    table = read_picks(star)["particles"]
    names = sorted({str(name) for name in table["rlnMicrographName"]})
    if not names:
        return None
    try:
        picture, scale, pixel_size_A = _micrograph(str(resolve_image_path(names[0], star)))
    except UserError:
        return None  # the micrograph has gone elsewhere
    here = table[table["rlnMicrographName"] == names[0]]
    centres = zip(here["rlnCoordinateX"] * scale, here["rlnCoordinateY"] * scale, strict=True)
    radius = max(3.0, 0.5 * (diameter_A or 160.0) / pixel_size_A * scale)
    return encode(draw_circles(picture, centres, radius, width=2), WEBP, 75)


@lru_cache(maxsize=4)
def _micrograph(path: str) -> tuple[NDArray[np.uint8], float, float]:
    """Give a filtered picture of a micrograph, its pixels for each of the micrograph's, and the pixel size in Å."""
    from spa_widgets.viewers.micrographs import Micrographs

    micrographs = Micrographs.open([path])
    picture = micrographs.picture(0, _LOW_PASS_A, longest_px=_LONGEST_PX)
    grey = np.asarray(contrast_by_sigma(picture.astype(np.float32)))
    return grey, picture.shape[1] / micrographs.shape(0)[1], micrographs.size_A(0)


def _sections(path: Path) -> bytes:
    """Draw the three central sections of a map side by side."""
    from spa_widgets.io.mrc import read_mrc

    return encode(np.hstack([np.asarray(each) for each in central_slices(read_mrc(path)[0])]), WEBP, 80)
