"""The text of STAR files: blocks, loops, cells.

Hall, J Chem Inf Comput Sci 31, 326 (1991), as far as the programs of the field use it.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

_NAN = ("<NA>", "nan", "NaN", "-nan", "NAN")
NOTHING = (*_NAN, "None", "none", "null", "NULL")
"""Cells that stand for a number that is not there, among numbers."""

_TEXT_ENDINGS = ("Name", "Image", "File", "Metadata", "Spectrum", "Coordinates", "Movie", "Label", "Value", "Variable")
_CELL = re.compile(r'"(?:[^"]|"(?=\S))*"(?=\s|$)|\'(?:[^\']|\'(?=\S))*\'(?=\s|$)|\S+')
_KEPT_DIGITS = 1e-6


@dataclass
class Block:
    """One table as it stands in the file.

    Attributes
    ----------
    name : str
        Behind ``data_``.
    labels : list of str
        Without the underscore.
    rows : list of str
        Lines of the loop.
    first_line : int
        Number of the first row's line.
    single : list of str or None
        The values of a block without a loop.
    """

    name: str
    labels: list[str] = field(default_factory=list)
    rows: list[str] = field(default_factory=list)
    first_line: int = 0
    single: list[str] | None = None


def split_blocks(text: str) -> list[Block]:
    """Split a file into its tables.

    Raises
    ------
    ValueError
        When a line belongs to no table.
    """
    blocks: list[Block] = []
    name: str | None = None
    current: Block | None = None
    for number, line in enumerate(text.split("\n"), 1):
        content = line.strip()
        if not content or content[0] == "#":
            continue
        if content[:5].lower() == "data_":
            name, current = content[5:].split("#")[0].strip(), None
        elif name is None:
            raise ValueError(f"line {number} is {_shown(content)}, before any data block")
        elif content.split("#")[0].strip().lower() == "loop_":
            current = Block(name)
            blocks.append(current)
        elif content[0] == "_" and (current is None or not current.rows):
            if current is None:
                current = Block(name, single=[])
                blocks.append(current)
            _add_label(current, content, number)
        elif current is None or current.single is not None or not current.labels:
            raise ValueError(f"line {number} is {_shown(content)}, which belongs to no column")
        else:
            current.first_line = current.first_line or number
            current.rows.append(content)
    return blocks


def _add_label(block: Block, content: str, number: int) -> None:
    cells = split_cells(content)
    label = cells[0][1:]
    if label in block.labels:
        raise ValueError(f"line {number} names the column {label} a second time")
    block.labels.append(label)
    if block.single is not None:
        if len(cells) < 2:
            raise ValueError(f"line {number} has the label {label} without a value")
        block.single.append(cells[1])


def _shown(text: str) -> str:
    return repr(text if len(text) < 40 else f"{text[:37]}...")


def split_cells(line: str) -> list[str]:
    """Split a line at white space; quotes hold a cell together."""
    if '"' not in line and "'" not in line:
        return line.split()
    return [cell[1:-1] if len(cell) > 1 and cell[0] in "\"'" and cell[-1] == cell[0] else cell
            for cell in _CELL.findall(line)]  # fmt: skip


def is_text(label: str) -> bool:
    """Tell whether a column is text whatever it looks like: names, and what is unknown and so kept as it is."""
    return not label.startswith(("rln", "spa")) or label.endswith(_TEXT_ENDINGS)


def to_frame(block: Block) -> pd.DataFrame:
    """Make the table of a block: numbers in columns that hold numbers, text in the others.

    Raises
    ------
    ValueError
        When a row has too many or too few cells.
    """
    if block.single is not None:
        return _typed(block.labels, [block.single])
    if not block.rows:
        return pd.DataFrame({label: np.zeros(0) for label in block.labels})
    text = "\n".join(block.rows)
    if '"' in text or "'" in text or " #" in text:
        cells = [_without_comment(split_cells(row), len(block.labels)) for row in block.rows]
        for index, row in enumerate(cells):
            _check_count(block, index, len(row))
        return _typed(block.labels, cells)
    return _parsed(block, text)


def _without_comment(cells: list[str], count: int) -> list[str]:
    """Leave out what a sign # begins behind the last column."""
    return cells[:count] if len(cells) > count and cells[count].startswith("#") else cells


def _check_count(block: Block, index: int, count: int) -> None:
    if count != len(block.labels):
        raise ValueError(
            f"row {index + 1} of the table {block.name or 'without a name'} (near line {block.first_line + index}) has "
            f"{count} cells for {len(block.labels)} columns"
        )


def _parsed(block: Block, text: str) -> pd.DataFrame:
    """Let pandas' fast parser read rows without quotes."""
    _check_count(block, 0, len(block.rows[0].split()))
    texts = [i for i, label in enumerate(block.labels) if is_text(label)]
    numbers = [i for i in range(len(block.labels)) if i not in set(texts)]
    try:
        frame = pd.read_csv(  # type: ignore[call-overload]
            io.StringIO(text),
            sep=r"\s+",
            header=None,
            dtype=dict.fromkeys(texts, str),
            na_values={i: list(NOTHING) for i in numbers},
            keep_default_na=False,
            quoting=csv.QUOTE_NONE,
            low_memory=False,
        )
    except (ValueError, pd.errors.ParserError, OverflowError):
        frame = None
    whole = frame is not None and frame.shape == (len(block.rows), len(block.labels))
    # in a row that is too short the last cells are empty
    if not whole or frame.iloc[:, -1].isna().any() or (frame.iloc[:, -1] == "").any():
        for index, row in enumerate(block.rows):
            _check_count(block, index, len(row.split()))
        if not whole:
            return _typed(block.labels, [row.split() for row in block.rows])
    words = [i for i in numbers if not pd.api.types.is_numeric_dtype(frame[i]) or frame[i].isna().all()]
    if words:  # text after all: as it stands, also where it says None
        cells = [row.split() for row in block.rows]
        for i in words:
            frame[i] = _numbers([row[i] for row in cells])
    frame.columns = pd.Index(block.labels)
    return frame


def _typed(labels: Sequence[str], rows: list[list[str]]) -> pd.DataFrame:
    """Make a table from cells that are all text."""
    columns: dict[str, Any] = {}
    for index, label in enumerate(labels):
        cells = [row[index] for row in rows]
        columns[label] = cells if is_text(label) else _numbers(cells)
    return pd.DataFrame(columns)


def _numbers(cells: list[str]) -> list[str] | NDArray[Any]:
    """Turn cells into numbers when all of them are."""
    try:
        found = [np.nan if cell in NOTHING else float(cell) for cell in cells]
    except ValueError:
        return cells
    if all(cell in NOTHING for cell in cells) and not all(cell in _NAN for cell in cells):
        return cells
    if all(re.fullmatch(r"[-+]?\d{1,18}", cell) for cell in cells):
        return np.array([int(cell) for cell in cells])
    return np.array(found)


def format_table(name: str, frame: pd.DataFrame) -> str:
    """Return a table as a data block with a loop."""
    lines = ["", "# version 30001", "", f"data_{name}", "", "loop_"]
    lines += [f"_{label} #{index}" for index, label in enumerate(frame.columns, 1)]
    columns = [format_column(frame.iloc[:, index]) for index in range(frame.shape[1])]
    lines += [" ".join(row) for row in zip(*columns, strict=True)]
    return "\n".join([*lines, ""])


def format_column(column: pd.Series) -> list[str]:
    """Return the cells of a column as text; six decimals, more where these would lose digits."""
    if pd.api.types.is_bool_dtype(column):
        return [str(int(value)) for value in column]
    if pd.api.types.is_integer_dtype(column) and not column.isna().any():
        return [str(value) for value in column.tolist()]
    if pd.api.types.is_float_dtype(column):
        return _format_floats(column.to_numpy(np.float64, na_value=np.nan))
    return [_format_cell(value) for value in column.tolist()]


def _format_floats(values: NDArray[np.float64]) -> list[str]:
    with np.errstate(invalid="ignore", over="ignore"):
        short = (np.abs(values) < 1e12) & (np.abs(values - np.round(values, 6)) <= _KEPT_DIGITS * np.abs(values))
    return [
        f"{value:.6f}" if plain else "<NA>" if value != value else f"{value:.10g}"
        for value, plain in zip(values.tolist(), short.tolist(), strict=True)
    ]


def _format_cell(value: Any) -> str:
    if value is None or value is pd.NA or value != value:
        return "<NA>"
    if isinstance(value, float | np.floating):
        return _format_floats(np.array([value], np.float64))[0]
    text = " ".join(str(value).splitlines())
    plain = text and not re.search(r"\s", text) and text[0] not in "\"'#_" and not text.lower().startswith(
        ("data_", "loop_")
    )  # fmt: skip
    if plain:
        return text
    return f"'{text}'" if '"' in text else f'"{text}"'
