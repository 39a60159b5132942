"""Rows of the table of figures."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.measure import Cost


@dataclass
class Row:
    """One measured thing beside its reference.

    Attributes
    ----------
    name : str
    ours : Cost
    accuracy : dict
        Figures against the truth.
    reference : str
        What it is compared with; empty for nothing.
    theirs : Cost or None
        Cost of the reference.
    their_accuracy : dict
        The same figures of the reference.
    note : str
        What a reader must know; why a reference is missing, say.
    """

    name: str
    ours: Cost
    accuracy: dict[str, float] = field(default_factory=dict)
    reference: str = ""
    theirs: Cost | None = None
    their_accuracy: dict[str, float] = field(default_factory=dict)
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """CPU time of the reference over ours: how many times faster we are."""
        return None if self.theirs is None else self.theirs.cpu_s / max(self.ours.cpu_s, 1e-9)

    def to_json(self, benchmark: str) -> dict[str, Any]:
        """Return the row as plain values."""
        return {
            "benchmark": benchmark,
            "name": self.name,
            "ours": _cost_json(self.ours),
            "accuracy": _clean(self.accuracy),
            "reference": self.reference,
            "theirs": None if self.theirs is None else _cost_json(self.theirs),
            "their_accuracy": _clean(self.their_accuracy),
            "ratio": self.ratio,
            "ratio_is_lower_bound": self.theirs is not None and not self.theirs.finished,
            "note": self.note,
        }


def _cost_json(cost: Cost) -> dict[str, Any]:
    return {
        "wall_s": round(cost.wall_s, 5),
        "cpu_s": round(cost.cpu_s, 5),
        "peak_MB": round(cost.peak_bytes / 1e6, 1),
        "finished": cost.finished,
    }


def _clean(figures: dict[str, float]) -> dict[str, float | None]:
    return {name: float(value) if math.isfinite(value) else None for name, value in figures.items()}


def table(rows: Iterable[dict[str, Any]]) -> str:
    """Return the table for the screen."""
    head = ("what", "wall s", "CPU s", "peak MB", "reference", "its CPU s", "its MB", "ratio")
    lines: list[tuple[str, ...]] = [head]
    notes: dict[int, list[str]] = {}
    for row in rows:
        lines.append(cells(row))
        notes[len(lines) - 1] = remarks(row)
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    text = []
    for number, line in enumerate(lines):
        text.append(
            "  ".join(_justified(cell, width, i) for i, (cell, width) in enumerate(zip(line, widths, strict=True)))
        )
        text += [f"    {remark}" for remark in notes.get(number, [])]
    return "\n".join(text)


def _justified(cell: str, width: int, column: int) -> str:
    return cell.ljust(width) if column in (0, 4) else cell.rjust(width)


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """Return what the columns of the table say of a row."""
    ours, theirs = row["ours"], row["theirs"]
    first = (row["name"], _number(ours["wall_s"]), _number(ours["cpu_s"]), f"{ours['peak_MB']:.0f}")
    if theirs is None:
        return (*first, row["reference"], "", "", "")
    more = "" if theirs["finished"] else ">"
    cost = (more + _number(theirs["cpu_s"]), f"{theirs['peak_MB']:.0f}", more + _number(row["ratio"]))
    return (*first, row["reference"], *cost)


def remarks(row: dict[str, Any]) -> list[str]:
    """Return the accuracy of both, and the row's note."""
    lines = []
    if row["accuracy"]:
        lines.append(f"ours: {_figures(row['accuracy'])}")
    if row["their_accuracy"]:
        lines.append(f"reference: {_figures(row['their_accuracy'])}")
    if row["note"]:
        lines.append(row["note"])
    return lines


def _figures(figures: dict[str, float | None]) -> str:
    return ", ".join(f"{name} {'-' if value is None else _number(value)}" for name, value in figures.items())


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e6:
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
