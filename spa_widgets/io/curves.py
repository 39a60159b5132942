"""Tables of curves, such as ``fsc.csv``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.columns import numbers
from spa_widgets.io.tables import read_csv_table

FSC_COLUMNS = ("resolution_A", "no_mask", "spherical", "loose", "tight", "corrected")


def write_fsc_csv(path: str | Path, resolution_A: ArrayLike, curves: Mapping[str, ArrayLike]) -> None:
    """Write FSC curves, a row for each shell from shell 1 on (shell 0 has no resolution).

    Parameters
    ----------
    path : str or Path
    resolution_A : array, shape (n // 2 + 1,)
        Resolution of every shell; the first is infinite and left out.
    curves : mapping of str to array, shape (n // 2 + 1,)
        By column name.
    """
    table = pd.DataFrame({"resolution_A": np.asarray(resolution_A)[1:]})
    for name, curve in curves.items():
        table[name] = np.asarray(curve)[1:]
    table.to_csv(path, index=False, float_format="%.6f")


def read_fsc_csv(path: str | Path, curve: str = "corrected") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read one curve of an ``fsc.csv``.

    Returns
    -------
    (resolution_A, fsc) : arrays, shape (n // 2 + 1,)
        Shell 0 is put back: infinite resolution, correlation 1.

    Raises
    ------
    UserError
        When the file is missing or has no such column.
    """
    file = Path(path)
    table = read_csv_table(file, "FSC curves", "write it with the fsc step", numeric=False)
    missing = [name for name in ("resolution_A", curve) if name not in table]
    if missing:
        raise UserError(
            f"{file} has no column {missing[0]}; it has {', '.join(map(str, table.columns))[:200]}: give an fsc.csv."
        )
    resolution_A, values = (numbers(table, name, file) for name in ("resolution_A", curve))
    return np.append(np.inf, resolution_A), np.append(1.0, values)
