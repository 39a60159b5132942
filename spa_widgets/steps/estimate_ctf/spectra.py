"""Pictures and curves of CTF fits as the inspector shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.ctf.arcs import smooth_along_arcs
from engine.ctf.landscape import Landscape, defocus_landscape
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.npz import read_npz
from spa_widgets.viewers import sources

CURVES = ("frequency_per_A", "spectrum", "background", "fit", "cross_correlation")
_SQUARE = (1000, 1000)


class Spectra:
    """What ``spectra.npz`` holds; it may not be there, or hold more micrographs than the table.

    Parameters
    ----------
    path : Path or None
        The file.
    names : sequence of str
        The micrographs of the table, in its order.
    """

    def __init__(self, path: Path | None, names: list[str]) -> None:
        self._arrays: dict[str, NDArray[Any]] = {}
        self._place: dict[int, int] = {}
        if path is None:
            return
        self._arrays = read_npz(path, ("names", "pictures", "picture_step_per_A", *CURVES))
        stems = [Path(str(name)).stem for name in self._arrays["names"]]
        if len(stems) == len(names):
            self._place = {index: index for index in range(len(names))}
        else:
            at = {stem: index for index, stem in enumerate(stems)}
            self._place = {i: at[Path(name).stem] for i, name in enumerate(names) if Path(name).stem in at}

    def picture(self, index: int) -> NDArray[np.uint8] | None:
        """Give the picture of a micrograph, smoothed for the eye, shape (256, 256); None where there is none."""
        place = self._place.get(index)
        return None if place is None else smooth_along_arcs(self._arrays["pictures"][place])

    def step_per_A(self, index: int) -> float:
        """Give the frequency step of a picture's pixels in 1/Å."""
        return float(self._arrays["picture_step_per_A"][self._place[index]])

    def curves(self, index: int) -> list[NDArray[np.float32]]:
        """Give the curves of a micrograph in the order of `CURVES`."""
        return [np.asarray(self._arrays[name][self._place[index]], np.float32) for name in CURVES]


def find_spectra(source: Any, star: Path) -> Path | None:
    """Find the spectra of a table: beside it, or at the CTF estimation that a selection was made from."""
    found = sources.beside(star, "spectra.npz")
    job = sources.job_of(source)
    while found is None and job is not None:
        try:
            found = Path(job.path("spectra"))
        except UserError:
            job = next(iter(getattr(job, "parents", [])), None)
    return found


def landscape_of(star: Path, tables: dict[str, pd.DataFrame], index: int) -> tuple[Landscape, float] | None:
    """Give the defocus landscape of a micrograph and its width over its height; None where no surface was fitted."""
    if "optics" not in tables:
        return None
    micrographs = MicrographSet(tables["micrographs"], tables["optics"], star)
    surface = micrographs.defocus_surfaces_A[index]
    if not surface.any():
        return None
    try:
        shape = micrographs.shape(index)
    except UserError:  # the picture may be elsewhere by now
        shape = _SQUARE
    return defocus_landscape(surface, shape, float(micrographs.pixel_sizes_A[index])), shape[1] / shape[0]
