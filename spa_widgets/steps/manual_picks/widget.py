"""ManualPicker: click on particles in micrographs; every click is kept, undoable, and is a line of code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets

from spa_widgets.errors import UserError
from spa_widgets.io.star import write_star
from spa_widgets.steps.manual_picks.keeping import PickKeeper, Picks
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import img_tag
from spa_widgets.viewers.micrograph_widget import MicrographWidget
from spa_widgets.viewers.micrographs import Micrographs
from spa_widgets.viewers.overlay import draw_circles
from spa_widgets.viewers.picklist import PickList
from spa_widgets.viewers.positions import Positions


class ManualPicker(MicrographWidget):
    """Pick particles by hand on micrographs.

    Parameters
    ----------
    session : Session or None
        Where :meth:`submit` sends the picks and where every click is kept; None works on files alone.
    micrographs : job, path, or list of paths
        A job with micrographs (its CTF estimate shows the defocus), ``micrographs.star``, a folder, or ``*.mrc``.
    picks : mapping, optional
        Micrograph name to list of (x, y) in pixels: exactly these, whatever was picked before.
    start : mapping, optional
        The same as a proposal: it is shown on micrographs on which nobody has picked or removed yet.
    suggestions : job, path or mapping, optional
        Picks of a program (blobs, templates): shown dashed, and taken over by a click or all together.
    autosave : path, optional
        JSON file in which every click is kept, read again at the next start; used when there is no session.
    pixel_size_A : float, optional
        Å per pixel where the files do not say it.
    **options
        ``low_pass_A`` (20), ``high_pass_A`` (0), ``sigma`` (contrast, 3), ``diameter_A`` (of the circle, 160),
        ``denoise`` (False), ``goal`` (100), ``current``, ``read_only``, ``language``.
    """

    _esm = bundle("manual_picks")
    goal = traitlets.Int(100, min=1).tag(sync=True)
    read_only = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        session: Any,
        micrographs: Any,
        *,
        picks: Mapping[str, Sequence[Sequence[float]]] | None = None,
        start: Mapping[str, Sequence[Sequence[float]]] | None = None,
        suggestions: Any = None,
        autosave: str | Path | None = None,
        pixel_size_A: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(session, **options)
        self._source, self._suggesting = micrographs, suggestions
        self._keeper = PickKeeper(session, micrographs, autosave)
        self._given, self._start, self._pixel_size_A = picks, start or {}, pixel_size_A
        self._loading = True
        self._when_ready([micrographs] + ([] if suggestions is None else [suggestions]), self._load)

    def _load(self) -> None:
        self._mics = Micrographs.open(self._source, self._pixel_size_A)
        self._list = PickList(self._mics.count, self._changed)
        layers = [self._given] if self._given is not None else [self._start, self._keeper.kept(self._mics.names)]
        self._list.load({self._mics.index(name): points for each in layers for name, points in each.items()})
        self._suggestions = Positions.of(self._suggesting, self._mics)
        self._loading = False
        self._show_list(self._list.counts())

    # ---- decisions -----------------------------------------------------------------------------------------------
    @property
    def picks(self) -> Picks:
        """Micrograph name to list of (x, y) in pixels; micrographs without picks are left out."""
        self._need()
        return {name: list(self._list.points(i)) for i, name in enumerate(self._mics.names) if self._list.points(i)}

    @property
    def count(self) -> int:
        """Number of picks on all micrographs."""
        self._need()
        return sum(self._list.counts())

    def add(self, name: str | int, x: float, y: float) -> None:
        """Add a pick at pixel (x, y) of a micrograph given by name or number: what a left click does."""
        index = self._index(name)
        height, width = self._mics.shape(index)
        if not (0 <= x < width and 0 <= y < height):
            raise UserError(
                f"the point ({x:g}, {y:g}) lies outside the micrograph of {width} x {height} px; give pixels"
            )
        with self._lock:
            self._list.add(index, x, y)

    def remove(self, name: str | int, x: float, y: float) -> None:
        """Remove the pick nearest to (x, y): what a right click does."""
        index = self._index(name)
        with self._lock:
            pick = self._list.nearest(index, x, y)
            if pick < 0:
                raise UserError(f"{self._mics.names[index]} has no pick to remove")
            self._list.remove(index, pick)

    def move(self, name: str | int, pick: int, x: float, y: float) -> None:
        """Move the pick of that number to (x, y): what a drag does."""
        index = self._index(name)
        with self._lock:
            if not 0 <= pick < len(self._list.points(index)):
                raise UserError(
                    f"{self._mics.names[index]} has no pick number {pick}; it has {len(self._list.points(index))}"
                )
            self._list.move(index, pick, x, y)

    def clear(self, name: str | int) -> None:
        """Remove all picks of a micrograph."""
        with self._lock:
            self._list.replace(self._index(name), [])

    def load(self, picks: Mapping[str, Sequence[Sequence[float]]]) -> None:
        """Set the picks of the micrographs named, as :meth:`code` writes them."""
        self._need()
        with self._lock:
            self._list.load({self._mics.index(name): points for name, points in picks.items()})

    def suggested(self, name: str | int) -> list[tuple[float, float]]:
        """Give the suggestions of a micrograph that no pick has taken up, (x, y) in pixels."""
        index = self._index(name)
        reach_px = self.diameter_A / 4 / self._mics.size_A(index)
        points = self._suggestions.left(index, self._list.points(index), reach_px)
        return [(float(x), float(y)) for x, y in points]

    def accept(self, name: str | int) -> None:
        """Make all suggestions of a micrograph picks; one undo takes them back."""
        index = self._index(name)
        with self._lock:
            added = self.suggested(index)
            if added:
                self._list.replace(index, [*self._list.points(index), *added])

    def dismiss(self, name: str | int, x: float, y: float) -> None:
        """Take away the suggestion nearest to (x, y): what a right click on it does."""
        index = self._index(name)
        with self._lock:
            self._suggestions.dismiss(index, x, y)
        self._tell("picks", index=index)

    def undo(self) -> None:
        """Take back the last change and go to its micrograph."""
        self._need()
        with self._lock:
            self._go(self._list.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._need()
        with self._lock:
            self._go(self._list.redo())

    def submit(self) -> Any:
        """Make the picks a job of the session and give it."""
        session = self._need_session("write the picks with save('picks.star')")
        if not self.picks:
            raise UserError("nothing is picked yet; click on some particles first")
        return session.manual_picks(self._source, picks=self.picks)

    def save(self, path: str | Path) -> Path:
        """Write the picks as a STAR file and give its path."""
        rows = [
            (str(self._mics.paths[self._mics.index(name)]), x, y)
            for name, points in self.picks.items()
            for x, y in points
        ]
        columns = ["rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"]
        write_star(path, {"particles": pd.DataFrame(rows, columns=columns)})
        return Path(path)

    def code(self) -> str:
        """Give the picks as Python that reproduces them."""
        lines = ["picks = {"]
        lines += [
            f"    {name!r}: [{', '.join(f'({x:g}, {y:g})' for x, y in points)}]," for name, points in self.picks.items()
        ]
        return "\n".join([*lines, "}", "manual = session.manual_picks(ctf, picks=picks)"])

    def static_html(self) -> str:
        """Give a picture of the present micrograph with its picks."""
        self._need()
        picture = self._mics.picture(self.current, max(self.low_pass_A, 20.0), denoise=self.denoise, longest_px=900)
        _, width = self._mics.shape(self.current)
        scale = picture.shape[1] / width
        circles = [(x * scale, y * scale) for x, y in self._list.points(self.current)]
        radius = self.diameter_A / 2 / self._mics.size_A(self.current) * scale
        text = f"{self._mics.names[self.current]}: {len(circles)} picks; {self.count} on {len(self.picks)} micrographs"
        return img_tag(draw_circles(picture, circles, radius), text, 560) + f"<br>{escape(text)}"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_picks(self, index: int) -> Answer:
        self._need()
        lists = (self._list.points(index), self.suggested(index))
        return {"index": index}, [np.asarray(points, "<f4").tobytes() for points in lists]

    def _ask_edit(self, action: str, **args: Any) -> dict[str, Any]:
        if action not in ("add", "remove", "move", "clear", "undo", "redo", "accept", "dismiss"):
            raise UserError(f"there is no action {action!r}")
        if self.read_only:
            raise UserError("this picker only shows picks; make one without read_only to change them")
        getattr(self, action)(**args)
        return {}

    def _ask_submit(self) -> dict[str, Any]:
        job = self.submit()
        return {"job": job.name, "count": self.count}

    # ---- bookkeeping ---------------------------------------------------------------------------------------------
    def _go(self, index: int) -> None:
        if index >= 0:
            self.current = index

    def _changed(self, index: int) -> None:
        if self._list.counts() != self.counts:
            self.counts = self._list.counts()
        self._tell("picks", index=index)
        if not self._loading:  # what a person did is kept, not what the widget began with
            self._keeper.keep(self._mics.names[index], self.picks)
