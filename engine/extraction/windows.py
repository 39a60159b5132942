"""Square windows around positions, and the rule at the edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace


def window_centres(positions_px: NDArray[np.floating]) -> NDArray[np.int64]:
    """Round positions (m, 2) x, y to the pixel that becomes a window's centre n//2."""
    return np.rint(np.asarray(positions_px, dtype=np.float64).reshape(-1, 2)).astype(np.int64)


def windows_fit(centres_px: NDArray[np.int64], box_px: int, shape_px: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which windows lie wholly on a micrograph.

    Parameters
    ----------
    centres_px : (m, 2) x, y.
    box_px : side of the windows.
    shape_px : (height, width) of the micrograph.
    """
    first = centres_px - box_px // 2
    last = first + box_px
    height, width = shape_px
    return (first >= 0).all(axis=1) & (last[:, 0] <= width) & (last[:, 1] <= height)


def cut_windows(micrograph: Array, centres_px: NDArray[np.int64], box_px: int) -> Array:
    """Cut windows whose pixel n//2 is the centre; what lies outside the micrograph is its mirror image.

    Parameters
    ----------
    micrograph : (height, width).
    centres_px : (m, 2) x, y.
    box_px : side of the windows.

    Returns
    -------
    (m, box_px, box_px) in the library and dtype of `micrograph`.

    Raises
    ------
    ValueError
        If the box is larger than the micrograph.
    """
    height, width = micrograph.shape
    if box_px > min(height, width):
        raise ValueError(
            f"A box of {box_px} px does not fit on a micrograph of {width} × {height} px; choose a smaller box."
        )
    xp = array_namespace(micrograph)
    steps = np.arange(box_px) - box_px // 2
    columns = xp.asarray(_mirrored(centres_px[:, :1] + steps, width))
    rows = xp.asarray(_mirrored(centres_px[:, 1:] + steps, height))
    return micrograph[rows[:, :, None], columns[:, None, :]]


def _mirrored(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Fold indices back into 0 … size-1 at both edges."""
    folded = np.abs(index)
    return np.clip(np.where(folded >= size, 2 * (size - 1) - folded, folded), 0, size - 1)
