"""The particles of a class, drawn from their stack when they are asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.classification.members import aligned, montage
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.star import need_columns
from spa_widgets.viewers.base import Answer
from spa_widgets.viewers.encode import WEBP, encode

PER_PAGE, COLUMNS = 16, 4
_CLASS, _PROBABILITY = "rlnClassNumber", "rlnMaxValueProbDistribution"


class Members:
    """Which particles belong to which class.

    Parameters
    ----------
    star : Path or None
        ``particles.star`` of the classification; None where there is none.
    """

    def __init__(self, star: Path | None) -> None:
        self._star = star
        self._found: ParticleSet | None = None

    @property
    def particles(self) -> ParticleSet:
        """All particles; read when first asked for."""
        if self._star is None:
            raise UserError("there is no particles.star beside these averages, so their particles cannot be shown")
        if self._found is None:
            found = ParticleSet.read(self._star)
            need_columns(found.table, (_CLASS,), self._star)
            self._found = found
        return self._found

    def of(self, number: int) -> NDArray[np.intp]:
        """Give the places in the table of a class's particles, the surest first."""
        table = self.particles.table
        places = np.flatnonzero(table[_CLASS].to_numpy() == number)
        if _PROBABILITY not in table:
            return places
        return places[np.argsort(-table[_PROBABILITY].to_numpy(np.float64)[places], kind="stable")]

    def table(self, number: int) -> pd.DataFrame:
        """Give the rows of a class's particles, the surest first."""
        return self.particles.table.iloc[self.of(number)]

    def page(self, number: int, page: int, align: bool, low_pass_A: float) -> NDArray[np.uint8]:
        """Draw some of a class's particles, `PER_PAGE` on a page (from 0), `COLUMNS` in a row."""
        some = self.of(number)[page * PER_PAGE : (page + 1) * PER_PAGE]
        if not len(some):
            raise UserError(f"class {number} has no particle on page {page + 1}; there are fewer pages")
        chosen = self.particles.take(some)
        stack = chosen.to_engine()
        images = stack.images(np.arange(len(some)))
        if align:
            angles_deg, shifts_A = chosen.poses()
            images = aligned(images, angles_deg[:, 2], shifts_A / stack.pixel_size_A)
        return montage(images, stack.pixel_size_A, COLUMNS, low_pass_A)

    def answer(self, number: int, page: int, align: bool, low_pass_A: float) -> Answer:
        """Answer a view's question for a page."""
        count = len(self.of(number))
        if not count:
            return {"found": False}, []
        picture = self.page(number, page, align, low_pass_A)
        pages = -(-count // PER_PAGE)
        facts = {"found": True, "count": count, "page": page, "pages": pages, "columns": COLUMNS, "mime": WEBP}
        return facts, [encode(picture, WEBP, 70)]
