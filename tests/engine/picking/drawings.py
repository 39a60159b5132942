"""A drawing that pickers are tested with."""

from __future__ import annotations

import numpy as np


def drawing(box: int, pixel_size_A: float) -> np.ndarray:
    """An asymmetric white drawing about the centre, of the same size in Å at any pixel size."""
    steps = (np.arange(box) - box // 2) * pixel_size_A
    y, x = steps[:, None], steps[None, :]
    blobs = ((40.0, 0.0, 12.0, 1.0), (0.0, 30.0, 14.0, 0.7), (-35.0, -20.0, 10.0, 1.2), (0.0, 0.0, 35.0, 0.3))
    return sum(a * np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / (2 * s * s)) for cx, cy, s, a in blobs)  # type: ignore[no-any-return]
