"""Colours, words and axes that the figures of the FSC plot share, as plotly's plain dictionaries."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from spa_widgets.steps.fsc.curves import JobCurves
from spa_widgets.viewers.labels import Label, translator

# Okabe and Ito's colours: told apart by colour-blind eyes; the corrected curve, the one that counts, is the boldest
COLOURS = {"no_mask": "#999999", "spherical": "#56b4e9", "loose": "#009e73", "tight": "#e69f00", "corrected": "#0072b2"}
DASHES = ("solid", "dash", "dot", "dashdot")
WARN = "#d55e00"
TICKS_A = (50.0, 30.0, 20.0, 15.0, 12.0, 10.0, 8.0, 7.0, 6.0, 5.0, 4.5, 4.0, 3.5, 3.0, 2.5, 2.0, 1.5, 1.2, 1.0)
_BRIGHT = {"corrected": "#4da3e0"}  # on a dark page
_CLOSEST_TICKS = 0.045

Figure = dict[str, Any]


@dataclass(frozen=True)
class Style:
    """How a figure looks: its words and the colours of the page."""

    label: Label
    dark: bool = False
    japanese: bool = False

    @classmethod
    def of(cls, language: str, dark: bool = False) -> Style:
        """Give the style of a language (``auto`` is English)."""
        return cls(translator(language), dark, language == "ja")

    @property
    def ink(self) -> str:
        """Colour of text."""
        return "#c9d1d9" if self.dark else "#3c444d"

    @property
    def ground(self) -> str:
        """Colour behind a label."""
        return "#1c2128" if self.dark else "#ffffff"

    @property
    def grid(self) -> str:
        """Colour of the grid."""
        return "rgba(160,170,180,0.22)" if self.dark else "rgba(90,100,110,0.16)"

    def name(self, job: JobCurves) -> str:
        """Name of a job as the figure shows it."""
        return (self.japanese and job.name_ja) or job.name

    def colour(self, curve: str) -> str:
        """Colour of a curve."""
        return _BRIGHT.get(curve, COLOURS[curve]) if self.dark else COLOURS[curve]

    def layout(self, **more: Any) -> Figure:
        """What all figures share."""
        return {
            "autosize": True, "margin": {"l": 58, "r": 18, "t": 14, "b": 50}, "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)", "hoverlabel": {"bgcolor": self.ground, "font": {"color": self.ink}},
            "font": {"color": self.ink, "size": 13, "family": "system-ui, sans-serif"},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": self.ink}, **more,
        }  # fmt: skip

    def axis(self, title: str, **more: Any) -> Figure:
        """An axis."""
        return {
            "title": {"text": title, "standoff": 8}, "gridcolor": self.grid, "linecolor": self.ink, "zeroline": False,
            "ticks": "outside", "tickcolor": self.grid, "automargin": True, **more,
        }  # fmt: skip

    def legend(self) -> Figure:
        """A legend in the upper right corner, where curves have fallen."""
        return {"x": 0.995, "xanchor": "right", "y": 0.99, "bgcolor": "rgba(0,0,0,0)", "font": {"size": 12}}


def ticks_A(last_per_A: float) -> list[float]:
    """Resolutions in Å that are labelled, none too close to the one before."""
    chosen: list[float] = []
    for resolution_A in TICKS_A:
        x = 1 / resolution_A / last_per_A
        if x <= 1.001 and (not chosen or x - 1 / chosen[-1] / last_per_A > _CLOSEST_TICKS):
            chosen.append(resolution_A)
    return chosen


def note(text: str, colour: str, **place: Any) -> Figure:
    """A text in a figure."""
    return {"text": text, "showarrow": False, "font": {"color": colour, "size": 12}, "yanchor": "bottom", **place}


def plain(text: str) -> str:
    """Plotly reads a little HTML in its texts; a name must stay text."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def numbers(values: NDArray[Any]) -> list[float | None]:
    """Numbers for JSON: what is no number becomes null."""
    return [round(float(v), 5) if math.isfinite(v) else None for v in values]
