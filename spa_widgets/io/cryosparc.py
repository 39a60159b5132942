"""Particles, picks and micrographs of cryoSPARC in the terms of RELION's STAR files, and back.

Differences of the conventions: poses are rotation vectors in radians, shifts are px of their own pixel size, angles of
the CTF are radians, half sets, classes and images count from 0, positions are fractions of the micrograph with y from
its last row, and ``blob/sign`` says whether stored images are white (1) or black (-1) protein.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.rotation_vectors import angles_of_rotation_vectors
from spa_widgets.errors import UserError
from spa_widgets.io.cs_file import read_with_passthrough
from spa_widgets.io.star import Tables

Columns = Mapping[str, NDArray[Any]]

_PLAIN = {"ctf/df1_A": "rlnDefocusU", "ctf/df2_A": "rlnDefocusV", "ctf/cross_corr_ctffind4": "rlnCtfFigureOfMerit",
          "pick_stats/ncc_score": "rlnAutopickFigureOfMerit", "pick_stats/power": "spaPickPower"}  # fmt: skip
_OPTICS = {"ctf/accel_kv": "rlnVoltage", "ctf/cs_mm": "rlnSphericalAberration",
           "ctf/amp_contrast": "rlnAmplitudeContrast"}  # fmt: skip
_MICROSCOPE = {"mscope_params/accel_kv": "rlnVoltage", "mscope_params/cs_mm": "rlnSphericalAberration"}


def read_cs(path: str | Path) -> Tables:
    """Read a ``.cs`` file of particles, picks or micrographs.

    Parameters
    ----------
    path : str or Path
        The dataset; ``passthrough`` files beside it are used where their rows are the same.

    Returns
    -------
    dict of str to DataFrame
        ``optics`` (where there is a CTF) and ``particles`` or ``micrographs``, columns as in STAR files; the column
        ``spaImageSign`` is -1 where the protein is black in the stored image.

    Raises
    ------
    UserError
        When the file is damaged or holds none of these.
    """
    columns = read_with_passthrough(path)
    if not len(columns):
        raise UserError(f"{path} has no columns; expected a cryoSPARC dataset: export it again.")
    try:
        return _tables(columns, path)
    except (ValueError, TypeError, IndexError, KeyError, OverflowError) as error:
        raise UserError(f"{path} has columns of other types than cryoSPARC's ({error}): export it again.") from error


def _tables(columns: Columns, path: str | Path) -> Tables:
    """Translate the columns of particles, picks or micrographs."""
    if "blob/path" in columns and "blob/idx" in columns:
        return _with_optics(columns, _particles(columns), "particles", "blob/psize_A", "rlnImagePixelSize")
    if "location/center_x_frac" in columns:
        return {"particles": _positions(columns, path)}
    if "micrograph_blob/path" in columns:
        table = _ctf(columns)
        table.insert(0, "rlnMicrographName", _text(columns["micrograph_blob/path"]))
        return _with_optics(columns, table, "micrographs", "micrograph_blob/psize_A", "rlnMicrographPixelSize")
    groups = sorted({name.partition("/")[0] for name in columns})
    raise UserError(
        f"{path} describes {', '.join(groups)}; expected particles (blob), picks (location) or micrographs: give the "
        "dataset of an extraction, a picker or an import."
    )


def _text(values: NDArray[Any]) -> list[str]:
    """Decode paths; cryoSPARC puts ``>`` before those that it only links to."""
    texts = (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values)
    return [text.lstrip(">") for text in texts]


def _ctf(columns: Columns) -> pd.DataFrame:
    """Table with the CTF and the other plain columns."""
    table = {star: np.asarray(columns[cs], np.float64) for cs, star in _PLAIN.items() if cs in columns}
    for cs, star in (("ctf/df_angle_rad", "rlnDefocusAngle"), ("ctf/phase_shift_rad", "rlnPhaseShift")):
        if cs in columns:
            table[star] = np.rad2deg(np.asarray(columns[cs], np.float64))
    return pd.DataFrame(table, index=pd.RangeIndex(len(next(iter(columns.values())))))


def _particles(columns: Columns) -> pd.DataFrame:
    names = _text(columns["blob/path"])
    numbers = np.asarray(columns["blob/idx"], np.int64) + 1
    table = _ctf(columns)
    # RELION takes a .mrc for one image, unless its name says that it is a stack
    stacks = (f"{name}:mrcs" if name.endswith(".mrc") else name for name in names)
    table.insert(0, "rlnImageName", [f"{i:06d}@{name}" for i, name in zip(numbers.tolist(), stacks, strict=True)])
    if "location/center_x_frac" in columns and "location/micrograph_shape" in columns:
        positions = _positions(columns, "")
        table = pd.concat([table, positions.drop(columns=[c for c in positions if c in table])], axis=1)
    if "blob/sign" in columns:
        table["spaImageSign"] = np.where(np.asarray(columns["blob/sign"]) < 0, -1, 1)
    _add_alignments(table, columns)
    if "uid" in columns:
        table["csUid"] = np.asarray(columns["uid"]).astype(str)
    return table


def _add_alignments(table: pd.DataFrame, columns: Columns) -> None:
    """Add pose, shift, class and half set of the 3D alignment, else of the 2D one."""
    kind = next((kind for kind in ("alignments3D", "alignments2D") if f"{kind}/pose" in columns), None)
    if kind is None:
        return
    pose = np.asarray(columns[f"{kind}/pose"], np.float64)
    if kind == "alignments3D":
        angles_deg = angles_of_rotation_vectors(np.rad2deg(pose))
    else:
        angles_deg = np.zeros((len(pose), 3))
        angles_deg[:, 2] = np.rad2deg(pose)
    for i, name in enumerate(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")):
        table[name] = angles_deg[:, i]
    shift_px = np.asarray(columns[f"{kind}/shift"], np.float64)
    pixel_A = columns.get(f"{kind}/psize_A", columns.get("blob/psize_A", np.ones(len(pose))))
    shift_A = shift_px * np.asarray(pixel_A, np.float64)[:, None]
    table["rlnOriginXAngst"], table["rlnOriginYAngst"] = shift_A[:, 0], shift_A[:, 1]
    if f"{kind}/class" in columns:
        table["rlnClassNumber"] = np.asarray(columns[f"{kind}/class"], np.int64) + 1
    halves = np.asarray(columns.get(f"{kind}/split", np.zeros(0)), np.int64)
    if kind == "alignments3D" and len(np.unique(halves)) == 2:
        table["rlnRandomSubset"] = halves + 1


def _positions(columns: Columns, path: str | Path) -> pd.DataFrame:
    """Table of positions in px of the micrograph, y from its first row."""
    needed = [f"location/{name}" for name in ("micrograph_path", "micrograph_shape", "center_x_frac", "center_y_frac")]
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UserError(f"{path} has no {missing[0]}; expected the picks with their micrographs: export all columns.")
    name, shape, x_fraction, y_fraction = (columns[key] for key in needed)
    height, width = np.asarray(shape, np.float64).T
    table = _ctf(columns)
    table.insert(0, "rlnMicrographName", _text(name))
    table.insert(1, "rlnCoordinateX", np.asarray(x_fraction, np.float64) * width)
    table.insert(2, "rlnCoordinateY", (1.0 - np.asarray(y_fraction, np.float64)) * height)
    return table


def _with_optics(columns: Columns, table: pd.DataFrame, main: str, pixel_size: str, star_name: str) -> Tables:
    """Return the tables, a row of optics for each combination that occurs."""
    found = {star: columns[cs] for cs, star in {**_MICROSCOPE, **_OPTICS}.items() if cs in columns}
    if pixel_size in columns:
        found[star_name] = columns[pixel_size]
    if main == "particles" and "blob/shape" in columns:
        found["rlnImageSize"] = np.asarray(columns["blob/shape"])[:, -1]
    # single precision of the file: what differs in the seventh digit is the same
    rows = pd.DataFrame({name: np.asarray(values, np.float64).round(5) for name, values in found.items()})
    if "ctf/exp_group_id" in columns:
        rows["csExposureGroup"] = np.asarray(columns["ctf/exp_group_id"]).astype(str)
    if rows.shape[1] == 0:
        return {main: table}
    optics = rows.drop_duplicates().reset_index(drop=True)
    keys = {row: i + 1 for i, row in enumerate(optics.itertuples(index=False, name=None))}
    table["rlnOpticsGroup"] = [keys[row] for row in rows.itertuples(index=False, name=None)]
    optics.insert(0, "rlnOpticsGroup", np.arange(1, len(optics) + 1))
    optics.insert(1, "rlnOpticsGroupName", [f"opticsGroup{i}" for i in optics["rlnOpticsGroup"]])
    if "rlnImageSize" in optics:
        optics["rlnImageSize"] = optics["rlnImageSize"].astype(int)
        optics["rlnImageDimensionality"] = 2
    return {"optics": optics, main: table}
