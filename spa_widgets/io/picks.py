"""Positions of particles on micrographs from any of the field's files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.columns import numbers
from spa_widgets.io.coordinates import read_box, read_csv
from spa_widgets.io.cryosparc import read_cs
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.star import Tables, need_columns, read_star

X, Y, MICROGRAPH = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"
FROM_LAST_ROW = "spaYFromLastRow"
"""Column of positions whose y counts from the last row of the micrograph: `on_micrographs` turns them."""

# what programs put between a micrograph's name and the suffix of its coordinates
_ADDED = ("_autopick", "_manualpick", "_topaz", "_boxes", "_coords", "_coordinates", "_picks", "_pick")


def read_picks(path: str | Path) -> Tables:
    """Read positions.

    Parameters
    ----------
    path : str or Path
        STAR (ours, RELION's particles, its list of coordinate files, or one micrograph's coordinates), EMAN ``.box``,
        ``.csv`` (of CryoPPP, or with columns x and y) or cryoSPARC ``.cs``. Files of one micrograph are named like it.

    Returns
    -------
    dict of str to DataFrame
        ``particles`` with ``rlnMicrographName``, ``rlnCoordinateX``, ``rlnCoordinateY`` (px, first row y = 0), and
        whatever else the file holds.

    Raises
    ------
    UserError
        When it holds no coordinates.
    """
    file = Path(path)
    readers: Mapping[str, Callable[[Path], Tables]] = {
        ".box": lambda item: {"particles": read_box(item)},
        ".csv": lambda item: {"particles": read_csv(item)},
        ".cs": read_cs,
    }
    tables = readers.get(file.suffix.lower(), _read_star_picks)(file)
    if "particles" not in tables:
        names = ", ".join(name or "a table without name" for name in tables)
        raise UserError(f"{file} holds {names}; expected a table of particles with coordinates.")
    frame = tables["particles"]
    if MICROGRAPH not in frame:
        frame = frame.copy()
        frame.insert(0, MICROGRAPH, micrograph_stem(file.name))
    need_columns(frame, (MICROGRAPH, X, Y), file)
    numbers(frame, X, file)
    numbers(frame, Y, file)
    return {**tables, "particles": frame}


def _read_star_picks(file: Path) -> Tables:
    tables = read_star(file)
    if "coordinate_files" in tables:
        return {"particles": _listed(tables["coordinate_files"], file)}
    if "particles" not in tables and len(tables) == 1 and X in (only := next(iter(tables.values()))):
        return {"particles": only}
    return tables


def _listed(table: pd.DataFrame, file: Path) -> pd.DataFrame:
    """Read the coordinates of every micrograph that a list of RELION names."""
    need_columns(table, (MICROGRAPH, "rlnMicrographCoordinates"), file)
    parts = []
    for name, listed in zip(table[MICROGRAPH], table["rlnMicrographCoordinates"], strict=True):
        frame = read_picks(resolve_image_path(str(listed), file))["particles"]
        parts.append(frame.assign(**{MICROGRAPH: str(name)}))
    if not parts:
        raise UserError(f"{file} lists no coordinate files; expected at least one: pick again.")
    return pd.concat(parts, ignore_index=True)


def micrograph_stem(name: str) -> str:
    """Return the name of a micrograph, or of its coordinates, without folder and suffixes."""
    stem = PurePosixPath(name).name
    for suffix in (".gz", ".bz2"):
        stem = stem.removesuffix(suffix)
    stem = stem.rpartition(".")[0] or stem
    for added in _ADDED:
        stem = stem.removesuffix(added)
    return stem


def on_micrographs(picks: pd.DataFrame, micrographs: MicrographSet) -> tuple[dict[int, pd.DataFrame], int]:
    """Group positions by micrograph: by full name, else by file name, else by file name without suffixes.

    Names that fit several micrographs fit none. Positions whose y counts from the last row are turned.

    Returns
    -------
    (groups, lost)
        Rows by index of their micrograph, and the number of rows on micrographs that are not in the set.
    """
    names = [micrographs.name(i) for i in range(micrographs.count)]
    full = {name: i for i, name in enumerate(names)}
    by_file, by_stem = _unique([Path(name).name for name in names]), _unique([micrograph_stem(name) for name in names])
    groups: dict[int, list[pd.DataFrame]] = {}
    lost = 0
    for name, rows in picks.groupby(MICROGRAPH, sort=False):
        text = str(name)
        index = full.get(text, by_file.get(Path(text).name, by_stem.get(_without_uid(text, by_stem))))
        if index is None:
            lost += len(rows)
        else:
            groups.setdefault(index, []).append(_turned(rows, micrographs, index))
    return {index: pd.concat(parts) for index, parts in groups.items()}, lost


def _unique(names: list[str]) -> dict[str, int]:
    counts = pd.Series(names, dtype=object).value_counts()
    return {name: i for i, name in enumerate(names) if counts[name] == 1}


def _without_uid(name: str, known: Mapping[str, int]) -> str:
    """Return the stem of a name; without the number that cryoSPARC puts in front, where only so it is known."""
    stem = micrograph_stem(name)
    number, _, rest = stem.partition("_")
    return rest if stem not in known and len(number) >= 18 and number.isdigit() else stem


def _turned(rows: pd.DataFrame, micrographs: MicrographSet, index: int) -> pd.DataFrame:
    if FROM_LAST_ROW not in rows:
        return rows
    height = micrographs.shape(index)[0]
    y = np.where(rows[FROM_LAST_ROW], height - rows[Y].to_numpy(np.float64), rows[Y].to_numpy(np.float64))
    return rows.assign(**{Y: y}).drop(columns=FROM_LAST_ROW)
