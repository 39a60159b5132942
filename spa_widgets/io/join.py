"""Micrographs of several imports or sessions as one set, each with the optics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.columns import group_index
from spa_widgets.io.datasets import MicrographSet

_NUMBER, _NAME, _IMAGE = "rlnOpticsGroup", "rlnOpticsGroupName", "rlnMicrographName"


def join_micrographs(inputs: Sequence[Path], output: Path) -> str:
    """Write the micrographs of several files into one; say what was written.

    The optics groups are numbered anew and stay apart, whatever their pixel sizes, voltages and lenses. Columns that
    one of the files lacks are left out.

    Parameters
    ----------
    inputs : sequence of Path
        ``micrographs.star`` of imports or of other steps, RELION's, or cryoSPARC datasets.
    output : Path
        The new STAR file.

    Raises
    ------
    UserError
        When one cannot be read, or a micrograph is there twice.
    """
    sets = [MicrographSet.read(path).with_absolute_names() for path in inputs]
    rows, groups, first = [], [], 1
    for each in sets:
        optics = each.optics_table.reset_index(drop=True)
        rows.append(each.table.assign(**{_NUMBER: group_index(optics, each.table, each.path) + first}))
        groups.append(optics.assign(**{_NUMBER: range(first, first + len(optics))}))
        first += len(optics)
    table, optics = (pd.concat(parts, join="inner", ignore_index=True) for parts in (rows, groups))
    twice = table[_IMAGE][table[_IMAGE].duplicated()]
    if len(twice):
        raise UserError(f"{twice.iloc[0]} is there twice; expected each micrograph in one of the files: leave one out.")
    if _NAME not in optics or optics[_NAME].duplicated().any():
        optics[_NAME] = [f"opticsGroup{number}" for number in optics[_NUMBER]]
    joined = MicrographSet(table, optics, output)
    sizes_A = sorted({float(size_A) for size_A in joined.pixel_sizes_A})
    joined.write(output)
    lost = [str(name) for name in pd.concat(rows, ignore_index=True) if name not in table]
    left_out = f"; not in all and left out: {', '.join(lost)}" if lost else ""
    listed = ", ".join(f"{size_A:g}" for size_A in sizes_A)
    return f"{len(table)} micrographs of {listed} Å/px in {len(optics)} optics groups{left_out}"
