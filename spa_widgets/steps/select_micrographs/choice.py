"""Which micrographs are good enough: limits on what their CTF fit says, and what a person decided."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spa_widgets.errors import UserError

LIMITS = {
    "worst_resolution_A": "resolution_A",
    "min_defocus_A": "defocus_A",
    "max_defocus_A": "defocus_A",
    "max_astigmatism_A": "astigmatism_A",
    "min_confidence": "confidence",
    "min_score": "score",
    "max_ice": "ice",
}
"""Each limit and the fact that it is put on; those that begin with ``min`` are the least that is kept."""

NOT_FITTED, BY_HAND = "not fitted", "by hand"
_COLUMNS = {
    "angle_deg": "rlnDefocusAngle",
    "resolution_A": "rlnCtfMaxResolution",
    "score": "rlnCtfFigureOfMerit",
    "confidence": "spaCtfConfidence",
    "ice": "spaIceThickness",
}


def facts_of(micrographs: pd.DataFrame) -> pd.DataFrame:
    """Give what is known of each micrograph.

    Parameters
    ----------
    micrographs : DataFrame
        The table of a ``micrographs.star``.

    Returns
    -------
    DataFrame
        ``name`` (without folder where that is enough), ``fitted``, ``defocus_A``, ``astigmatism_A``, ``angle_deg``,
        ``resolution_A``, ``score``, ``confidence``, ``ice``; NaN where not known.
    """
    full = micrographs["rlnMicrographName"].astype(str)
    short = full.str.rpartition("/")[2]
    known = pd.DataFrame({"name": full if short.duplicated().any() else short})
    for fact, column in _COLUMNS.items():
        known[fact] = _numbers(micrographs, column) if column in micrographs else np.nan
    if "rlnDefocusU" not in micrographs:
        return known.assign(fitted=True, defocus_A=np.nan, astigmatism_A=np.nan)
    u, v = (_numbers(micrographs, f"rlnDefocus{axis}") for axis in "UV")
    fitted = (u != 0) | (v != 0)  # where the fit failed both are zero
    known.loc[~fitted, list(_COLUMNS)] = np.nan
    return known.assign(
        fitted=fitted,
        defocus_A=np.where(fitted, (u + v) / 2, np.nan),
        astigmatism_A=np.where(fitted, abs(u - v), np.nan),
    )


def _numbers(table: pd.DataFrame, column: str) -> NDArray[np.float64]:
    return pd.to_numeric(table[column], errors="coerce").to_numpy(np.float64)


def reasons(facts: pd.DataFrame, limits: Mapping[str, float | None]) -> list[list[str]]:
    """Give for each micrograph what is against it: ``not fitted``, or the facts that lie outside their limits.

    Raises
    ------
    UserError
        When a limit is put on something that is not known of any micrograph.
    """
    found: list[list[str]] = [[] if fitted else [NOT_FITTED] for fitted in facts["fitted"]]
    for name, limit in limits.items():
        if limit is None:
            continue
        fact = LIMITS[name]
        values = facts[fact].to_numpy(np.float64)
        if not np.isfinite(values).any():
            raise UserError(f"{name} is {limit:g}, but these micrographs have no {fact}: leave it out, or fit the CTF.")
        outside = ~(values >= limit) if name.startswith("min") else ~(values <= limit)
        for index in np.flatnonzero(outside & facts["fitted"].to_numpy()):
            found[index].append(fact)
    return found


def after_hand(found: list[list[str]], accept: Collection[int], reject: Collection[int]) -> list[list[str]]:
    """Give the reasons after a person's word: none for what was accepted by hand."""
    return [
        [] if index in accept else ([BY_HAND] if index in reject else against) for index, against in enumerate(found)
    ]
