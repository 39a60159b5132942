"""Columns of STAR tables as numbers with units; what is not a number gets one sentence."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.optics import Defocus, Optics
from spa_widgets.errors import UserError
from spa_widgets.io.star import need_columns

_DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")
_OPTICS = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
# generous bounds: what lies outside is another unit or another column
_SENSIBLE = {
    "rlnVoltage": (10.0, 3000.0, "kV"),
    "rlnSphericalAberration": (-20.0, 20.0, "mm"),
    "rlnAmplitudeContrast": (0.0, 1.0, ""),
}


def numbers(frame: pd.DataFrame, name: str, path: str | Path) -> NDArray[np.float64]:
    """Return a column as numbers.

    Raises
    ------
    UserError
        When the column is missing, or one of its cells is no finite number.
    """
    need_columns(frame, (name,), path)
    found = pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64, na_value=np.nan)
    bad = np.flatnonzero(~np.isfinite(found))
    if bad.size:
        cell = frame[name].iloc[int(bad[0])]
        more = f" ({bad.size} such rows)" if bad.size > 1 else ""
        shown = "empty" if cell is pd.NA or cell != cell else repr(str(cell))[:80]
        raise UserError(
            f"{path}: row {bad[0] + 1} of {name} is {shown}{more}; expected a number: mend or leave out the row."
        )
    return found


def optics_of(optics: pd.DataFrame, rows: pd.DataFrame, path: str | Path) -> Optics:
    """Return voltage, Cs and amplitude contrast for each row.

    Raises
    ------
    UserError
        When they are missing or cannot be.
    """
    need_columns(optics, _OPTICS, path)
    index = group_index(optics, rows, path)
    columns = []
    for name in _OPTICS:
        values = numbers(optics, name, path)
        low, high, unit = _SENSIBLE[name]
        for value in values[np.unique(index)]:
            if not low <= value <= high:
                raise UserError(
                    f"{path} states {name} {value:g} {unit}".rstrip()
                    + f"; expected {low:g} to {high:g} {unit}".rstrip()
                    + ": correct the optics table."
                )
        columns.append(values[index])
    return Optics(voltage_kv=columns[0], cs_mm=columns[1], amplitude_contrast=columns[2])


def group_index(optics: pd.DataFrame, rows: pd.DataFrame, path: str | Path) -> NDArray[np.intp]:
    """Return the row of the optics table that each row belongs to.

    Raises
    ------
    UserError
        When a row names a group that is not there, or the optics table is empty or names one twice.
    """
    if not len(optics):
        raise UserError(f"{path} has an empty optics table; expected a row for each optics group: import it anew.")
    if "rlnOpticsGroup" not in rows or "rlnOpticsGroup" not in optics:
        return np.zeros(len(rows), np.intp)
    groups = pd.Index(numbers(optics, "rlnOpticsGroup", path))
    if groups.has_duplicates:
        twice = groups[groups.duplicated()][0]
        raise UserError(f"{path} has optics group {twice:g} twice; expected each once: join the files with RELION.")
    wanted = numbers(rows, "rlnOpticsGroup", path)
    found = groups.get_indexer(pd.Index(wanted))
    lost = np.flatnonzero(found < 0)
    if lost.size:
        raise UserError(
            f"{path}: row {lost[0] + 1} belongs to optics group {wanted[lost[0]]:g}, which the optics table does not "
            f"have (it has {', '.join(f'{group:g}' for group in groups)}): export the file again."
        )
    return np.asarray(found, np.intp)


def row_values(
    optics: pd.DataFrame, rows: pd.DataFrame, names: Iterable[str], path: str | Path, what: str, unit: str
) -> NDArray[np.float64]:
    """Return an optics column for each row; the first column that is there counts.

    Raises
    ------
    UserError
        When there is none, or one that is used is not positive.
    """
    name = next((name for name in names if name in optics), None)
    if name is None:
        raise UserError(f"{path} does not state the {what}; expected {next(iter(names))} in its optics table.")
    index = group_index(optics, rows, path)
    values = numbers(optics, name, path).round(6)
    for value in np.unique(values[index]):
        if value <= 0:
            raise UserError(f"{path} states a {what} of {value:g} {unit}; expected a positive number: correct it.")
    return values[index]


def used_value(
    optics: pd.DataFrame, rows: pd.DataFrame, names: Iterable[str], path: str | Path, what: str, unit: str
) -> float:
    """Return the one value of an optics column that all rows share; the first column that is there counts.

    Raises
    ------
    UserError
        When there is none, or several, or it is not positive.
    """
    values = np.unique(row_values(optics, rows, names, path, what, unit))
    if len(values) > 1:
        raise UserError(
            f"{path} mixes {what}s {', '.join(f'{value:g}' for value in values)} {unit}; expected one: "
            f"split it by optics group, or rescale the images to one {what}."
        )
    if not len(values):
        return float(row_values(optics, optics, names, path, what, unit)[0])
    return float(values[0])


def defocus_of(rows: pd.DataFrame, path: str | Path) -> Defocus:
    """Return the defocus of each row.

    Raises
    ------
    UserError
        When it is missing or no number.
    """
    u_A, v_A, angle_deg = (numbers(rows, name, path) for name in _DEFOCUS)
    phase = numbers(rows, "rlnPhaseShift", path) if "rlnPhaseShift" in rows else np.zeros(len(rows))
    return Defocus(u_A, v_A, angle_deg, phase)
