"""Tables of figures: shown in the notebook, printed at the end, kept as JSON."""

from __future__ import annotations

import html
import json
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = tuple[str, Any, str]


def format_value(value: Any) -> str:
    """Write a number with three or four significant digits, anything else as it is."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    if isinstance(value, int) or not math.isfinite(value):
        return str(value)
    return f"{value:.4g}"


@dataclass(frozen=True)
class Check:
    """Figures of one step, each with its unit or target.

    Attributes
    ----------
    title : str
        What was checked.
    rows : list of (str, object, str)
        Name, value and remark.
    """

    title: str
    rows: list[Row]

    def __repr__(self) -> str:
        width = max((len(name) for name, _, _ in self.rows), default=0)
        lines = [f"  {name:<{width}}  {format_value(value):>10}  {note}" for name, value, note in self.rows]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td style='text-align:left'>{html.escape(name)}</td><td>{html.escape(format_value(value))}</td>"
            f"<td style='text-align:left'>{html.escape(note)}</td></tr>"
            for name, value, note in self.rows
        )
        return f"<table><caption style='text-align:left'>{html.escape(self.title)}</caption>{rows}</table>"


@dataclass
class RunReport:
    """All figures of a run and the time of each job."""

    checks: dict[str, Check] = field(default_factory=dict)
    jobs: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, check: Check) -> None:
        """Keep the figures of a step."""
        self.checks[name] = check

    def collect(self, session: Any) -> None:
        """Take name, time and figures of every job of the session."""
        self.jobs = [
            {
                "job": job.name,
                "step": job.step.name,
                "status": str(job.status),
                "seconds": job.seconds,
                "folder": str(job.folder),
                "figures": dict(job.figures or {}),
            }
            for job in session.jobs
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return {
            "checks": {
                name: {
                    "title": check.title,
                    "figures": {row[0]: row[1] for row in check.rows},
                    "remarks": {row[0]: row[2] for row in check.rows},
                }
                for name, check in self.checks.items()
            },
            "jobs": self.jobs,
        }

    def write(self, path: Path) -> None:
        """Write the report as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.to_dict(), indent=1, ensure_ascii=False), encoding="utf-8")

    def _time_check(self) -> Check:
        rows: list[Row] = [(f"{job['job']} {job['step']}", job["seconds"] or 0.0, "s") for job in self.jobs]
        return Check("Time of each job", [*rows, ("sum", sum(float(row[1]) for row in rows), "s")])

    def __repr__(self) -> str:
        return "\n\n".join(repr(check) for check in (*self.checks.values(), self._time_check()))

    def _repr_html_(self) -> str:
        return "".join(check._repr_html_() for check in (*self.checks.values(), self._time_check()))
