"""What micrographs and particles have in common: rows of a STAR file with the optics of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.optics import Defocus, Optics
from spa_widgets.errors import UserError
from spa_widgets.io.columns import defocus_of, optics_of, row_values, used_value
from spa_widgets.io.cryosparc import read_cs
from spa_widgets.io.image_paths import image_file, resolve_image_path
from spa_widgets.io.star import Tables, need_columns, read_star, write_star


def read_tables(path: str | Path) -> Tables:
    """Read a STAR file, or a cryoSPARC dataset (``.cs``) in the same terms.

    Raises
    ------
    UserError
        When it cannot be read.
    """
    return read_cs(path) if Path(path).suffix.lower() == ".cs" else read_star(path)


@dataclass(frozen=True)
class ImageTable:
    """Images of one kind, as a STAR file lists them.

    Attributes
    ----------
    table, optics_table : DataFrame
        The rows and the optics groups.
    path : Path
        The STAR file.
    other_tables : dict of str to DataFrame
        What else the file holds; it is written again as it is.
    """

    table: pd.DataFrame
    optics_table: pd.DataFrame
    path: Path
    other_tables: Tables = field(default_factory=dict)

    _KIND: ClassVar[str]
    """Name of the table of rows."""
    _IMAGE: ClassVar[str]
    """Column that names the image of a row."""
    _PIXEL_SIZES: ClassVar[tuple[str, ...]]
    """Columns that may tell the pixel size."""
    _WITHOUT: ClassVar[str]
    """What to say of a file without these tables, ``_EMPTY`` of one without rows."""
    _EMPTY: ClassVar[str]

    @classmethod
    def read(cls, star_path: str | Path) -> Self:
        """Read a STAR file, or a cryoSPARC dataset.

        Raises
        ------
        UserError
            When it has no such table, no row in it, or no images.
        """
        tables = read_tables(star_path)
        if cls._KIND not in tables or "optics" not in tables:
            found = ", ".join(name or "a table without name" for name in tables)
            raise UserError(f"{star_path} holds {found}; {cls._WITHOUT}")
        need_columns(tables[cls._KIND], (cls._IMAGE,), star_path)
        if not len(tables[cls._KIND]):
            raise UserError(f"{star_path} holds {cls._EMPTY}")
        others = {name: table for name, table in tables.items() if name not in ("optics", cls._KIND)}
        return cls(tables[cls._KIND], tables["optics"], Path(star_path), others)

    @property
    def count(self) -> int:
        """Number of images."""
        return len(self.table)

    @property
    def pixel_size_A(self) -> float:
        """Å per px, the same for all."""
        return used_value(self.optics_table, self.table, self._PIXEL_SIZES, self.path, "pixel size", "Å")

    @property
    def pixel_sizes_A(self) -> NDArray[np.float64]:
        """Å per px of each stored image, that of its optics group."""
        return row_values(self.optics_table, self.table, self._PIXEL_SIZES, self.path, "pixel size", "Å")

    @property
    def optics(self) -> Optics:
        """Optics, arrays of shape ``(count,)``."""
        return optics_of(self.optics_table, self.table, self.path)

    @property
    def defocus(self) -> Defocus:
        """Defocus of each image (of a micrograph: at its centre), arrays of shape ``(count,)``."""
        return defocus_of(self.table, self.path)

    def with_table(self, table: pd.DataFrame) -> Self:
        """Return the same set with another table of rows."""
        return replace(self, table=table.reset_index(drop=True))

    def with_absolute_names(self) -> Self:
        """Return the set naming its image files by absolute paths, so that its table can be written elsewhere."""
        parts = [str(name).rpartition("@") for name in self.table[self._IMAGE]]
        found = {
            name: name
            if Path(name).is_absolute()
            else f"{resolve_image_path(name, self.path).absolute()}{image_file(name)[1]}"
            for name in {name for _, _, name in parts}
        }
        names = [f"{number}{at}{found[name]}" for number, at, name in parts]
        return self.with_table(self.table.assign(**{self._IMAGE: names}))

    def with_usual_pixel_size(self) -> Self:
        """Return the set with the pixel size in the column that is looked for first, wherever its file has it."""
        usual, optics = self._PIXEL_SIZES[0], self.optics_table
        other = next((name for name in self._PIXEL_SIZES if name in optics), usual)
        return self if other == usual else replace(self, optics_table=optics.rename(columns={other: usual}))

    def write(self, star_path: str | Path) -> None:
        """Write the tables to a STAR file."""
        write_star(star_path, {"optics": self.optics_table, self._KIND: self.table, **self.other_tables})
