"""ClassGallery: class averages as an atlas; click the good ones."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from engine.classification.select import select_classes
from engine.display import atlas
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import PNG, WEBP, encode, img_tag

_COUNT = ("count", "particles", "particle_count", "n_particles")
_RESOLUTION = ("resolution_A", "resolution")
_EFFECTIVE = ("effective_classes", "effective_classes_assigned", "eca", "ECA")
_JUDGED = ("count", "detail_gain", "streak", "width_A")  # what the automatic choice looks at
_NUMBER = ("class_number", "class", "number", "rlnClassNumber")


class ClassGallery(SpaWidget):
    """Look at 2D classes and select some.

    Parameters
    ----------
    session : Session or None
        Where :meth:`submit` sends the selection; None only looks and selects.
    classes : job or path
        A 2D classification: its job, its folder, or its ``class_averages.mrcs`` (the counts are in
        ``classes.csv`` beside it).
    selected : iterable of int, optional
        Class numbers (from 1) selected at the start.
    propose : bool
        Start from the automatic choice of the step (what ``auto=True`` keeps) where nothing was chosen before.
    **options
        ``sort`` ("count", "resolution", "effective_classes", "number"), ``size_px`` (of a class on the screen),
        ``language``.
    """

    _esm = bundle("select_2d")
    classes = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    sort = traitlets.Enum(["count", "resolution", "effective_classes", "number"], "count").tag(sync=True)
    size_px = traitlets.Int(112, min=40, max=400).tag(sync=True)
    can_submit = traitlets.Bool(False).tag(sync=True)
    can_propose = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        session: Any,
        classes: Any,
        *,
        selected: Iterable[int] | None = None,
        propose: bool = False,
        **options: Any,
    ) -> None:
        super().__init__(can_submit=session is not None, **options)
        self._session, self._source, self._start = session, classes, selected
        self._propose, self._no_proposal = propose, ""
        self._when_ready([classes], self._load)

    def _load(self) -> None:
        path = sources.file_of(self._source, ["classes", "class_averages"], ["class_averages.mrcs"])
        if path.suffix == ".csv":
            path = path.parent / "class_averages.mrcs"
        images, pixel_size_A = read_mrc(path)
        self._images: NDArray[np.float32] = images.reshape(-1, *images.shape[-2:])
        self._pixel_size_A = pixel_size_A
        self._csv = sources.beside(path, "classes.csv")
        self.classes = _facts(self._csv, len(self._images))
        self.can_propose = self._csv is not None and set(_JUDGED) <= set(pd.read_csv(self._csv, nrows=0))
        kept = sources.recall(self._session, sources.decision_key("select_2d", self._source))
        if self._start is not None:
            self.select(self._start)
        elif kept:
            self.selected = self._checked(kept)
        elif self._propose:
            self._begin_with_proposal()

    def _begin_with_proposal(self) -> None:
        """Start from the automatic choice; why there is none is said when an empty selection is submitted."""
        try:
            self.selected = self._automatic()
        except UserError as problem:
            self._no_proposal = str(problem)

    # ---- decisions -----------------------------------------------------------------------------------------------
    @property
    def particles_selected(self) -> int:
        """Number of particles in the selected classes."""
        self._need()
        chosen = set(self.selected)
        return sum(row["count"] or 0 for row in self.classes if row["number"] in chosen)

    def select(self, numbers: Iterable[int]) -> None:
        """Select exactly these classes (numbers from 1)."""
        self._need_numbers()
        wanted = self._checked(numbers)
        with self._lock:
            self.selected = wanted
            if self._session is not None:
                self._session.decide(sources.decision_key("select_2d", self._source), wanted)

    def _checked(self, numbers: Iterable[int]) -> list[int]:
        wanted = sorted({int(number) for number in numbers})
        wrong = [number for number in wanted if not 1 <= number <= len(self.classes)]
        if wrong:
            raise UserError(f"there is no class {wrong[0]}; there are 1 to {len(self.classes)}")
        return wanted

    def propose(self) -> list[int]:
        """Select what the step chooses with ``auto=True``, and give the numbers: what the button Automatic does."""
        self._need()
        self.select(self._automatic())
        return list(self.selected)

    def _automatic(self) -> list[int]:
        if self._csv is None:
            raise UserError("there is no classes.csv beside these averages, so nothing can be proposed: choose by hand")
        table = pd.read_csv(self._csv)
        numbers = _column(table, _NUMBER)
        try:
            chosen = select_classes({str(name): table[name].to_numpy() for name in table})
        except ValueError as problem:
            raise UserError(str(problem)) from problem
        return sorted(int(index) + 1 if numbers is None else int(numbers.iloc[index]) for index in chosen)

    def toggle(self, number: int) -> None:
        """Select a class, or take it out of the selection: what a click does."""
        self.select(set(self.selected) ^ {int(number)})

    def select_all(self) -> None:
        """Select every class."""
        self._need_numbers()
        self.select(row["number"] for row in self.classes)

    def select_none(self) -> None:
        """Select nothing."""
        self.select([])

    def invert_selection(self) -> None:
        """Select what is not selected."""
        self._need_numbers()
        self.select({row["number"] for row in self.classes} - set(self.selected))

    def select_where(
        self, min_count: int = 0, max_resolution_A: float = math.inf, max_effective_classes: float = math.inf
    ) -> None:
        """Select the classes with so many particles, such a resolution (Å) or better, so few effective classes."""
        self._need_numbers()
        limits = (("resolution_A", max_resolution_A), ("effective_classes", max_effective_classes))
        self.select(
            row["number"]
            for row in self.classes
            if (row["count"] or 0) >= min_count
            and all(limit == math.inf or (row[name] is not None and row[name] <= limit) for name, limit in limits)
        )

    def submit(self) -> Any:
        """Make the selection a job of the session and give it."""
        self._need()
        if self._session is None:
            raise UserError("this gallery has no session; read its selection from .selected")
        if not self.selected:
            raise UserError(self._no_proposal or "no class is selected; click on some good ones first")
        return self._session.select_2d(self._source, classes=list(self.selected))

    def code(self) -> str:
        """Give the selection as Python that reproduces it."""
        return f"selected = session.select_2d(classes, classes={list(self.selected)})"

    def static_html(self) -> str:
        """Give the atlas as a picture with counts; selected classes have a frame."""
        self._need()
        order = sorted(self.classes, key=lambda row: -(row["count"] or 0))
        chosen = set(self.selected)
        cells = []
        for row in order:
            picture = atlas(self._images[row["number"] - 1][None], 1)
            border = "3px solid #0b6fb8" if row["number"] in chosen else "3px solid transparent"
            image = img_tag(np.asarray(picture), f"class {row['number']}", 90, WEBP, 75)
            cells.append(
                f'<div style="display:inline-block;border:{border};margin:2px;text-align:center;font:11px sans-serif">'
                f"{image}<br>{row['number']}: {'–' if row['count'] is None else row['count']} · {_angstrom(row)}</div>"
            )
        total = sum(row["count"] or 0 for row in self.classes)
        text = f"{len(chosen)} of {len(order)} classes, {self.particles_selected} of {total} particles"
        return f"<div>{''.join(cells)}<br>{escape(text)}</div>"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_atlas(self) -> Answer:
        self._need()
        columns = max(1, math.ceil(math.sqrt(len(self._images))))
        picture = np.asarray(atlas(self._images, columns))
        mime = WEBP if max(picture.shape) < 16_000 else PNG  # WebP ends at 16,383 pixels
        facts = {"columns": columns, "rows": picture.shape[0] // self._images.shape[1], "mime": mime}
        return facts, [encode(picture, mime, 80)]

    def _ask_select(self, numbers: list[int]) -> dict[str, Any]:
        self.select(numbers)
        return {}

    def _ask_propose(self) -> dict[str, Any]:
        self.propose()
        return {}

    def _ask_submit(self) -> dict[str, Any]:
        return {"job": self.submit().name}

    def _need_numbers(self) -> None:
        if not self.classes:
            self._need()


def _angstrom(row: dict[str, Any]) -> str:
    return "–" if row["resolution_A"] is None else f"{row['resolution_A']:.1f} Å"


def _facts(csv: Path | None, count: int) -> list[dict[str, Any]]:
    """Read classes.csv into rows for the screen; unknown values are None."""
    table = pd.read_csv(csv) if csv is not None else pd.DataFrame(index=range(count))
    if len(table) != count:
        raise UserError(
            f"{csv} tells of {len(table)} classes but there are {count} averages; give the folder of one job"
        )
    numbers = _column(table, _NUMBER)
    if numbers is not None:
        table = table.iloc[np.argsort(numbers.to_numpy(), kind="stable")]
    columns = {
        "count": _column(table, _COUNT),
        "resolution_A": _column(table, _RESOLUTION),
        "effective_classes": _column(table, _EFFECTIVE),
    }
    rows = []
    for index in range(count):
        row: dict[str, Any] = {"number": index + 1}
        for name, column in columns.items():
            value = math.nan if column is None else float(column.iloc[index])
            row[name] = None if not math.isfinite(value) else (round(value) if name == "count" else round(value, 2))
        rows.append(row)
    return rows


def _column(table: pd.DataFrame, names: Iterable[str]) -> pd.Series | None:
    return next((table[name] for name in names if name in table), None)
