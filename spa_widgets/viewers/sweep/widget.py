"""SweepView: the results of a grid of parameter values side by side."""

from __future__ import annotations

import logging
from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.session.fields import param_fields
from spa_widgets.session.figures import direction_of, figure_text, readable_name
from spa_widgets.session.sweep import Sweep, best_place, shown_value
from spa_widgets.viewers.base import Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import WEBP
from spa_widgets.viewers.follow import follow
from spa_widgets.viewers.jobs.pictures import last_picture, result_picture
from spa_widgets.viewers.jobs.rows import figure_rows, has_ended, job_row
from spa_widgets.viewers.labels import in_japanese

_log = logging.getLogger(__name__)


class SweepView(SpaWidget):
    """A sweep, live: small multiples with pictures and a figure of merit, the best marked; a table; a plot.

    Parameters
    ----------
    sweep : Sweep
        What ``session.sweep(…)`` gave.
    **options
        ``figure`` (name of the figure to compare by), ``largest`` (whether more is better; None: as is known of the
        figure), ``show`` ("grid", "table" or "plot"), ``selected`` (name of the job whose details are open),
        ``language``.
    """

    _esm = bundle("sweep")
    title = traitlets.Unicode("").tag(sync=True)
    title_ja = traitlets.Unicode("").tag(sync=True)
    axes = traitlets.List(traitlets.Dict()).tag(sync=True)
    points = traitlets.List(traitlets.Dict()).tag(sync=True)
    jobs = traitlets.Dict().tag(sync=True)
    figures = traitlets.List(traitlets.Dict()).tag(sync=True)
    figure = traitlets.Unicode("").tag(sync=True)
    largest = traitlets.Bool(None, allow_none=True).tag(sync=True)
    best = traitlets.Unicode("").tag(sync=True)
    show = traitlets.Enum(["grid", "table", "plot"], "grid").tag(sync=True)
    selected = traitlets.Unicode("").tag(sync=True)

    def __init__(self, sweep: Sweep, **options: Any) -> None:
        super().__init__(**options)
        self._sweep = sweep
        self._chosen = bool(self.figure)  # by a person: else the most telling figure is taken as results come
        self._jobs = {job.name: job for job in sweep.jobs}
        self._pictures: dict[str, bytes] = {}
        self._drawn: dict[str, tuple[float, bool]] = {}
        self.title, self.title_ja = sweep.step.title, in_japanese(sweep.step.title)
        fields = {field.name: field for field in param_fields(sweep.step.params)}
        self.axes = [_axis(name, values, fields.get(name)) for name, values in sweep.axes.items()]
        self.points = [
            {"job": job.name, "values": [_text(value) for value in point.values()]}
            for job, point in zip(sweep.jobs, sweep.points, strict=True)
        ]
        self.refresh()
        self.observe(lambda _change: self._judge(), names=["figure", "largest"])
        self._stop = follow(self)

    @property
    def sweep(self) -> Sweep:
        """The sweep that is shown."""
        return self._sweep

    # ---- following -----------------------------------------------------------------------------------------------
    def refresh(self) -> bool:
        """Look at the jobs now, as a thread does by itself; tells whether any is still going on."""
        before = {} if not self.jobs else self.jobs
        rows = {name: before[name] if _is_settled(before.get(name)) else self._row(name) for name in self._jobs}
        with self._lock:
            if rows != self.jobs:
                self.jobs = rows
                self._list_figures()
                self._judge()
        return any(not _is_settled(row) for row in rows.values())

    def _row(self, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        row = job_row(job)
        ended = has_ended(row)
        row["picture"] = self._draw(name, ended)
        known = job.figures if row["status"] in ("finished", "running") else {}
        row["figures"] = {
            key: value for key, value in known.items() if isinstance(value, int | float) and not isinstance(value, bool)
        }
        row["texts"] = {key: figure_text(value) for key, value in row["figures"].items()}
        row["settled"] = ended
        return row

    def _draw(self, name: str, ended: bool) -> float:
        """Keep the newest picture of a job; gives a number that changes with it (0 without)."""
        job = self._jobs[name]
        times = [event["time"] for event in job.events(kind="picture")]
        state = (max(times, default=0.0), ended)
        if self._drawn.get(name) != state:
            try:
                made = result_picture(job) if ended and job.status == "finished" else last_picture(job)
            except Exception:  # a sweep is of use without this picture
                _log.debug("drawing %s", name, exc_info=True)
                made = None
            if made is not None:
                self._pictures[name] = made
            self._drawn[name] = state
        return state[0] + ended if name in self._pictures else 0.0

    def _list_figures(self) -> None:
        names = dict.fromkeys(name for row in self.jobs.values() for name in row["figures"])
        self.figures = [
            {"name": name, "words": words, "words_ja": in_japanese(words), "unit": unit, "sign": direction_of(name)}
            for name, (words, unit) in ((name, readable_name(name)) for name in names)
        ]
        if not self._chosen or self.figure not in names:
            self.figure = self._sweep.merit() or next(iter(names), "")

    def _judge(self) -> None:
        """Find the best job by the figure."""
        sign = direction_of(self.figure) if self.largest is None else (1 if self.largest else -1)
        names = list(self.jobs)
        known = [self.jobs[name]["figures"].get(self.figure) for name in names]
        is_telling = len({value for value in known if value is not None}) > 1 or len(names) == 1
        place = best_place(known, sign) if sign and is_telling else None
        self.best = "" if place is None else names[place]

    # ---- what a person does --------------------------------------------------------------------------------------
    def compare_by(self, figure: str, largest: bool | None = None) -> None:
        """Compare by another figure; `largest` says which way is better where that is not known."""
        known = [each["name"] for each in self.figures]
        if figure not in known:
            raise UserError(f"there is no figure {figure!r} here; there are {', '.join(known) or 'none yet'}")
        with self._lock:
            self._chosen = True
            self.figure, self.largest = figure, largest

    def select(self, name: str) -> None:
        """Open the details of a job: what a click on its picture does."""
        if name and name not in self._jobs:
            raise UserError(f"there is no job {name!r} in this sweep")
        self.selected = name

    def cancel(self) -> None:
        """Ask every job that has not ended to stop."""
        self._sweep.cancel()

    def close(self) -> None:
        """Stop following and remove the widget."""
        self._stop.set()
        super().close()

    def code(self) -> str:
        """Give the sweep as Python, and its best job."""
        if not self.best:
            return f"sweep = {self._sweep.code()}"
        sign = direction_of(self.figure)
        way = "" if self.largest is None or (sign and self.largest == (sign > 0)) else f", largest={self.largest}"
        return f"sweep = {self._sweep.code()}\nbest = sweep.best({self.figure!r}{way})"

    def static_html(self) -> str:
        """Give the sweep as a table."""
        return self._sweep.static_html(self.figure or None)

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_picture(self, name: str) -> Answer:
        if name not in self._pictures:
            raise UserError(f"{name} has no picture")
        return {"mime": WEBP}, [self._pictures[name]]

    def _ask_select(self, name: str) -> dict[str, Any]:
        self.select("" if name == self.selected else name)
        return {}

    def _ask_compare(self, figure: str, largest: bool | None) -> dict[str, Any]:
        self.compare_by(figure, largest)
        return {}

    def _ask_cancel(self) -> dict[str, Any]:
        self.cancel()
        return {}

    def _ask_details(self, name: str) -> dict[str, Any]:
        job = self._jobs[name]
        return {"code": job.code(), "figures": figure_rows(job.figures)}


def _is_settled(row: dict[str, Any] | None) -> bool:
    return row is not None and bool(row["settled"])


def _axis(name: str, values: list[Any], field: Any) -> dict[str, Any]:
    label = field.label if field is not None else readable_name(name)[0]
    numbers = [value if isinstance(value, int | float) and not isinstance(value, bool) else None for value in values]
    return {
        "name": name, "label": label, "label_ja": in_japanese(label), "unit": field.unit if field is not None else "",
        "values": [_text(value) for value in values], "numbers": [] if None in numbers else numbers,
    }  # fmt: skip


def _text(value: Any) -> str:
    plain = shown_value(value)
    return "–" if plain is None else f"{plain:g}" if isinstance(plain, float) else str(plain)
