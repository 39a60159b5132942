"""The Guinier plot and the map of views as plain dictionaries of plotly's."""

from __future__ import annotations

import math

from engine.validation.directional import ConicalFSC
from engine.validation.guinier import GuinierFit
from engine.validation.orientation import OrientationDistribution
from spa_widgets.steps.fsc.curves import JobCurves, angstrom
from spa_widgets.steps.fsc.style import COLOURS, TICKS_A, WARN, Figure, Style, note, numbers, ticks_A

_COARSEST_A = 25.0
_CLOSEST_TICKS = 0.05


def guinier_figure(fit: GuinierFit, style: Style) -> Figure:
    """Draw a Guinier plot: the amplitudes, what is expected of a protein, and the fitted B-factor."""
    t, k2 = style.label, fit.k2_per_A2
    # no further than a little beyond the fit: what comes after is noise without weight
    end = 1.35 * float(k2[fit.fitted].max()) if fit.fitted.any() else float(k2[-1])
    seen = (fit.log_amplitude > -50) & (k2 <= end) & (k2 >= _COARSEST_A**-2)
    lines: list[Figure] = [{
        "type": "scatter", "mode": "markers+lines", "x": numbers(k2[seen]), "y": numbers(fit.log_amplitude[seen]),
        "name": t("guinier_measured"), "line": {"color": COLOURS["no_mask"], "width": 1}, "marker": {"size": 6},
        "customdata": numbers(fit.resolution_A[seen]), "hovertemplate": "%{y:.2f} @ %{customdata:.2f} Å<extra></extra>",
    }]  # fmt: skip
    title = t("guinier_none")
    if fit.fitted.any():
        found = {"b": fit.b_factor_A2, "error": fit.error_A2, "used": fit.cautious_b_factor_A2}
        title = t("guinier_b", **{name: f"{value:.0f}" for name, value in found.items()})
        drawn = {"type": "scatter", "mode": "lines", "x": numbers(k2[fit.fitted]), "hoverinfo": "skip"}
        # the line alone is offset by what a protein's amplitudes lost: only its slope says something
        slope = fit.line + fit.expected[fit.fitted].mean()
        for name, values, line in (
            ("guinier_fit", fit.model, {"color": style.colour("corrected"), "width": 3}),
            ("guinier_slope", slope, {"color": WARN, "width": 1.6, "dash": "dash"}),
        ):
            lines.append({**drawn, "y": numbers(values[fit.fitted]), "name": t(name), "line": line})
    ticks = [2 * _COARSEST_A]
    for a in TICKS_A:
        if a < _COARSEST_A and a**-2 <= end and a**-2 - ticks[-1] ** -2 > _CLOSEST_TICKS * end:
            ticks.append(a)
    labels = {"tickvals": [a**-2 for a in ticks[1:]], "ticktext": [f"{a:g}" for a in ticks[1:]]}
    layout = style.layout(
        xaxis=style.axis(t("guinier_axis"), range=[0, end], **labels),
        yaxis=style.axis(t("guinier_amplitude")),
        legend=style.legend(),
        annotations=[note(title, style.ink, xref="paper", yref="paper", x=0.02, y=0.03, xanchor="left")],
    )
    return {"data": lines, "layout": layout}


def direction_figure(found: ConicalFSC, job: JobCurves, threshold: float, style: Style) -> Figure:
    """Draw the FSC of every cone: light lines, the worst and the best direction bold."""
    x = [0.0, *numbers(job.frequency_per_A)]
    order = found.areas.argsort()
    traces: list[Figure] = []
    for place in [*order[1:-1].tolist(), int(order[0]), int(order[-1])]:
        worst, best = place == int(order[0]), place == int(order[-1])
        colour = WARN if worst else style.colour("corrected") if best else COLOURS["no_mask"]
        trace = {"type": "scatter", "mode": "lines", "x": x, "y": numbers(found.curves[place]), "hoverinfo": "skip"}
        line = {"color": colour, "width": 3 if worst or best else 1}
        traces.append({**trace, "line": line, "opacity": 1.0 if worst or best else 0.35, "showlegend": worst or best})
        if worst or best:
            a, b, c = (f"{value:.2f}" for value in found.directions[place])
            key = "direction_worst" if worst else "direction_best"
            name = f"{style.label(key)} ({a}, {b}, {c}): {angstrom(float(found.resolutions_A[place]))}"
            traces[-1]["name"] = name
    ticks = ticks_A(x[-1] or 1.0)
    labels = {"tickvals": [1 / a for a in ticks], "ticktext": [f"{a:g}" for a in ticks]}
    level = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "line": {"color": WARN, "width": 1.4, "dash": "dot"}}
    layout = style.layout(
        xaxis=style.axis(style.label("fsc_axis"), range=[0, x[-1]], **labels),
        yaxis=style.axis(style.label("fsc_correlation"), range=[-0.08, 1.04]),
        shapes=[{**level, "y0": threshold, "y1": threshold}],
        legend={**style.legend(), "x": 0.02, "xanchor": "left", "y": 0.25, "yanchor": "bottom"},
    )
    return {"data": traces, "layout": layout}


def orientation_figure(found: OrientationDistribution, style: Style) -> Figure:
    """Draw how often the map was seen from where, in bins of equal area."""
    t, tilts = style.label, (0, 30, 60, 90, 120, 150, 180)
    heat = {
        "type": "heatmap", "x": numbers(found.rot_deg), "y": numbers(found.cos_tilt), "z": found.counts.tolist(),
        "colorscale": "Viridis", "zmin": 0, "hovertemplate": "rot %{x:.0f}°<br>%{z}<extra></extra>",
        "colorbar": {"title": {"text": t("orientation_views"), "side": "top"}, "thickness": 14, "outlinewidth": 0},
    }  # fmt: skip
    labels = {"tickvals": [math.cos(math.radians(a)) for a in tilts], "ticktext": [f"{a}°" for a in tilts]}
    layout = style.layout(
        xaxis=style.axis(t("orientation_rot"), range=[-180, 180], showgrid=False, tickvals=list(range(-180, 181, 60))),
        yaxis=style.axis(t("orientation_tilt"), range=[-1, 1], showgrid=False, **labels),
    )
    return {"data": [heat], "layout": layout}
