"""Coordinates as plain text: EMAN ``.box`` files and CSV tables."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.text import decoded

X, Y, MICROGRAPH, FROM_LAST_ROW = "rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName", "spaYFromLastRow"

# column names in lower case, without anything but letters
_X_NAMES = ("x", "xcoordinate", "xcoord", "coordinatex", "rlncoordinatex", "centerx", "xcenter", "xpx")
_Y_NAMES = ("y", "ycoordinate", "ycoord", "coordinatey", "rlncoordinatey", "centery", "ycenter", "ypx")
_MICROGRAPH_NAMES = ("micrograph", "micrographs", "micrographname", "micrographsfilename", "micrographfilename",
                     "rlnmicrographname", "imagename", "image", "filename")  # fmt: skip
_OF_CRYOPPP = {"X-Coordinate", "Y-Coordinate"}
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_HINT = "expected lines of x, y, width, height in px"


def _lines(file: Path) -> list[str]:
    if not file.is_file():
        raise UserError(f"{file} does not exist; expected a file of coordinates there: check the path.")
    try:
        text = decoded(file.read_bytes(), file, "coordinates")
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): ask for permission, or copy it again.") from error
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def read_box(path: str | Path) -> pd.DataFrame:
    """Read an EMAN ``.box`` file: corner and size of each box, y from the first row; the centres are returned.

    Raises
    ------
    UserError
        When it is empty or a line is no box.
    """
    file = Path(path)
    centres = []
    for number, line in enumerate(_lines(file), 1):
        try:
            x, y, width, height = (float(cell) for cell in line.replace(",", " ").split()[:4])
        except ValueError as error:
            raise UserError(f"{file}: line {number} is {line[:60]!r}; {_HINT}: export the boxes again.") from error
        centres.append((x + width / 2, y + height / 2))
    if not centres:
        raise UserError(f"{file} holds no box; {_HINT}: pick on this micrograph, or leave the file out.")
    return pd.DataFrame(centres, columns=[X, Y])


def read_csv(path: str | Path) -> pd.DataFrame:
    """Read a CSV table of positions.

    Columns named like x and y are px with y from the first row; those of CryoPPP (``X-Coordinate``, ``Y-Coordinate``;
    Dhakal et al., Sci Data 10, 392, 2023) count y from the last row, which a column says. Without a header the first
    two columns are x and y. A column with the micrographs' names may be there.

    Raises
    ------
    UserError
        When it has no such columns, or cells that are no numbers.
    """
    file = Path(path)
    lines = _lines(file)
    if not lines:
        raise UserError(f"{file} is empty; expected a table with the columns x and y: export it again.")
    separator = next((mark for mark in (",", ";", "\t") if mark in lines[0]), None)
    cells = [_cells(line, separator) for line in lines]
    header = [str(cell) for cell in cells[0]]
    if all(_is_number(cell) for cell in header[:2]):
        header, rows = ["x", "y", *(f"column{i}" for i in range(2, len(header)))], cells
    else:
        rows = cells[1:]
    short = next((i for i, row in enumerate(rows, 1) if len(row) != len(header)), None)
    if short is not None:
        raise UserError(f"{file}: row {short} has {len(rows[short - 1])} cells for {len(header)} columns: mend it.")
    places = [_find(header, names) for names in (_X_NAMES, _Y_NAMES, _MICROGRAPH_NAMES)]
    if places[0] is None or places[1] is None:
        raise UserError(
            f"{file} has the columns {', '.join(header)[:200]}; expected x and y in px: name the columns so."
        )
    frame = pd.DataFrame({X: _column(rows, places[0], X, file), Y: _column(rows, places[1], Y, file)})
    if places[2] is not None:
        frame.insert(0, MICROGRAPH, [row[places[2]] for row in rows])
    if set(header) >= _OF_CRYOPPP:
        frame[FROM_LAST_ROW] = 1
    return frame


def _cells(line: str, separator: str | None) -> list[str]:
    """Split a row; where a semicolon stands between cells, a comma may stand for the decimal point."""
    if separator is None:
        return [cell.strip('"') for cell in line.split()]
    cells = [cell.strip() for cell in next(csv.reader([line], delimiter=separator, skipinitialspace=True))]
    return [_with_point(cell) for cell in cells] if separator == ";" else cells


def _with_point(cell: str) -> str:
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell


def _find(header: list[str], names: tuple[str, ...]) -> int | None:
    plain = ["".join(character for character in cell.lower() if character.isalpha()) for cell in header]
    return next((plain.index(name) for name in names if name in plain), None)


def _column(rows: list[list[str]], place: int, name: str, file: Path) -> list[float]:
    for number, row in enumerate(rows, 1):
        if not _is_number(row[place]):
            raise UserError(
                f"{file}: row {number} of {name} is {row[place][:60]!r}; expected a number: mend or leave out the row."
            )
    return [float(row[place]) for row in rows]


def _is_number(text: str) -> bool:
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False
