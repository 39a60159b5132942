"""Micrographs or particles of several files as one set, each with the optics of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.columns import group_index
from spa_widgets.io.datasets import IMAGE_SIGN, MicrographSet, ParticleSet
from spa_widgets.io.image_paths import image_file, resolve_image_path
from spa_widgets.io.image_table import ImageTable

_NUMBER, _NAME = "rlnOpticsGroup", "rlnOpticsGroupName"
_GROUP = "rlnGroupName"
_MICROGRAPH, _IMAGE = "rlnMicrographName", "rlnImageName"
# what a missing column means: one of these in one file alone must not be lost
_MEANT = {IMAGE_SIGN: 1, "rlnPhaseShift": 0.0, **{f"spaDefocusSurface{i}": 0.0 for i in range(6)}}

Set = TypeVar("Set", bound=ImageTable)


def join_micrographs(inputs: Sequence[Path], output: Path) -> tuple[MicrographSet, str]:
    """Join the micrographs of several files; say what was joined.

    The optics groups are numbered anew and stay apart, whatever their pixel sizes, voltages and lenses. Columns that
    one of the files lacks are left out, unless it is known what they mean there.

    Parameters
    ----------
    inputs : sequence of Path
        ``micrographs.star`` of imports or of other steps, RELION's, or cryoSPARC datasets.
    output : Path
        Where the set will be written.

    Returns
    -------
    (MicrographSet, str)

    Raises
    ------
    UserError
        When one cannot be read, or a micrograph is there twice.
    """
    joined, lost = _joined([MicrographSet.read(path).with_absolute_names() for path in inputs], output)
    names = joined.table[_MICROGRAPH]
    _require_once(names, names, "micrograph")
    return joined, f"{joined.count} micrographs of {_groups(joined)}{lost}"


def join_particles(inputs: Sequence[Path], output: Path) -> tuple[ParticleSet, str]:
    """Join the particles of several files as `join_micrographs` does micrographs; say what was joined.

    Parameters
    ----------
    inputs : sequence of Path
        ``particles.star``, ours or RELION's, or cryoSPARC datasets.
    output : Path
        Where the set will be written.

    Returns
    -------
    (ParticleSet, str)

    Raises
    ------
    UserError
        When one cannot be read, or a particle is there twice.
    """
    sets = [_found_micrographs(ParticleSet.read(path).with_absolute_names()) for path in inputs]
    joined, lost = _joined(sets, output)
    names = joined.table[_IMAGE].astype(str)
    parts = names.str.rpartition("@")
    images = parts[0].str.lstrip("0").where(parts[0] != "", "1") + "@" + parts[2].map(lambda name: image_file(name)[0])
    _require_once(images, names, "particle")
    return joined, f"{joined.count} particles of {_groups(joined)}{lost}"


def _joined(sets: Sequence[Set], output: Path) -> tuple[Set, str]:
    """Return one set, and what to say of the columns and tables that were left out."""
    rows: list[pd.DataFrame] = []
    groups: list[pd.DataFrame] = []
    first = 1
    everywhere = {name for each in sets for name in each.table}
    for each in sets:
        optics = each.with_usual_pixel_size().optics_table.reset_index(drop=True)
        meant: dict[str, Any] = {
            name: value for name, value in _MEANT.items() if name in everywhere and name not in each.table
        }
        index = group_index(optics, each.table, each.path)
        rows.append(_with_own_groups(each.table.assign(**meant, **{_NUMBER: index + first}), is_first=not rows))
        groups.append(optics.assign(**{_NUMBER: range(first, first + len(optics))}))
        first += len(optics)
    table, optics = (pd.concat(parts, join="inner", ignore_index=True) for parts in (rows, groups))
    if _NAME not in optics or optics[_NAME].duplicated().any():
        optics[_NAME] = [f"opticsGroup{number}" for number in optics[_NUMBER]]
    lost = [
        str(name)
        for parts, whole in ((rows, table), (groups, optics))
        for name in dict.fromkeys(column for part in parts for column in part)
        if name not in whole
    ]
    tables = dict.fromkeys(name or "without name" for each in sets for name in each.other_tables)
    said = f"; not in all and left out: {', '.join(lost)}" if lost else ""
    said += f"; other tables left out: {', '.join(tables)}" if tables else ""
    return type(sets[0])(table, optics, output), said


def _with_own_groups(table: pd.DataFrame, is_first: bool) -> pd.DataFrame:
    """Keep RELION's groups of scale apart as RELION itself does: two projects' groups may have one name."""
    if is_first or _GROUP not in table:
        return table
    return table.assign(**{_GROUP: "optics" + table[_NUMBER].astype(str) + "_" + table[_GROUP].astype(str)})


def _found_micrographs(particles: ParticleSet) -> ParticleSet:
    """Name micrographs by absolute paths where they are there: those of two projects may have one name."""
    if _MICROGRAPH not in particles.table:
        return particles
    found: dict[str, str] = {}
    for name in particles.table[_MICROGRAPH].astype(str).unique():
        try:
            found[name] = str(resolve_image_path(name, particles.path).absolute())
        except UserError:
            found[name] = name
    return particles.with_table(
        particles.table.assign(**{_MICROGRAPH: particles.table[_MICROGRAPH].astype(str).map(found)})
    )


def _require_once(keys: pd.Series, names: pd.Series, what: str) -> None:
    twice = names[keys.duplicated()]
    if len(twice):
        more = f" (and {len(twice) - 1} more)" if len(twice) > 1 else ""
        raise UserError(
            f"{twice.iloc[0]}{more} is there twice; expected each {what} in one of the files: leave one out."
        )


def _groups(joined: ImageTable) -> str:
    sizes_A = sorted({float(size_A) for size_A in joined.pixel_sizes_A})
    return f"{', '.join(f'{size_A:g}' for size_A in sizes_A)} Å/px in {len(joined.optics_table)} optics groups"
