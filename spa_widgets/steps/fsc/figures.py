"""The figure of FSC curves as a plain dictionary of plotly's: nothing here imports plotly."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spa_widgets.steps.fsc.curves import JobCurves, angstrom
from spa_widgets.steps.fsc.style import DASHES, WARN, Figure, Style, note, numbers, plain, ticks_A


@dataclass(frozen=True)
class Shown:
    """Curves of one job as they are drawn."""

    job: JobCurves
    curves: Sequence[str]
    errors: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    faint: bool = False


def fsc_figure(shown: Sequence[Shown], threshold: float, from_A: float | None, style: Style) -> Figure:
    """Draw FSC curves with their crossings, the errors of the corrected ones and where phases become random."""
    last = max(float(each.job.frequency_per_A[-1]) for each in shown)
    several = sum(not each.faint for each in shown) > 1
    traces = [t for place, each in enumerate(shown) for t in _traces(each, place, several, threshold, style)]
    notes = [flag for place, each in enumerate(shown) for flag in _flag(each, place, threshold, last, style)]
    level = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": WARN, "width": 1.4, "dash": "dot"}}
    levels = list(dict.fromkeys((threshold, 0.5)))
    shapes: list[Figure] = [{**level, "y0": y, "y1": y} for y in levels]
    notes += [note(f"{y:g}", WARN, xref="paper", x=1, y=y, xanchor="right") for y in levels]
    if from_A and math.isfinite(from_A):
        x, thin = 1 / from_A, {"color": style.ink, "width": 1, "dash": "dashdot"}
        shapes.append(
            {"type": "line", "x0": x, "x1": x, "yref": "paper", "y0": 0, "y1": 1, "line": thin, "opacity": 0.6}
        )
        text = style.label("fsc_randomised_from", resolution=angstrom(from_A))
        notes.append(note(text, style.ink, x=x, y=-0.06, xanchor="right" if x > 0.5 * last else "left"))
    ticks = ticks_A(last)
    layout = style.layout(
        xaxis=style.axis(
            style.label("fsc_axis"),
            range=[0, last],
            tickvals=[1 / a for a in ticks],
            ticktext=[f"{a:g}" for a in ticks],
            unifiedhovertitle={"text": "%{x:.3f} 1/Å"},
        ),
        yaxis=style.axis(style.label("fsc_correlation"), range=[-0.08, 1.04], tickvals=[0, 0.2, 0.4, 0.6, 0.8, 1]),
        shapes=shapes,
        annotations=notes,
        hovermode="x unified",
        legend=style.legend(),
    )
    return {"data": traces, "layout": layout}


def _traces(each: Shown, place: int, several: bool, threshold: float, style: Style) -> list[Figure]:
    job = each.job
    traces: list[Figure] = []
    x = numbers(job.frequency_per_A)
    prefix = plain(f"{style.name(job)} · ") if several or each.faint else ""
    for curve in [name for name in each.curves if name in job.table]:
        colour, bold = style.colour(curve), curve == "corrected" and not each.faint
        y = job.table[curve].to_numpy(np.float64)
        if bold and curve in each.errors:
            traces.append(_band(x, y, each.errors[curve][1:], colour))
        title = prefix + style.label(f"fsc_{curve}")
        traces.append({
            "type": "scatter", "mode": "lines", "x": x, "y": numbers(y),
            "name": f"{title} ({angstrom(job.resolution(curve, threshold))})",
            "line": {"color": colour, "width": 3.2 if bold else 1.8, "dash": DASHES[place % len(DASHES)]},
            "opacity": 0.45 if each.faint else 1.0, "customdata": numbers(job.table["resolution_A"].to_numpy()),
            "hovertemplate": f"%{{y:.3f}} @ %{{customdata:.2f}} Å<extra>{title}</extra>",
        })  # fmt: skip
        if bold and _crosses(job, threshold):
            traces.append(_crossing(job, each.errors.get(curve), threshold, colour))
    return traces


def _band(x: list[float | None], y: NDArray[np.float64], error: NDArray[np.float64], colour: str) -> Figure:
    """A curve plus and minus its error, as a light area."""
    outline = [*numbers(np.clip(y + error, -1, 1)), *numbers(np.clip(y - error, -1, 1))[::-1]]
    rgb = ",".join(str(int(colour[i : i + 2], 16)) for i in (1, 3, 5))
    return {
        "type": "scatter", "mode": "lines", "x": [*x, *x[::-1]], "y": outline, "fill": "toself", "line": {"width": 0},
        "fillcolor": f"rgba({rgb},0.20)", "hoverinfo": "skip", "showlegend": False,
    }  # fmt: skip


def _crosses(job: JobCurves, threshold: float) -> bool:
    return math.isfinite(job.resolution("corrected", threshold)) and float(job.table["corrected"].min()) < threshold


def _flag(each: Shown, place: int, threshold: float, last_per_A: float, style: Style) -> list[Figure]:
    """A flag with the resolution at the crossing of the corrected curve."""
    if each.faint or "corrected" not in each.curves or not _crosses(each.job, threshold):
        return []
    x, colour = 1 / each.job.resolution("corrected", threshold), style.colour("corrected")
    side = 1 if x < 0.85 * last_per_A else -1
    return [{
        "x": x, "y": threshold, "text": f"<b>{angstrom(1 / x)}</b>", "showarrow": True, "arrowhead": 0,
        "arrowwidth": 1.5, "arrowcolor": colour, "ax": side * 52, "ay": -62 - 30 * place, "borderpad": 3,
        "bordercolor": colour, "font": {"color": colour, "size": 15}, "bgcolor": style.ground, "opacity": 0.95,
    }]  # fmt: skip


def _crossing(job: JobCurves, error: NDArray[np.float64] | None, threshold: float, colour: str) -> Figure:
    """A mark at the crossing of the corrected curve, with the range that its error gives."""
    resolution_A = job.resolution("corrected", threshold)
    mark: Figure = {
        "type": "scatter", "mode": "markers", "x": [1 / resolution_A], "y": [threshold], "showlegend": False,
        "hoverinfo": "skip", "marker": {"color": colour, "size": 9}, "cliponaxis": False,
    }  # fmt: skip
    if error is not None:
        finer_A, coarser_A = job.interval("corrected", error, threshold)
        if math.isfinite(coarser_A):
            mark["error_x"] = {
                "type": "data", "symmetric": False, "array": [1 / finer_A - 1 / resolution_A],
                "arrayminus": [1 / resolution_A - 1 / coarser_A], "color": colour, "thickness": 2, "width": 6,
            }  # fmt: skip
    return mark
