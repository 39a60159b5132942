"""STAR tables of RELION 3.0 to 5."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.star_text import format_table, split_blocks, to_frame
from spa_widgets.io.text import decoded

Tables = dict[str, pd.DataFrame]

_OPTICS_FROM_3_0 = ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast")
_MAIN = {"particles": "rlnImagePixelSize", "micrographs": "rlnMicrographPixelSize"}


def read_star(path: str | Path) -> Tables:
    """Read all tables of a STAR file.

    Cells of columns whose names begin neither with ``rln`` nor with ``spa`` are kept as they are.

    Parameters
    ----------
    path : str or Path
        STAR file of RELION 3.0 to 5. A 3.0 file, which has optics in each row, gets an ``optics`` table, and origins
        in px become origins in Å.

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
    if not file.exists():
        raise UserError(f"{file} does not exist; expected a STAR file there: check the path.")
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected a STAR file: name the file itself.")
    try:
        blocks = split_blocks(_text(file))
        tables: Tables = {}
        for block in blocks:
            if block.name in tables:
                raise ValueError(f"it has two tables named {block.name or 'data_'}")
            tables[block.name] = to_frame(block)
    except ValueError as error:
        raise UserError(f"{file} is not a readable STAR file ({error}): export it again.") from error
    if not tables:
        raise UserError(f"{file} holds no table; expected a STAR file with a data block and a loop.")
    return _modernise(tables)


def _text(file: Path) -> str:
    try:
        content = file.read_bytes()
    except PermissionError as error:
        raise UserError(f"{file} may not be read: ask its owner for read permission.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): copy it again.") from error
    return decoded(content, file, "a STAR file")


def _modernise(tables: Tables) -> Tables:
    """Name an unnamed block, split optics off the rows of a RELION 3.0 file, and bring origins to Å."""
    unnamed = next((name for name in ("", "images") if name in tables), None)
    if unnamed is not None:
        frame = tables[unnamed]
        main = "particles" if "rlnImageName" in frame or "rlnCoordinateX" in frame else "micrographs"
        if main not in tables:
            tables = {main if name == unnamed else name: table for name, table in tables.items()}
    main_name = next((name for name in _MAIN if name in tables), None)
    if main_name is None:
        return tables
    if "optics" not in tables and "rlnVoltage" in tables[main_name]:
        tables = _with_optics(tables, main_name)
    return _with_origins_in_A(tables)


def _with_optics(tables: Tables, main: str) -> Tables:
    frame = tables[main].copy()
    optics = {name: frame[name] for name in _OPTICS_FROM_3_0 if name in frame}
    if {"rlnDetectorPixelSize", "rlnMagnification"} <= set(frame.columns):
        sizes = (pd.to_numeric(frame[name], errors="coerce") for name in ("rlnDetectorPixelSize", "rlnMagnification"))
        detector_um, magnification = sizes
        optics[_MAIN[main]] = detector_um * 1e4 / magnification
    elif "rlnPixelSize" in frame:
        optics[_MAIN[main]] = frame["rlnPixelSize"]
    rows = pd.DataFrame(optics)
    table = rows.drop_duplicates().reset_index(drop=True)
    keys = {tuple(row): i + 1 for i, row in enumerate(table.astype(str).itertuples(index=False, name=None))}
    frame["rlnOpticsGroup"] = [keys[row] for row in rows.astype(str).itertuples(index=False, name=None)]
    table.insert(0, "rlnOpticsGroup", np.arange(1, len(table) + 1))
    table.insert(1, "rlnOpticsGroupName", [f"opticsGroup{i}" for i in table["rlnOpticsGroup"]])
    return {"optics": table, **tables, main: frame.drop(columns=list(_OPTICS_FROM_3_0), errors="ignore")}


def _with_origins_in_A(tables: Tables) -> Tables:
    """Turn rlnOriginX and rlnOriginY (px, RELION 3.0) into rlnOriginXAngst and rlnOriginYAngst."""
    particles, optics = tables.get("particles"), tables.get("optics")
    old = [name for name in ("rlnOriginX", "rlnOriginY") if particles is not None and name in particles]
    if particles is None or not old or optics is None or not len(optics) or "rlnImagePixelSize" not in optics:
        return tables
    of_groups_A = pd.to_numeric(optics["rlnImagePixelSize"], errors="coerce")
    sizes_A = of_groups_A.iloc[0]
    if "rlnOpticsGroup" in particles and "rlnOpticsGroup" in optics:
        by_group = dict(zip(optics["rlnOpticsGroup"], of_groups_A, strict=True))
        sizes_A = particles["rlnOpticsGroup"].map(by_group)
    particles = particles.copy()
    for name in old:
        if f"{name}Angst" not in particles:
            particles[f"{name}Angst"] = pd.to_numeric(particles[name], errors="coerce") * sizes_A
    return {**tables, "particles": particles.drop(columns=old)}


def write_star(path: str | Path, tables: Tables) -> None:
    """Write tables to a STAR file that RELION ≥ 3.1 reads."""
    text = "\n".join(format_table(name, frame) for name, frame in tables.items())
    Path(path).write_text(f"{text}\n", encoding="utf-8")


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
