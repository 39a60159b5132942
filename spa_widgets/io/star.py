"""STAR tables of RELION 3.0 to 5 (the only importer of starfile)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import starfile

from spa_widgets.errors import UserError

Tables = dict[str, pd.DataFrame]

_OPTICS_FROM_3_0 = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")


def read_star(path: str | Path) -> Tables:
    """Read all tables of a STAR file.

    Parameters
    ----------
    path : str or Path
        STAR file of RELION 3.0 to 5. A 3.0 file, which has optics in each row, gets an ``optics`` table.

    Returns
    -------
    dict of str to DataFrame
        By name of the data block; an unnamed block of images is ``particles`` or ``micrographs``.

    Raises
    ------
    UserError
        When the file is missing or holds no table.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file} does not exist; expected a STAR file there: check the path.")
    try:
        blocks: dict[Any, Any] = starfile.read(file, always_dict=True)
    except UnicodeDecodeError as error:
        raise UserError(f"{file} is not text; expected a STAR file: is it an image?") from error
    except Exception as error:  # starfile raises whatever pandas or Python raised
        raise UserError(f"{file} is not a readable STAR file ({error}): export it again.") from error
    if not blocks:
        raise UserError(f"{file} holds no table; expected a STAR file with a data block and a loop.")
    tables = {str(name): _as_frame(block) for name, block in blocks.items()}
    return _modernise(tables)


def _as_frame(block: Any) -> pd.DataFrame:
    return block if isinstance(block, pd.DataFrame) else pd.DataFrame([block])


def _modernise(tables: Tables) -> Tables:
    """Name an unnamed block, and split optics off the rows of a RELION 3.0 file."""
    unnamed = next((name for name in ("", "images", "0") if name in tables), None)
    if unnamed is not None:
        frame = tables.pop(unnamed)
        tables["particles" if "rlnImageName" in frame or "rlnCoordinateX" in frame else "micrographs"] = frame
    main = next((name for name in ("particles", "micrographs") if name in tables), None)
    if main is None or "optics" in tables or "rlnVoltage" not in tables[main]:
        return tables
    frame = tables[main].copy()
    optics = {name: frame[name] for name in _OPTICS_FROM_3_0 if name in frame}
    if {"rlnDetectorPixelSize", "rlnMagnification"} <= set(frame.columns):
        name = "rlnImagePixelSize" if main == "particles" else "rlnMicrographPixelSize"
        optics[name] = frame["rlnDetectorPixelSize"] * 1e4 / frame["rlnMagnification"]
    table = pd.DataFrame(optics).drop_duplicates().reset_index(drop=True)
    keys = {tuple(row): i + 1 for i, row in enumerate(table.itertuples(index=False, name=None))}
    rows = pd.DataFrame(optics).itertuples(index=False, name=None)
    frame["rlnOpticsGroup"] = [keys[tuple(row)] for row in rows]
    table.insert(0, "rlnOpticsGroup", np.arange(1, len(table) + 1))
    table.insert(1, "rlnOpticsGroupName", [f"opticsGroup{i}" for i in table["rlnOpticsGroup"]])
    return {"optics": table, **tables, main: frame.drop(columns=list(_OPTICS_FROM_3_0), errors="ignore")}


def write_star(path: str | Path, tables: Tables) -> None:
    """Write tables to a STAR file that RELION ≥ 3.1 reads."""
    text = starfile.to_string(tables, float_format="%.6f", sep=" ", na_rep="<NA>")
    # without the writer's first line, a comment with the time of day: equal tables are equal files
    Path(path).write_text(text.partition("\n")[2].lstrip("\n"))


def need_columns(frame: pd.DataFrame, names: tuple[str, ...], path: str | Path) -> None:
    """Check that a table has the columns a step needs.

    Raises
    ------
    UserError
        Naming the columns that are missing.
    """
    missing = [name for name in names if name not in frame]
    if missing:
        raise UserError(f"{path} has no column {', '.join(missing)}; this step needs it: was an earlier step left out?")
