"""PickInspector: keep the picks whose scores lie inside a frame of NCC and power, seen on the micrograph at once."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.star import need_columns
from spa_widgets.steps.inspect_picks.job import scored_picks
from spa_widgets.steps.inspect_picks.scores import BOUNDS, TRUTH_REACH, PickScores
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import img_tag
from spa_widgets.viewers.micrograph_widget import MicrographWidget
from spa_widgets.viewers.micrographs import Micrographs
from spa_widgets.viewers.overlay import GREEN, ORANGE, draw_circles
from spa_widgets.viewers.positions import Positions

_FEWEST_REJECTED = 25
_SETTINGS = (*BOUNDS, "calibrate_to_defocus")


class PickInspector(MicrographWidget):
    """Choose thresholds on the scores of picks.

    Parameters
    ----------
    session : Session or None
        Where :meth:`submit` sends the thresholds.
    picks : job or path
        A picking job, its folder or its ``picks.star``; all candidates are shown where the picker kept them.
    micrographs : job or path, optional
        Shows the defocus in the list; the picture files are found from the picks alone.
    truth : job, path or mapping, optional
        Where the particles really are (``simulated.truth_picks``): precision and recall are shown.
    pixel_size_A : float, optional
        Å per pixel where the files do not say it.
    **options
        ``min_ncc``, ``max_ncc``, ``min_power``, ``max_power`` (None is no limit), ``calibrate_to_defocus`` (False),
        ``low_pass_A`` (20), ``sigma`` (3), ``denoise`` (False), ``diameter_A`` (160), ``show_rejected``,
        ``current``, ``language``.
    """

    _esm = bundle("inspect_picks")
    show_rejected = traitlets.Bool(True).tag(sync=True)
    min_ncc = traitlets.Float(None, allow_none=True).tag(sync=True)
    max_ncc = traitlets.Float(None, allow_none=True).tag(sync=True)
    min_power = traitlets.Float(None, allow_none=True).tag(sync=True)
    max_power = traitlets.Float(None, allow_none=True).tag(sync=True)
    calibrate_to_defocus = traitlets.Bool(False).tag(sync=True)
    has_defocus = traitlets.Bool(False).tag(sync=True)

    def __init__(
        self,
        session: Any,
        picks: Any,
        *,
        micrographs: Any = None,
        truth: Any = None,
        pixel_size_A: float | None = None,
        **options: Any,
    ) -> None:
        super().__init__(session, **options)
        self._given = any(name in options for name in _SETTINGS)
        self._source, self._truth = picks, truth
        self._micrographs, self._pixel_size_A = micrographs, pixel_size_A
        self._when_ready([item for item in (picks, micrographs, truth) if item is not None], self._load)

    def _load(self) -> None:
        star = sources.file_of(self._source, ["picks"], ["picks.star"])
        tables = scored_picks(star)
        table = tables["particles"]
        need_columns(table, ("rlnMicrographName", "rlnCoordinateX", "rlnCoordinateY"), star)
        if not len(table):
            raise UserError(f"{star} holds no pick; pick with a lower threshold first")
        self._mics = self._find_micrographs(table, tables.get("optics"), star)
        number = {name: self._mics.index(str(name)) for name in table["rlnMicrographName"].unique()}
        self._scores = PickScores(table, table["rlnMicrographName"].map(number).to_numpy(np.int32))
        self.has_defocus = self._scores.has_defocus
        self._begin()
        if self._truth is not None:
            self._compare()
        self._show_list([])
        self._count()
        self.observe(self._count, names=list(_SETTINGS))

    def _begin(self) -> None:
        """Start with the thresholds given, else those kept at an earlier time, else those that the picking job used."""
        if self._given:
            return
        job = sources.job_of(self._source)
        kept = sources.recall(self._session, sources.decision_key("inspect_picks", self._source))
        used = kept if kept is not None else ({} if job is None else job.figures)
        self.set(**{name: used.get(name) for name in BOUNDS})
        self.calibrate_to_defocus = bool(used.get("calibrate_to_defocus", False)) and self.has_defocus

    def _compare(self) -> None:
        """Match the candidates with the truth."""
        truth = Positions.of(self._truth, self._mics)
        reach_A = TRUTH_REACH * self.diameter_A
        self._scores.compare_with({i: (truth.on(i), reach_A / self._mics.size_A(i)) for i in range(self._mics.count)})

    def _find_micrographs(self, table: pd.DataFrame, optics: pd.DataFrame | None, star: Path) -> Micrographs:
        if self._micrographs is not None:
            return Micrographs.open(self._micrographs, self._pixel_size_A)
        columns = [name for name in ("rlnMicrographName", "rlnOpticsGroup") if name in table]
        names = table[columns].drop_duplicates("rlnMicrographName", ignore_index=True)
        names["rlnMicrographName"] = [str(resolve_image_path(str(name), star)) for name in names["rlnMicrographName"]]
        return Micrographs.from_table(names, optics, star, self._pixel_size_A)

    # ---- decisions -----------------------------------------------------------------------------------------------
    def set(self, **thresholds: float | None) -> None:
        """Set ``min_ncc``, ``max_ncc``, ``min_power`` or ``max_power`` as a dragged line does; None takes one away."""
        self._need()
        for name, value in thresholds.items():
            if name not in BOUNDS:
                raise UserError(f"there is no threshold {name!r}; there are {', '.join(BOUNDS)}")
            setattr(self, name, None if value is None else float(value))

    @property
    def thresholds(self) -> dict[str, float]:
        """The thresholds that are set."""
        return {name: getattr(self, name) for name in BOUNDS if getattr(self, name) is not None}

    @property
    def kept(self) -> NDArray[np.bool_]:
        """Which picks are kept, shape (count,), in the order of the picks file."""
        self._need()
        return self._scores.kept(self.thresholds, self.calibrate_to_defocus)

    @property
    def kept_count(self) -> int:
        """Number of picks kept."""
        return int(self.kept.sum())

    @property
    def against_truth(self) -> dict[str, float]:
        """Precision and recall of the kept picks, where the truth was given."""
        return self._scores.against_truth(self.kept)

    def submit(self) -> Any:
        """Make the thresholds a job of the session and give it."""
        self._need()
        session = self._need_session("read .kept and .thresholds, or use spa inspect-picks")
        if self.kept_count == 0:
            raise UserError("no pick is inside these thresholds; widen them")
        return session.inspect_picks(self._source, automatic_thresholds=False, **self._decision())

    def _decision(self) -> dict[str, Any]:
        calibrate = self.calibrate_to_defocus and self._scores.has_defocus
        return {**self.thresholds, **({"calibrate_to_defocus": True} if calibrate else {})}

    def code(self) -> str:
        """Give the thresholds as Python that reproduces them."""
        self._need()
        parts = "".join(
            f", {name}={value if value is True else f'{value:.4g}'}" for name, value in self._decision().items()
        )
        return f"good = session.inspect_picks(picks{parts}, automatic_thresholds=False)"

    def static_html(self) -> str:
        """Give a picture of the present micrograph: kept picks green, the best of the rejected small and orange."""
        self._need()
        here = self._scores.number == self.current
        picture = self._mics.picture(self.current, max(self.low_pass_A, 20.0), denoise=self.denoise, longest_px=900)
        scale = picture.shape[1] / self._mics.shape(self.current)[1]
        radius = self.diameter_A / 2 / self._mics.size_A(self.current) * scale
        kept = np.flatnonzero(here & self.kept)
        drawn = [(kept, radius, GREEN, 2)]
        if self.show_rejected:
            rejected = self._scores.nearest_rejected(here, self.thresholds, self.calibrate_to_defocus)
            drawn.insert(0, (rejected[: max(_FEWEST_REJECTED, len(kept))], 0.55 * radius, ORANGE, 1))
        for some, size, colour, width in drawn:
            centres = list(zip(self._scores.x_px[some] * scale, self._scores.y_px[some] * scale, strict=True))
            picture = draw_circles(picture, centres, size, colour, width)
        text = (
            f"{self._mics.names[self.current]}: {len(kept)} of {int(here.sum())} candidates kept (green); "
            "small circles are the best of the rejected. "
            f"All micrographs: {self.kept_count:,} of {self._scores.count:,}."
        )
        return img_tag(picture, text, 560) + f"<br>{escape(text)}"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_scores(self) -> Answer:
        self._need()
        scores = self._scores
        shown = scores.shown_ncc(self.thresholds, self.calibrate_to_defocus)
        truth = np.zeros(0, np.int32) if scores.truth is None else scores.truth
        floats = [column.astype("<f4").tobytes() for column in (shown, scores.power, scores.x_px, scores.y_px)]
        whole = [column.astype("<i4").tobytes() for column in (scores.number, truth)]
        return {"count": scores.count, "truth_count": scores.truth_count}, [*floats, *whole]

    def _ask_submit(self) -> dict[str, Any]:
        return {"job": self.submit().name}

    def _count(self, change: Mapping[str, Any] | None = None) -> None:
        counts = np.bincount(self._scores.number[self.kept], minlength=self._mics.count)
        self.counts = [int(count) for count in counts]
        if change is None:
            return
        if self.calibrate_to_defocus or change["name"] == "calibrate_to_defocus":
            self._tell("scores")  # the trend is that of the picks inside the thresholds
        if self._session is not None:
            self._session.decide(sources.decision_key("inspect_picks", self._source), self._decision())
