"""What the FSC plot knows of a job: its curves as a table, and the maps that they were made of."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.fourier.shells import resolution_at
from engine.symmetry import point_group
from engine.validation.curves import correlation_error, independent_voxels, resolution_interval
from spa_widgets.errors import UserError
from spa_widgets.io.curves import FSC_COLUMNS
from spa_widgets.io.tables import read_csv_table
from spa_widgets.io.volumes import read_mask
from spa_widgets.viewers import sources

CURVES = FSC_COLUMNS[1:]


@dataclass(frozen=True)
class JobCurves:
    """FSC curves of one job.

    Attributes
    ----------
    name : str
        By which it is known, whatever the language.
    table : DataFrame
        ``resolution_A`` and a column for each curve, a row for each shell from 1 on.
    files : dict of str to Path
        Of ``half_a``, ``half_b``, ``map``, ``mask``, ``particles`` those that there are.
    symmetry : str
        Point group of the job, C1 where it is not known.
    name_ja : str
        The name as Japanese figures show it; empty where it is the same.
    """

    name: str
    table: pd.DataFrame
    files: dict[str, Path]
    symmetry: str
    name_ja: str = ""

    @property
    def box_px(self) -> int:
        """Side of the box in px; the number of shells tells it but for odd boxes."""
        return 2 * len(self.table)

    @property
    def pixel_size_A(self) -> float:
        """Size of a pixel in Å."""
        return float(self.table["resolution_A"].iloc[0]) / self.box_px

    @property
    def frequency_per_A(self) -> NDArray[np.float64]:
        """Spatial frequency of each row in 1/Å."""
        return np.asarray(1.0 / self.table["resolution_A"].to_numpy(np.float64))

    def values(self, curve: str) -> NDArray[np.float64]:
        """A curve with shell 0 put back."""
        return np.append(1.0, self.table[curve].to_numpy(np.float64))

    def resolution(self, curve: str, threshold: float) -> float:
        """Resolution in Å where a curve first falls below a threshold."""
        return float(resolution_at(self.values(curve), self.box_px, self.pixel_size_A, threshold))

    def errors(self) -> dict[str, NDArray[np.float64]]:
        """Standard error of the curves of which it is known: those of the file, else by the mask beside it."""
        found: dict[str, NDArray[np.float64]] = {}
        if "corrected_error" in self.table:
            found["corrected"] = np.append(0.0, self.table["corrected_error"].to_numpy(np.float64))
        elif "mask" in self.files and "corrected" in self.table:
            mask, _ = read_mask(self.files["mask"])
            independent = independent_voxels(len(mask), mask, len(point_group(self.symmetry)))
            if len(independent) == len(self.table) + 1:
                found["corrected"] = correlation_error(self.values("corrected"), independent)
        return found

    def interval(self, curve: str, error: NDArray[np.float64], threshold: float) -> tuple[float, float]:
        """Resolutions in Å (finer, coarser) where a curve plus and minus its error crosses a threshold."""
        return resolution_interval(self.values(curve), error, self.box_px, self.pixel_size_A, threshold)


def read_job(job: Any, label: str | None = None) -> JobCurves:
    """Read the curves of a job, a folder or an ``fsc.csv``, and find the maps beside them.

    Raises
    ------
    UserError
        When there are none.
    """
    path = sources.file_of(job, ["fsc", "fsc.csv"], ["fsc.csv"])
    table = read_csv_table(path, "FSC curves", "write it with the fsc step")
    if "resolution_A" not in table or not any(curve in table for curve in CURVES):
        columns = ", ".join(map(str, table.columns))
        raise UserError(f"{path} has the columns {columns}; expected resolution_A and FSC curves")
    table = table[np.isfinite(table["resolution_A"])].reset_index(drop=True)
    source = sources.job_of(job)
    name = label or (str(job) if source is None else sources.name_of(source))
    name_ja = "" if label or source is None else sources.name_of(source, "ja")
    return JobCurves(name, table, _files(path, source), _symmetry(path, source), name_ja)


_FILES = {
    "half_a": ("half_A", "half_A.mrc"),
    "half_b": ("half_B", "half_B.mrc"),
    "map": ("map", "map.mrc"),
    "mask": ("mask_fsc", "mask_fsc.mrc"),
    "particles": ("particles", "particles.star"),
}


def _files(path: Path, job: Any) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for key, (output, file) in _FILES.items():
        place = sources.beside(path, file)
        for each in [] if job is None else [job, *job.parents]:
            place = place or _output(each, output)
        if place is not None:
            found[key] = place
    tight = sources.beside(path, "mask_tight.mrc") or (None if job is None else _output(job, "mask_tight"))
    if tight is not None:
        found["mask"] = tight
    if not {"half_a", "half_b"} <= found.keys():
        found.pop("half_a", None)
        found.pop("half_b", None)
    return found


def _output(job: Any, name: str) -> Path | None:
    try:
        return Path(job.path(name))
    except UserError:
        return None


def _symmetry(path: Path, job: Any) -> str:
    """Point group of a job, of one it comes from, or of the job whose folder the file lies in."""
    for each in [] if job is None else [job, *job.parents]:
        if each.params.get("symmetry"):
            return str(each.params["symmetry"])
    beside = sources.beside(path, "job.json")
    try:
        record = json.loads(beside.read_text(encoding="utf-8")) if beside else {"spec": {"params": {}}}
        return str(record["spec"]["params"].get("symmetry") or "C1")
    except (OSError, ValueError, KeyError, TypeError):
        return "C1"


def angstrom(resolution_A: float) -> str:
    """Write a resolution."""
    return f"{resolution_A:.2f} Å" if math.isfinite(resolution_A) else "–"
