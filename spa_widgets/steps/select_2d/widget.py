"""ClassGallery: class averages as an atlas; click the good ones."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.steps.select_2d.facts import FRC_FILE, can_propose, class_rows, numbers_where, proposed
from spa_widgets.steps.select_2d.live import Iteration, LiveClasses
from spa_widgets.steps.select_2d.members import Members
from spa_widgets.steps.select_2d.pictures import atlas_answer, frc_answer, gallery_html
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import WEBP
from spa_widgets.viewers.history import History, UndoableWidget

_LOOK_S = 0.4


class ClassGallery(UndoableWidget):
    """Look at 2D classes and select some.

    Of a job that runs the averages of each iteration are shown as they come; they can be selected when it has ended.

    Parameters
    ----------
    session : Session or None
        Where every click is kept and where :meth:`submit` sends the selection; None only looks and selects.
    classes : job or path
        A 2D classification: its job, its folder, or its ``class_averages.mrcs`` (the counts are in
        ``classes.csv`` beside it).
    selected : iterable of int, optional
        Class numbers (from 1) selected at the start.
    propose : bool
        Start from the automatic choice of the step (what ``auto=True`` keeps) where nothing was chosen before.
    **options
        ``sort`` ("count", "resolution", "effective_classes", "number"), ``size_px`` (of a class on the screen);
        filters of what is shown: ``min_count``, ``worst_resolution_A``, ``most_effective_classes`` (None is no limit);
        ``detail`` (class whose FRC and particles are shown, 0 for none); ``language``.
    """

    _esm = bundle("select_2d")
    classes = traitlets.List(traitlets.Dict()).tag(sync=True)
    selected = traitlets.List(traitlets.Int()).tag(sync=True)
    sort = traitlets.Enum(["count", "resolution", "effective_classes", "number"], "count").tag(sync=True)
    size_px = traitlets.Int(112, min=40, max=400).tag(sync=True)
    min_count = traitlets.Int(0, min=0).tag(sync=True)
    worst_resolution_A = traitlets.Float(None, allow_none=True).tag(sync=True)
    most_effective_classes = traitlets.Float(None, allow_none=True).tag(sync=True)
    detail = traitlets.Int(0, min=0).tag(sync=True)
    live = traitlets.Unicode("").tag(sync=True)
    stopped = traitlets.Unicode("").tag(sync=True)
    can_submit = traitlets.Bool(False).tag(sync=True)
    can_propose = traitlets.Bool(False).tag(sync=True)
    no_proposal = traitlets.Bool(False).tag(sync=True)

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
        self._propose = propose
        self._iteration: Iteration | None = None
        self._loaded = threading.Event()
        self._when_ready([classes], self._load)
        job = sources.job_of(classes)
        if job is not None and self._loader is not None:
            threading.Thread(target=self._watch, args=(job,), name="follow ClassGallery", daemon=True).start()

    def _load(self) -> None:
        path = sources.file_of(self._source, ["classes", "class_averages"], ["class_averages.mrcs"])
        if path.suffix == ".csv":
            path = path.parent / "class_averages.mrcs"
        images, _ = read_mrc(path)
        self._images: NDArray[np.float32] = images.reshape(-1, *images.shape[-2:])
        self._csv, self._frc_csv = (sources.beside(path, name) for name in ("classes.csv", FRC_FILE))
        self._members = Members(sources.beside(path, "particles.star"))
        rows = class_rows(self._csv, len(self._images))
        with self._lock:
            self._loaded.set()
            self._iteration = None
            self.classes = rows
            self.can_propose = can_propose(self._csv)
            self._begin()
            self.detail = min(self.detail, len(rows))
            self.live = ""
        self._tell("atlas")

    def _begin(self) -> None:
        """Start with the classes given, else those chosen at an earlier time, else what is proposed."""
        self._history = History(self._session, sources.decision_key("select_2d", self._source), [])
        if self._start is not None:
            self._choose(self._start)
        elif self._history.value:
            self._apply(self._history.value)
        elif self._propose:
            self.no_proposal = not self.can_propose  # the view says why nothing is chosen
            if self.can_propose:
                self.selected = proposed(self._csv)
            if not self._history.can_undo:  # the first undo comes back to it
                self._history = History(self._session, sources.decision_key("select_2d", self._source), self.selected)
        self._show_history()

    def _watch(self, job: Any) -> None:
        """Show each iteration of a job that runs, until its result is there."""
        following = LiveClasses(job)
        assert self._loader is not None
        while self._loader.is_alive():
            self._show_live(following.news())
            self._loaded.wait(_LOOK_S)
        self.stopped = "" if self._load_error is None else str(self._load_error)

    def _show_live(self, found: Iteration | None) -> None:
        with self._lock:
            if found is None or self._loaded.is_set():
                return
            self._iteration = found
            self.classes, self.live = found.rows, found.text
            self.waiting = ""
        self._tell("atlas")

    # ---- decisions -----------------------------------------------------------------------------------------------
    @property
    def particles_selected(self) -> int:
        """Number of particles in the selected classes."""
        self._need()
        chosen = set(self.selected)
        return sum(row["count"] or 0 for row in self.classes if row["number"] in chosen)

    def select(self, numbers: Iterable[int]) -> None:
        """Select exactly these classes (numbers from 1)."""
        self._need()
        self._choose(numbers)

    def _choose(self, numbers: Iterable[int]) -> None:
        wanted = self._checked(numbers)
        with self._lock:
            self.selected = wanted
            self._decided(wanted)

    def _apply(self, decision: Any) -> None:
        self.selected = self._checked(decision)

    def _checked(self, numbers: Iterable[int]) -> list[int]:
        wanted = sorted({int(number) for number in numbers})
        wrong = [number for number in wanted if not 1 <= number <= len(self.classes)]
        if wrong:
            raise UserError(f"there is no class {wrong[0]}; there are 1 to {len(self.classes)}")
        return wanted

    def propose(self) -> list[int]:
        """Select what the step chooses with ``auto=True``, and give the numbers: what the button Automatic does."""
        self._need()
        self.select(proposed(self._csv))
        return list(self.selected)

    def toggle(self, number: int) -> None:
        """Select a class, or take it out of the selection: what a click does."""
        self._need()
        self.select(set(self.selected) ^ {int(number)})

    def select_all(self) -> None:
        """Select every class."""
        self._need()
        self.select(row["number"] for row in self.classes)

    def select_none(self) -> None:
        """Select nothing."""
        self.select([])

    def invert_selection(self) -> None:
        """Select what is not selected."""
        self._need()
        self.select({row["number"] for row in self.classes} - set(self.selected))

    def select_where(
        self, min_count: int = 0, max_resolution_A: float = math.inf, max_effective_classes: float = math.inf
    ) -> None:
        """Select the classes with so many particles, such a resolution (Å) or better, so few effective classes."""
        self._need()
        self.select(numbers_where(self.classes, min_count, max_resolution_A, max_effective_classes))

    def submit(self) -> Any:
        """Make the selection a job of the session and give it: its particles, and its averages as templates."""
        self._need()
        if self._session is None:
            raise UserError("this gallery has no session; read its selection from .selected")
        if not self.selected:
            if self.no_proposal:
                proposed(self._csv)  # says what is missing
            raise UserError("no class is selected; click on some good ones first")
        return self._session.select_2d(self._source, classes=list(self.selected))

    def code(self) -> str:
        """Give the selection as Python that reproduces it."""
        return f"selected = session.select_2d(classes, classes={list(self.selected)})"

    # ---- one class -----------------------------------------------------------------------------------------------
    def members(self, number: int) -> pd.DataFrame:
        """Give the particles of a class, the surest first."""
        self._need()
        return self._members.table(self._checked([number])[0])

    def static_html(self) -> str:
        """Give the atlas as a picture with counts; selected classes have a frame."""
        if self.live:
            return ""
        self._need()
        return gallery_html(self._images, self.classes, self.selected)

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_atlas(self) -> Answer:
        shown = self._iteration
        if shown is not None:
            return {"columns": shown.columns, "numbers": shown.numbers, "mime": WEBP}, [shown.picture]
        self._need()
        return atlas_answer(self._images)

    def _ask_select(self, numbers: list[int]) -> dict[str, Any]:
        self._ended().select(numbers)
        return {}

    def _ask_propose(self) -> dict[str, Any]:
        self._ended().propose()
        return {}

    def _ask_submit(self) -> dict[str, Any]:
        job = self._ended().submit()
        return {"job": job.name, "classes": len(self.selected), "particles": self.particles_selected}

    def _ask_frc(self, number: int) -> Answer:
        return frc_answer(self._ended()._frc_csv, number)

    def _ask_members(self, number: int, page: int, align: bool, low_pass_A: float) -> Answer:
        return self._ended()._members.answer(number, page, align, low_pass_A)

    def _ended(self) -> ClassGallery:
        """Refuse what needs the result while the job runs: a view must never wait for it."""
        if self.live or self.waiting:
            raise UserError("the classification still runs; classes can be chosen when it has ended")
        return self
