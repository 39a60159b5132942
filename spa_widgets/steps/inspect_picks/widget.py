"""PickInspector: keep the picks whose scores lie inside a frame of NCC and power, seen on the micrograph at once."""

from __future__ import annotations

import math
import struct
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.datasets import resolve_image_path
from spa_widgets.io.star import need_columns
from spa_widgets.steps.inspect_picks.job import scored_picks
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import img_tag
from spa_widgets.viewers.micrographs import Micrographs
from spa_widgets.viewers.overlay import GREEN, ORANGE, draw_circles

_FEWEST_REJECTED = 25
THRESHOLDS = ("min_ncc", "min_power", "max_power")


class PickInspector(SpaWidget):
    """Choose thresholds on the scores of picks.

    Parameters
    ----------
    session : Session or None
        Where :meth:`submit` sends the thresholds.
    picks : job or path
        A picking job, its folder or its ``picks.star``; all candidates are shown where the picker kept them.
    micrographs : job or path, optional
        Shows the defocus in the list; the picture files are found from the picks alone.
    pixel_size_A : float, optional
        Å per pixel where the files do not say it.
    **options
        ``min_ncc``, ``min_power``, ``max_power`` (None is no limit), ``low_pass_A`` (20), ``sigma`` (3),
        ``diameter_A`` (160), ``show_rejected``, ``current``, ``language``.
    """

    _esm = bundle("inspect_picks")
    micrographs = traitlets.List(traitlets.Dict()).tag(sync=True)
    counts = traitlets.List(traitlets.Int()).tag(sync=True)
    current = traitlets.Int(0).tag(sync=True)
    low_pass_A = traitlets.Float(20.0, min=0).tag(sync=True)
    high_pass_A = traitlets.Float(0.0, min=0).tag(sync=True)
    sigma = traitlets.Float(3.0, min=0.1, max=20).tag(sync=True)
    diameter_A = traitlets.Float(160.0, min=1).tag(sync=True)
    show_rejected = traitlets.Bool(True).tag(sync=True)
    min_ncc = traitlets.Float(None, allow_none=True).tag(sync=True)
    min_power = traitlets.Float(None, allow_none=True).tag(sync=True)
    max_power = traitlets.Float(None, allow_none=True).tag(sync=True)
    can_submit = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self, session: Any, picks: Any, *, micrographs: Any = None, pixel_size_A: float | None = None, **options: Any
    ) -> None:
        super().__init__(can_submit=session is not None, **options)
        self._given = [name for name in THRESHOLDS if name in options]
        self._session, self._source = session, picks
        self._micrographs, self._pixel_size_A = micrographs, pixel_size_A
        self._when_ready([picks] + ([] if micrographs is None else [micrographs]), self._load)

    def _load(self) -> None:
        star = sources.file_of(self._source, ["picks"], ["picks.star"])
        tables = scored_picks(star)
        table = tables["particles"]
        need_columns(table, ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"), star)
        if not len(table):
            raise UserError(f"{star} holds no pick; pick with a lower threshold first")
        self._mics = self._find_micrographs(table, tables.get("optics"), star)
        number = {name: self._mics.index(str(name)) for name in table["rlnMicrographName"].unique()}
        self._number = table["rlnMicrographName"].map(number).to_numpy(np.int32)
        self._x, self._y = (table[f"rlnCoordinate{axis}"].to_numpy(np.float32) for axis in "XY")
        self._ncc, self._power = _scores(table, "rlnAutopickFigureOfMerit"), _scores(table, "spaPickPower")
        self.micrographs = self._mics.rows()
        self._begin()
        self._count()
        self.observe(self._count, names=list(THRESHOLDS))

    def _begin(self) -> None:
        """Start with the thresholds given, else those kept at an earlier time, else those that the picking job used."""
        job = sources.job_of(self._source)
        kept = sources.recall(self._session, sources.decision_key("inspect_picks", self._source))
        used = kept if kept is not None else ({} if job is None else job.figures)
        if not self._given:
            self.set(**{name: used.get(name) for name in THRESHOLDS})

    def _find_micrographs(self, table: pd.DataFrame, optics: pd.DataFrame | None, star: Path) -> Micrographs:
        if self._micrographs is not None:
            return Micrographs.open(self._micrographs, self._pixel_size_A)
        names = pd.DataFrame({"rlnMicrographName": table["rlnMicrographName"].unique()})
        names["rlnMicrographName"] = [str(resolve_image_path(str(name), star)) for name in names["rlnMicrographName"]]
        return Micrographs.from_table(names, optics, star, self._pixel_size_A)

    # ---- decisions -----------------------------------------------------------------------------------------------
    def set(self, **thresholds: float | None) -> None:
        """Set thresholds: ``min_ncc``, ``min_power``, ``max_power``; None takes one away. What dragging a line does."""
        self._need()
        for name, value in thresholds.items():
            if name not in THRESHOLDS:
                raise UserError(f"there is no threshold {name!r}; there are {', '.join(THRESHOLDS)}")
            setattr(self, name, None if value is None else float(value))

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds that are set."""
        return {name: getattr(self, name) for name in THRESHOLDS if getattr(self, name) is not None}

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which picks are kept, shape (count,), in the order of the picks file."""
        self._need()
        low, high = _limit(self.min_power, -math.inf), _limit(self.max_power, math.inf)
        inside = (self._power >= low) & (self._power <= high) | np.isnan(self._power)
        return inside & ((self._ncc >= _limit(self.min_ncc, -math.inf)) | np.isnan(self._ncc))

    @property
    def kept_count(self) -> int:
        """Number of picks kept."""
        return int(self.kept.sum())

    def submit(self) -> Any:
        """Make the thresholds a job of the session and give it."""
        self._need()
        if self._session is None:
            raise UserError("this inspector has no session; read .kept and .thresholds, or use spa inspect-picks")
        if self.kept_count == 0:
            raise UserError("no pick is inside these thresholds; widen them")
        return self._session.inspect_picks(self._source, automatic_thresholds=False, **self.thresholds)

    def code(self) -> str:
        """Give the thresholds as Python that reproduces them."""
        parts = "".join(f", {name}={value:.4g}" for name, value in self.thresholds.items())
        return f"good = session.inspect_picks(picks{parts}, automatic_thresholds=False)"

    def static_html(self) -> str:
        """Give a picture of the present micrograph: kept picks green, the best of the rejected small and orange."""
        self._need()
        here = self._number == self.current
        picture = self._mics.picture(self.current, max(self.low_pass_A, 20.0), longest_px=900)
        scale = picture.shape[1] / self._mics.shape(self.current)[1]
        radius = self.diameter_A / 2 / self._mics.pixel_size_A * scale
        kept = np.flatnonzero(here & self.kept)
        drawn = [(kept, radius, GREEN, 2)]
        if self.show_rejected:
            drawn.insert(0, (self._best_rejected(here, len(kept)), 0.55 * radius, ORANGE, 1))
        for some, size, colour, width in drawn:
            centres = list(zip(self._x[some] * scale, self._y[some] * scale, strict=True))
            picture = draw_circles(picture, centres, size, colour, width)
        text = (
            f"{self._mics.names[self.current]}: {len(kept)} of {int(here.sum())} candidates kept (green); "
            f"small circles are the best of the rejected. All micrographs: {self.kept_count:,} of {len(self._x):,}."
        )
        return img_tag(picture, text, 560) + f"<br>{escape(text)}"

    def _best_rejected(self, here: NDArray[np.bool_], kept: int) -> NDArray[np.intp]:
        """Give the rejected picks that lie next to the thresholds, as many as are kept and at least 25."""
        far = np.zeros(len(self._x))
        for scores, low, high in (
            (self._ncc, self.min_ncc, None),
            (self._power, self.min_power, self.max_power),
        ):
            size = float(np.nanmax(scores) - np.nanmin(scores)) if np.isfinite(scores).any() else 0.0
            for value, sign in ((low, -1.0), (high, 1.0)):
                if value is not None and size > 0:
                    far = np.fmax(far, sign * (scores - value) / size)
        some = np.flatnonzero(here & ~self.kept)
        return some[np.argsort(far[some], kind="stable")[: max(_FEWEST_REJECTED, kept)]]

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_image(self, index: int) -> Answer:
        self._need()
        return self._mics.answer(index, self.low_pass_A, self.high_pass_A)

    def _ask_scores(self) -> Answer:
        self._need()
        columns = (self._ncc, self._power, self._x, self._y)
        return {"count": len(self._x)}, [
            *(c.astype("<f4").tobytes() for c in columns),
            self._number.astype("<i4").tobytes(),
        ]

    def _ask_submit(self) -> dict[str, Any]:
        return {"job": self.submit().name}

    def _count(self, _change: Any = None) -> None:
        counts = np.bincount(self._number[self.kept], minlength=self._mics.count)
        self.counts = [int(count) for count in counts]
        if self._session is not None and _change is not None:
            self._session.decide(sources.decision_key("inspect_picks", self._source), self.thresholds)


def _limit(value: float | None, missing: float) -> float:
    """Give a limit as the float32 that the scores are compared in."""
    return missing if value is None else float(struct.unpack("<f", struct.pack("<f", value))[0])


def _scores(table: pd.DataFrame, column: str) -> NDArray[np.float32]:
    if column not in table:
        return np.full(len(table), np.nan, np.float32)
    return table[column].to_numpy(np.float32)
