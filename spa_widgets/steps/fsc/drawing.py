"""What an FSC plot shows of its jobs: figures, their words, the table beside them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.validation.curves import randomisation_start
from spa_widgets.guard.curves import too_tight
from spa_widgets.steps.fsc.curves import JobCurves, angstrom
from spa_widgets.steps.fsc.figures import Shown, fsc_figure
from spa_widgets.steps.fsc.live import LiveMaps
from spa_widgets.steps.fsc.more_figures import direction_figure, guinier_figure, orientation_figure
from spa_widgets.steps.fsc.style import COLOURS, Figure, Style
from spa_widgets.viewers.svg import Line, chart

THRESHOLD = 0.143
"""Where the resolution of half maps is read (Rosenthal and Henderson 2003)."""


class Drawing:
    """Curves of jobs, the first of them inside a mask that is tried.

    Parameters
    ----------
    jobs : list of JobCurves
        What is compared.
    live : LiveMaps
        Half maps of the first job.
    chosen : tuple of str
        Names of the curves to show.
    """

    def __init__(self, jobs: list[JobCurves], live: LiveMaps, chosen: tuple[str, ...]) -> None:
        self.jobs, self._live, self._chosen = jobs, live, chosen
        self._errors: dict[str, dict[str, Any]] = {}

    def resolutions(self, threshold: float) -> dict[str, dict[str, float]]:
        """Give the resolution in Å of each curve of each job."""
        return {
            job.name: {c: job.resolution(c, threshold) for c in self._chosen if c in job.table}
            for job in self._present()
        }

    def intervals(self, threshold: float) -> dict[str, tuple[float, float]]:
        """Give the resolutions in Å (finer, coarser) between which each corrected curve crosses."""
        return {
            each.job.name: each.job.interval("corrected", each.errors["corrected"], threshold)
            for each in self._shown()
            if "corrected" in each.errors and not each.faint
        }

    def figure(self, tab: str, threshold: float, style: Style) -> tuple[Figure, str]:
        """Give the figure of a tab (fsc, guinier, directions, orientations) and a sentence that says what it shows."""
        if tab == "guinier":
            fit = self._live.guinier()
            b = f"{fit.cautious_b_factor_A2:.0f}"
            return guinier_figure(fit, style), style.label("guinier_text", b=b)
        if tab == "directions":
            cones = self._live.directions()
            figure = direction_figure(cones, self._present()[0], threshold, style)
            return figure, style.label("direction_text", ratio=f"{cones.area_ratio:.2f}")
        if tab == "orientations":
            views = self._live.orientations()
            values = {"count": f"{views.views:,}", "efficiency": f"{views.efficiency:.2f}"}
            return orientation_figure(views, style), style.label("orientation_text", **values)
        shown = self._shown(style.label("fsc_mask_own"))
        return fsc_figure(shown, threshold, self._randomised_from_A(), style), self._text(threshold, style)

    def rows(self, threshold: float, style: Style) -> list[dict[str, str]]:
        """Give the table beside the curves: where each crosses the threshold and 0.5."""
        rows, intervals = [], self.intervals(threshold)
        for job, chosen in [(each.job, each.curves) for each in self._shown() if not each.faint]:
            for curve in [c for c in chosen if c in job.table]:
                interval = intervals.get(job.name) if curve == "corrected" else None
                known = interval is not None and math.isfinite(interval[1])
                rows.append({
                    "job": style.name(job) if len(self.jobs) > 1 else "", "curve": style.label(f"fsc_{curve}"),
                    "colour": style.colour(curve), "resolution": angstrom(job.resolution(curve, threshold)),
                    "half": angstrom(job.resolution(curve, 0.5)),
                    "interval": f"{interval[0]:.2f}–{interval[1]:.2f}" if known and interval else "",
                })  # fmt: skip
        return rows

    def warning(self, style: Style) -> str:
        """Say that the mask which is tried is too tight, if it is."""
        found = self._live.found
        if found is None or not found.mask_is_too_tight:
            return ""
        sentence = too_tight(found)
        return sentence.ja if style.japanese else str(sentence)

    def svg(self, threshold: float, label: Callable[..., str]) -> str:
        """Give the curves as SVG, for reports without a kernel."""
        lines = [
            Line(each.job.frequency_per_A, each.job.table[curve].to_numpy(),
                 f"{label('fsc_' + curve)} {angstrom(each.job.resolution(curve, threshold))}",
                 COLOURS[curve], 2.6 if curve == "corrected" else 1.4)
            for each in self._shown()
            for curve in each.curves
            if curve in each.job.table and not each.faint
        ]  # fmt: skip
        axes = label("fsc_axis"), label("fsc_correlation")
        return chart(lines, *axes, (-0.05, 1.02), level=threshold, as_resolution=True)

    def _present(self) -> list[JobCurves]:
        """Give the jobs, the first with the curves inside the mask that is tried."""
        table = self._live.table()
        first = self.jobs[0] if table is None else replace(self.jobs[0], table=table)
        return [first, *self.jobs[1:]]

    def _shown(self, before: str = "") -> list[Shown]:
        live, several = self._live.found, len(self.jobs) > 1
        chosen = [c for c in self._chosen if not several or c in ("no_mask", "corrected")] or list(self._chosen)
        shown = [Shown(job, chosen, self._error_of(job)) for job in self.jobs]
        if live is not None:
            shown[0] = Shown(self._present()[0], chosen, live.errors)
            # the job's own curve stays in sight, to see what the mask changed
            shown.append(Shown(replace(self.jobs[0], name=before, name_ja=""), ["corrected"], faint=True))
        return shown

    def _error_of(self, job: JobCurves) -> dict[str, Any]:
        if job.name not in self._errors:
            self._errors[job.name] = job.errors()
        return self._errors[job.name]

    def _randomised_from_A(self) -> float | None:
        if self._live.found is not None:
            return self._live.found.randomised_from_A
        job = self.jobs[0]
        if "no_mask" not in job.table:
            return None
        return job.box_px * job.pixel_size_A / randomisation_start(job.values("no_mask"), THRESHOLD)

    def _text(self, threshold: float, style: Style) -> str:
        parts, intervals, resolutions = [], self.intervals(threshold), self.resolutions(threshold)
        for job in self.jobs:
            found = resolutions[job.name]
            best = found.get("corrected", next(iter(found.values())))
            interval = intervals.get(job.name)
            text = f"{style.name(job)}: {angstrom(best)}"
            if interval and math.isfinite(interval[1]):
                text += f" ({interval[0]:.2f}–{angstrom(interval[1])})"
            parts.append(text)
        return style.label("fsc_text", resolutions="; ".join(parts), threshold=f"{threshold:g}")
