"""Figures of merit as people read them: names in words, units, as many digits as say something."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

# the units that names end in
_UNITS = {"A": "Å", "A2": "Å²", "deg": "°", "px": "px", "mm": "mm", "kv": "kV", "s": "s", "percent": "%"}
_WORDS = {
    "ncc": "NCC", "fsc": "FSC", "ctf": "CTF", "snr": "SNR", "nyquist": "Nyquist limit", "guinier": "Guinier",
    "min": "least", "max": "greatest", "b": "B",
}  # fmt: skip
_NAMES = {
    "b_factor_A2": "B-factor", "b_factor_fitted_A2": "B-factor as fitted", "particles_of": "out of",
    "micrographs_of": "out of", "box_px": "box",
    "min_ncc": "NCC at least", "min_power": "power at least", "max_power": "power at most",
    "mean_max_probability": "mean of the greatest probability", "without_ctf": "without a CTF",
    "resolution_no_mask_A": "resolution without a mask", "resolution_spherical_A": "resolution in a spherical mask",
    "resolution_loose_A": "resolution in a loose mask", "resolution_tight_A": "resolution in a tight mask",
    "resolution_corrected_A": "resolution in the tight mask, corrected", "classes": "classes",
}  # fmt: skip
_LONGEST_LIST = 60
# figures to compare results by, the most telling first: 1 where more is better, -1 where less is, 0 where neither
_MERITS = {
    "resolution_corrected_A": -1, "resolution_A": -1, "half_fsc_resolution_A": -1, "best_resolution_A": -1,
    "correlation": 1, "score": 1, "median_fit_resolution_A": -1, "lowest_confidence": 1, "median_A": -1,
    "symmetry_score": 1, "guinier_correlation": 1, "mean_max_probability": 1, "unsure": -1, "failed": -1,
    "distrusted_particles": -1, "unreadable": -1, "picks_per_micrograph": 0, "picks": 0, "particles": 0,
}  # fmt: skip


def readable_name(name: str) -> tuple[str, str]:
    """Split the name of a figure into words and its unit: ``last_pose_change_deg`` is (last pose change, °)."""
    parts = name.split("_")
    unit = _UNITS.get(parts[-1], "") if len(parts) > 1 else ""
    if name in _NAMES:
        return _NAMES[name], unit
    words = parts[:-1] if unit else parts
    return " ".join(_WORDS.get(word, word) for word in words), unit


def figure_text(value: Any) -> str:
    """Write a figure of merit with as many digits as say something."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 or value != value else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ", ".join(figure_text(each) for each in value)
    return str(value)


def direction_of(name: str) -> int:
    """Tell whether more of a figure is better (1), less (-1), or neither can be said (0)."""
    return _MERITS.get(name, 0)


def best_first(names: Iterable[str]) -> str | None:
    """Return the figure that says most about which of several results is better; None where none is known."""
    known = set(names)
    return next((name for name in _MERITS if name in known), None)


class Figures(dict[str, Any]):
    """Figures of merit by name; a plain dictionary that shows itself as a table with units."""

    def _repr_html_(self) -> str:
        return figures_table(self)


def figures_table(figures: dict[str, Any]) -> str:
    """Draw figures as a table of names, values and units; what is not a number, a word or a short list is left out."""
    rows = []
    for name, value in figures.items():
        text = figure_text(value)
        if isinstance(value, dict) or (isinstance(value, list | tuple) and len(text) > _LONGEST_LIST):
            continue
        words, unit = readable_name(name)
        rows.append(
            f'<tr title="{escape(name, quote=True)}"><td style="text-align:left">{escape(words)}</td>'
            f'<td style="text-align:right">{escape(text)}</td><td style="text-align:left">{escape(unit)}</td></tr>'
        )
    return f"<table>{''.join(rows)}</table>" if rows else ""
