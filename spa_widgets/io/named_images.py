"""Which files of images a table of particles or micrographs names."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.image_paths import resolve_image_path

TABLES = (".star", ".cs")
_COLUMNS = ("rlnImageName", "rlnMicrographName")
_FEW_REMEMBERED = 64


def named_images(path: Path) -> list[Path]:
    """List the files that whoever works on a table reads: the stacks of particles, else the micrographs.

    Parameters
    ----------
    path : Path
        STAR file or cryoSPARC dataset; any other file names none.

    Returns
    -------
    list of Path
        Each once, sorted by name; what is not there, or cannot be told, is left to the step that reads the table.
    """
    if path.suffix.lower() not in TABLES:
        return []
    found: set[Path] = set()
    with suppress(UserError, OSError, ValueError):
        facts = path.stat()
        for name in _names(path, facts.st_size, facts.st_mtime_ns):
            with suppress(UserError, OSError):
                found.add(resolve_image_path(name, path))
    return sorted(found, key=lambda file: (file.name, str(file)))


@lru_cache(_FEW_REMEMBERED)
def _names(path: Path, _bytes: int, _changed: int) -> list[str]:
    """Return the names in a table as they are written, which hold as long as its size and time of change."""
    from spa_widgets.io.image_table import read_tables  # a session that only looks starts without pandas

    tables = read_tables(path).values()
    for column in _COLUMNS:
        if names := {str(name) for table in tables if column in table for name in table[column].unique()}:
            return sorted({name.rpartition("@")[2] for name in names})
    return []
