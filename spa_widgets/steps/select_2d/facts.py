"""What the files of a 2D classification say about its classes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.classification.select import NEEDED, select_classes
from spa_widgets.errors import UserError
from spa_widgets.io.tables import read_csv_table

COLUMNS = {
    "count": ("count", "particles", "particle_count", "n_particles"),
    "resolution_A": ("resolution_A", "resolution"),
    "effective_classes": ("effective_classes", "effective_classes_assigned", "eca", "ECA"),
}
_NUMBER = ("class_number", "class", "number", "rlnClassNumber")
_CLASSES = "a row of numbers for each class"
FRC_FILE = "class_frc.csv"


def class_rows(csv: Path | None, count: int) -> list[dict[str, Any]]:
    """Read classes.csv into rows for the screen; unknown values are None."""
    table = read_csv_table(csv, _CLASSES) if csv is not None else pd.DataFrame(index=range(count))
    if len(table) != count:
        raise UserError(
            f"{csv} tells of {len(table)} classes but there are {count} averages; give the folder of one job"
        )
    numbers = _column(table, _NUMBER)
    if numbers is not None:
        table = table.iloc[np.argsort(numbers.to_numpy(), kind="stable")]
    columns = {name: _column(table, names) for name, names in COLUMNS.items()}
    return [
        class_row(index + 1, {name: None if c is None else float(c.iloc[index]) for name, c in columns.items()})
        for index in range(count)
    ]


def class_row(number: int, values: dict[str, float | None]) -> dict[str, Any]:
    """Give the row of a class for the screen."""
    row: dict[str, Any] = {"number": number}
    for name, value in values.items():
        known = value is not None and math.isfinite(value)
        row[name] = None if not known else (round(value) if name == "count" else round(value, 2))  # type: ignore[arg-type]
    return row


def numbers_where(
    rows: Iterable[dict[str, Any]], min_count: int, max_resolution_A: float, max_effective_classes: float
) -> list[int]:
    """Give the classes with so many particles, such a resolution (Å) or better, so few effective classes."""
    limits = (("resolution_A", max_resolution_A), ("effective_classes", max_effective_classes))
    return [
        row["number"]
        for row in rows
        if (row["count"] or 0) >= min_count
        and all(limit == math.inf or (row[name] is not None and row[name] <= limit) for name, limit in limits)
    ]


def can_propose(csv: Path | None) -> bool:
    """Tell whether the table holds what the automatic choice looks at."""
    return csv is not None and set(NEEDED) <= set(read_csv_table(csv, _CLASSES))


def proposed(csv: Path | None) -> list[int]:
    """Give the numbers of the classes that the step chooses with ``auto=True``."""
    if csv is None:
        raise UserError("there is no classes.csv beside these averages, so nothing can be proposed: choose by hand")
    table = read_csv_table(csv, _CLASSES)
    numbers = _column(table, _NUMBER)
    try:
        chosen = select_classes({str(name): table[name].to_numpy() for name in table})
    except ValueError as problem:
        raise UserError(str(problem)) from problem
    return sorted(int(index) + 1 if numbers is None else int(numbers.iloc[index]) for index in chosen)


def class_frc(csv: Path | None, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Give resolution (Å) and Fourier ring correlation of a class from shell 1 on; None where they were not kept."""
    table = None if csv is None else read_csv_table(csv, "Fourier ring correlations")
    if table is None or f"class_{number}" not in table or "resolution_A" not in table:
        return None
    return table["resolution_A"].to_numpy(np.float64), table[f"class_{number}"].to_numpy(np.float64)


def _column(table: pd.DataFrame, names: Iterable[str]) -> pd.Series | None:
    return next((table[name] for name in names if name in table), None)
