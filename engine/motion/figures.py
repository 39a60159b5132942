"""Figures of merit of a track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EARLY_E_PER_A2 = 4.0


def motion_figures(shifts_A: NDArray[np.float64], dose_e_per_A2: float) -> dict[str, float]:
    """Return the length of a track ``(f, 2)`` in Å, and its parts before and after the first 4 e/Å².

    Early is the first half where the dose is not known (0).
    """
    steps = np.hypot(*np.diff(shifts_A, axis=0).T)
    count = len(shifts_A)
    early = _EARLY_E_PER_A2 * count / dose_e_per_A2 if dose_e_per_A2 > 0 else count / 2
    first = steps[: int(np.clip(np.ceil(early), 0, len(steps)))].sum()
    return {"total_A": float(steps.sum()), "early_A": float(first), "late_A": float(steps.sum() - first)}
