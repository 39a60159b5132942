"""Facts of CTF fits for the screen and for reports."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pandas as pd

_DIGITS = {
    "defocus_A": 1, "astigmatism_A": 1, "angle_deg": 1, "resolution_A": 2, "score": 4, "confidence": 3, "ice": 3,
}  # fmt: skip


def for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Give the table with headings in words and units, and as many digits as say something."""
    columns = {
        "Micrograph": table["name"],
        "Defocus (µm)": (table["defocus_A"] / 10_000).map(_digits(3)),
        "Astigmatism (Å)": table["astigmatism_A"].map(_digits(0)),
        "Angle (°)": table["angle_deg"].map(_digits(0)),
        "Fit to (Å)": table["resolution_A"].map(_digits(2)),
        "Score": table["score"].map(_digits(2)),
        "Confidence": table["confidence"].map(_digits(2)),
        "Ice": table["ice"].map(_digits(2)),
        "Accepted": table["accepted"].map({True: "yes", False: "no"}),
    }
    known = {"Confidence": table["confidence"], "Ice": table["ice"]}
    return pd.DataFrame(columns).drop(columns=[name for name, values in known.items() if not values.notna().any()])


def _digits(count: int) -> Callable[[float], str]:
    return lambda value: "–" if not math.isfinite(value) else f"{value:.{count}f}"


def row_of(facts: pd.Series) -> dict[str, Any]:
    """Give the facts of a micrograph for the screen; what is not known is None."""
    numbers = {name: round(float(facts[name]), digits) for name, digits in _DIGITS.items()}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return {"name": str(facts["name"]), "fitted": bool(facts["fitted"]), **known}
