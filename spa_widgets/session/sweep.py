"""A grid of parameter values: one job for each point, computed once, compared by figures of merit."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.code import ref_code
from spa_widgets.session.display import badge, duration
from spa_widgets.session.figures import best_first, direction_of, figure_text, readable_name
from spa_widgets.session.grid import grid_points
from spa_widgets.session.outputs import OutputRef
from spa_widgets.session.queue import CANCELLED, ENDED, FAILED
from spa_widgets.session.registry import Step

if TYPE_CHECKING:
    import pandas as pd

    from spa_widgets.session.job import Job

_VIEW = ("spa_widgets.viewers.sweep.widget", "SweepView")


class Sweep:
    """Jobs of one step over a grid of values; `StepMethods.sweep` makes it.

    Parameters
    ----------
    step
        The step.
    axes
        Values by the name of the parameter or input, in the order in which they were given.
    fixed
        What is the same for all jobs.
    jobs
        A job for each point, the last axis running fastest; equal points share a job.

    Attributes
    ----------
    points : list of dict
        Value of each axis at each point.
    """

    def __init__(
        self, step: Step, axes: Mapping[str, Sequence[Any]], fixed: Mapping[str, Any], jobs: Sequence[Job]
    ) -> None:
        self.step, self.axes, self.fixed = step, {name: list(values) for name, values in axes.items()}, dict(fixed)
        self.jobs = list(jobs)
        self.points = grid_points(self.axes)
        self._view: Any = None

    @property
    def statuses(self) -> list[str]:
        """Status of the job at each point."""
        known = {job: job.status for job in set(self.jobs)}
        return [known[job] for job in self.jobs]

    @property
    def progress(self) -> float:
        """Part done of all, 0 to 1."""
        return sum(1.0 if job.status in ENDED else job.progress for job in self.jobs) / len(self.jobs)

    def wait(self, timeout: float | None = None) -> Sweep:
        """Wait until every job has ended; jobs that fail are kept as such, for the others may have succeeded.

        Parameters
        ----------
        timeout
            Seconds to wait at most for each job; None for as long as it takes.

        Raises
        ------
        TimeoutError
            If a job is not at its end in time.
        """
        from spa_widgets.session.context import Cancelled
        from spa_widgets.session.job import JobFailed

        for job in self.jobs:
            try:
                job.wait(timeout)
            except (JobFailed, Cancelled):
                continue
        return self

    def cancel(self) -> None:
        """Ask every job that has not ended to stop."""
        for job in set(self.jobs):
            job.cancel()

    def figures(self) -> list[dict[str, float]]:
        """Return the figures of merit that are numbers, of each point, as far as they are known."""
        known = {job: _numbers(job) for job in set(self.jobs)}
        return [known[job] for job in self.jobs]

    def best(self, figure: str | None = None, largest: bool | None = None) -> Job:
        """Return the job with the best figure of merit.

        Parameters
        ----------
        figure
            Name of the figure; by default the first that tells better from worse.
        largest
            Whether the largest or the smallest is best; by default as is known of that figure.

        Raises
        ------
        UserError
            When no job has the figure yet, or it is not known which way is better.
        """
        values = self.figures()
        name = figure or self.merit()
        if name is None:
            known = ", ".join(sorted({key for row in values for key in row})) or "none yet"
            raise UserError(f"{self.step.name} has no figure that says which result is best; choose one of: {known}.")
        sign = direction_of(name) if largest is None else (1 if largest else -1)
        if sign == 0:
            raise UserError(f"Whether a large or a small {name} is better is not known; give largest=True or False.")
        place = best_place([row.get(name) for row in values], sign)
        if place is None:
            raise UserError(f"No job of this sweep has a figure {name} yet; wait for one, or name another figure.")
        return self.jobs[place]

    def merit(self) -> str | None:
        """Name the figure that says most about which result is better; None where there is none.

        Figures that are the same for all jobs say nothing.
        """
        rows = self.figures()
        names = {name for row in rows for name in row}
        telling = {name for name in names if len({row[name] for row in rows if name in row}) > 1}
        return best_first(telling or (names if len(set(self.jobs)) == 1 else ()))

    def table(self) -> pd.DataFrame:
        """Return a row for each point: job, status, the values of the axes, the figures of merit and the seconds."""
        import pandas as pd

        rows = [
            {"job": job.name, "status": status, **{axis: shown_value(value) for axis, value in point.items()},
             **figures, "seconds": job.seconds}
            for job, status, point, figures in zip(self.jobs, self.statuses, self.points, self.figures(), strict=True)
        ]  # fmt: skip
        return pd.DataFrame(rows)

    def code(self) -> str:
        """Return a line of Python that makes this sweep again."""
        names = {self.step.argument_name(item): item for item in self.step.inputs}

        def text(name: str, value: Any) -> str:
            return ref_code(value) if name in names and isinstance(value, Mapping) else repr(shown_value(value))

        given = [f"{name}={text(name, value)}" for name, value in self.fixed.items()]
        given += [f"{name}=[{', '.join(text(name, value) for value in values)}]" for name, values in self.axes.items()]
        return f"session.sweep({', '.join([repr(self.step.name), *given])})"

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.jobs)

    def __iter__(self) -> Iterator[Job]:
        """Iterate over the jobs of the points."""
        return iter(self.jobs)

    def __repr__(self) -> str:
        """Name the step, the axes and how many jobs have ended."""
        done = sum(status in ENDED for status in self.statuses)
        axes = " × ".join(f"{len(values)} {name}" for name, values in self.axes.items())
        return f"<Sweep of {self.step.title}: {axes}, {done} of {len(self)} ended>"

    def view(self, **options: Any) -> Any:
        """Return the widget that shows the results side by side (the same one until other options are given)."""
        if self._view is None or options:
            module, name = _VIEW  # by its name: a session loads no widget library by itself
            self._view = getattr(importlib.import_module(module), name)(self, **options)
        return self._view

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        return self.view()._repr_mimebundle_(**kwargs)

    def static_html(self, figure: str | None = None) -> str:
        """Return the results as an HTML table; the best is marked."""
        values = self.figures()
        name = figure or self.merit() or next(iter(sorted({key for row in values for key in row})), "")
        sign = direction_of(name)
        best = best_place([row.get(name) for row in values], sign) if sign else None
        words, unit = readable_name(name) if name else ("", "")
        head = ["job", *self.axes, f"{words} ({unit})" if unit else words, "status", "time"]
        rows = []
        for place, (job, point, row, status) in enumerate(
            zip(self.jobs, self.points, values, self.statuses, strict=True)
        ):
            value = figure_text(row[name]) if name in row else ""
            cells = [
                job.name,
                *(str(shown_value(each)) for each in point.values()),
                f"★ {value}" if place == best else value,
            ]
            texts = [escape(each) for each in cells] + [badge(status), escape(duration(job.seconds))]
            rows.append("<tr>" + "".join(f"<td>{each}</td>" for each in texts) + "</tr>")
        titles = "".join(f"<th>{escape(each)}</th>" for each in head)
        return f"<table><tr>{titles}</tr>{''.join(rows)}</table>"


def best_place(values: Sequence[float | None], sign: int) -> int | None:
    """Return the place of the largest (sign 1) or smallest (sign -1) known value; of equal ones the first."""
    known = [(sign * value, -place) for place, value in enumerate(values) if value is not None and value == value]
    return -max(known)[1] if known else None


def _numbers(job: Job) -> dict[str, float]:
    """Return the figures of a job that are plain numbers; of a job that failed or was cancelled none."""
    if job.status in (FAILED, CANCELLED):
        return {}
    return {name: value for name, value in job.figures.items() if isinstance(value, int | float)
            and not isinstance(value, bool)}  # fmt: skip


def shown_value(value: Any) -> Any:
    """Return a value of an axis as a table holds it: an input becomes the name of its job or file."""
    if isinstance(value, OutputRef):
        return f"{value.job.name} {value.output.name}"
    if isinstance(value, Mapping):
        return f"J{value['job']} {value['file']}" if "job" in value else str(next(iter(value.values()), ""))
    return value
