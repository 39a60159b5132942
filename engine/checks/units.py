"""Units of numbers, guessed from their size."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

# specimens are imaged between about 0.3 and 6 µm from focus
_LEAST_AS_A, _MOST_AS_UM = 2500.0, 20.0
_FEWEST_ANGLES = 20


def defocus_unit(mean_defocus: ArrayLike) -> str:
    """Return the unit, ``"Å"``, ``"nm"`` or ``"µm"``, in which defoci ``(m,)`` are those of a micrograph.

    Zeros, which stand for a defocus that is not known, do not count. Between 250 and 2500 Å, nearer to focus than
    anything is seen without a phase plate, numbers are taken for nm.
    """
    values = np.abs(np.asarray(mean_defocus, np.float64))
    values = values[values > 0]
    if not values.size:
        return "Å"
    typical = float(np.median(values))
    if typical <= _MOST_AS_UM:
        return "µm"
    return "nm" if _LEAST_AS_A / 10 <= typical < _LEAST_AS_A else "Å"


def look_like_radians(angles_deg: ArrayLike) -> bool:
    """Tell whether angles ``(m,)`` that differ from each other all lie within 2π, as radians would."""
    values = np.asarray(angles_deg, np.float64)
    return len(np.unique(values)) >= _FEWEST_ANGLES and bool(np.abs(values).max() <= 2 * np.pi + 1e-3)
