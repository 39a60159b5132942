"""FSCPlot: the FSC curves of one job or several, with the resolution where each falls below the threshold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from engine.fourier.shells import resolution_at
from spa_widgets.errors import UserError
from spa_widgets.io.curves import FSC_COLUMNS
from spa_widgets.viewers import sources
from spa_widgets.viewers.svg import Line, chart

CURVES = FSC_COLUMNS[1:]
TITLES = {
    "no_mask": "No mask", "spherical": "Spherical", "loose": "Loose", "tight": "Tight", "corrected": "Corrected",
}  # fmt: skip
# Okabe and Ito's colours: told apart by colour-blind eyes; the corrected curve, the one that counts, is the boldest
COLOURS = {"no_mask": "#999999", "spherical": "#56b4e9", "loose": "#009e73", "tight": "#e69f00", "corrected": "#0072b2"}
DASHES = ("solid", "dash", "dot", "dashdot")
THRESHOLD = 0.143
# the axis is in 1/Å (its ticks are written in Å); plotly before 6.3 shows the bare number
_HOVER_TITLE = {"unifiedhovertitle": {"text": "%{x:.3f} 1/Å"}} if hasattr(go.layout.XAxis, "unifiedhovertitle") else {}


class FSCPlot(go.FigureWidget):
    """Fourier shell correlation curves, drawn by plotly.

    Parameters
    ----------
    *jobs : job or path
        Refinements or FSC jobs, their folders, or ``fsc.csv`` files. Several are compared by line style.
    labels : sequence of str, optional
        A name for each.
    curves : sequence of str
        Which to show: no_mask, spherical, loose, tight, corrected.
    threshold : float
        Where the resolution is read, 0.143.
    height : int
        Pixels.
    """

    def __init__(
        self,
        *jobs: Any,
        labels: Sequence[str] | None = None,
        curves: Sequence[str] = CURVES,
        threshold: float = THRESHOLD,
        height: int = 430,
    ) -> None:
        if not jobs:
            raise UserError("there is no FSC to show; give a refinement, an FSC job or fsc.csv")
        wrong = [name for name in curves if name not in CURVES]
        if wrong:
            raise UserError(f"there is no curve {wrong[0]!r}; there are {', '.join(CURVES)}")
        names = [labels[i] if labels and i < len(labels) else _label(job) for i, job in enumerate(jobs)]
        tables = dict(zip(names, map(_read, jobs), strict=True))
        self.__dict__["_spa"] = (tables, tuple(curves), threshold)  # plotly keeps its own attributes in check
        super().__init__(data=self._traces(), layout=self._own_layout(height))

    @property
    def tables(self) -> dict[str, pd.DataFrame]:
        """The curves of each job as a table: resolution_A and a column for each curve."""
        return dict(self.__dict__["_spa"][0])

    @property
    def resolutions(self) -> dict[str, dict[str, float]]:
        """Resolution in Å of each curve of each job."""
        tables, curves, threshold = self.__dict__["_spa"]
        return {
            name: {curve: _crossing(table, curve, threshold) for curve in curves if curve in table}
            for name, table in tables.items()
        }

    def code(self) -> str:
        """Give the plot as Python that reproduces it."""
        _, curves, threshold = self.__dict__["_spa"]
        chosen = "" if curves == CURVES else f", curves={list(curves)}"
        limit = "" if threshold == THRESHOLD else f", threshold={threshold}"
        return f"FSCPlot(refined{chosen}{limit})"

    def _traces(self) -> list[go.Scatter]:
        tables, curves, _ = self.__dict__["_spa"]
        traces = []
        for place, (name, table) in enumerate(tables.items()):
            prefix = f"{name} · " if len(tables) > 1 else ""
            for curve in curves:
                if curve not in table:
                    continue
                resolution = self.resolutions[name][curve]
                traces.append(
                    go.Scatter(
                        x=_frequency(table), y=table[curve], mode="lines",
                        name=f"{prefix}{TITLES[curve]} ({_angstrom(resolution)})",
                        line={"color": COLOURS[curve], "width": 3 if curve == "corrected" else 1.8,
                              "dash": DASHES[place % len(DASHES)]},
                        customdata=table["resolution_A"],
                        hovertemplate="%{y:.3f} at %{customdata:.2f} Å<extra>" + prefix + TITLES[curve] + "</extra>",
                    )
                )  # fmt: skip
        return traces

    def _own_layout(self, height: int) -> dict[str, Any]:
        tables, _, threshold = self.__dict__["_spa"]
        last = max(_frequency(table)[-1] for table in tables.values())
        ticks = [value for value in (0.02, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5) if value <= last]
        line = {
            "type": "line",
            "xref": "paper",
            "x0": 0,
            "x1": 1,
            "line": {"color": "#d55e00", "width": 1.5, "dash": "dot"},
        }
        shapes: list[dict[str, Any]] = [{**line, "y0": threshold, "y1": threshold}]
        for found in self.resolutions.values():
            best = found.get("corrected", math.inf)
            if math.isfinite(best):
                mark = {"type": "line", "x0": 1 / best, "x1": 1 / best, "y0": -0.05, "y1": threshold}
                shapes.append({**mark, "line": {"color": COLOURS["corrected"], "width": 1.5, "dash": "dot"}})
        return {
            "height": height, "autosize": True, "margin": {"l": 56, "r": 16, "t": 36, "b": 52},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": "#808a94", "activecolor": COLOURS["corrected"]},
            "shapes": shapes, "hovermode": "x unified",
            "xaxis": {"title": "Resolution (Å)", **_HOVER_TITLE, "tickvals": ticks,
                      "ticktext": [f"{1 / value:.3g}" for value in ticks],
                      "range": [0, last], "gridcolor": "rgba(128,128,128,0.25)", "zeroline": False},
            "yaxis": {"title": "Fourier shell correlation", "range": [-0.06, 1.04], "zeroline": True,
                      "gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.6)"},
            "legend": {"x": 0.99, "xanchor": "right", "y": 0.99, "bgcolor": "rgba(128,128,128,0.08)"},
            "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "font": {"color": "#808a94"},
            "annotations": [{"x": 0, "y": threshold, "xref": "paper", "text": f"{threshold:g}", "showarrow": False,
                             "xanchor": "left", "yanchor": "bottom", "font": {"color": "#d55e00"}}],
        }  # fmt: skip

    def static_html(self) -> str:
        """Give the plot as SVG, for reports without a kernel."""
        tables, curves, threshold = self.__dict__["_spa"]
        lines = [
            Line(_frequency(table), table[curve].to_numpy(),
                 f"{TITLES[curve]} {_angstrom(self.resolutions[name][curve])}",
                 COLOURS[curve], 2.6 if curve == "corrected" else 1.4)
            for name, table in tables.items()
            for curve in curves
            if curve in table
        ]  # fmt: skip
        return chart(
            lines, "Resolution (Å)", "Fourier shell correlation", (-0.05, 1.02), level=threshold, as_resolution=True
        )

    def _repr_mimebundle_(self, *args: Any, **kwargs: Any) -> Any:
        """Offer the live plot and, for pages without a kernel, an SVG."""
        found = super()._repr_mimebundle_(*args, **kwargs)
        data, metadata = found if isinstance(found, tuple) else (found or {}, {})
        return {**data, "text/html": self.static_html()}, metadata


def _label(job: Any) -> str:
    source = sources.job_of(job)
    return str(job) if source is None else sources.name_of(source)


def _read(job: Any) -> pd.DataFrame:
    path = sources.file_of(job, ["fsc", "fsc.csv"], ["fsc.csv"])
    table = pd.read_csv(path)
    if "resolution_A" not in table or not any(curve in table for curve in CURVES):
        columns = ", ".join(map(str, table.columns))
        raise UserError(f"{path} has the columns {columns}; expected resolution_A and FSC curves")
    return table[np.isfinite(table["resolution_A"])].reset_index(drop=True)


def _frequency(table: pd.DataFrame) -> NDArray[np.float64]:
    return np.asarray(1.0 / table["resolution_A"].to_numpy(np.float64))


def _crossing(table: pd.DataFrame, curve: str, threshold: float) -> float:
    """Give the resolution where a curve falls below the threshold; the table starts at shell 1 of the box."""
    values = np.append(1.0, table[curve].to_numpy(np.float64))
    box_A = float(table["resolution_A"].iloc[0])
    box_px = 2 * (len(values) - 1)
    return float(resolution_at(values, box_px, box_A / box_px, threshold))


def _angstrom(resolution: float) -> str:
    return f"{resolution:.2f} Å" if math.isfinite(resolution) else "–"
