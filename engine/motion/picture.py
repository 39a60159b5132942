"""A small figure of a track: where the specimen went."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MARGIN = 0.1
_STEPS = 40
_PAPER, _LINE, _POINT = 255.0, 90.0, 20.0


def track_picture(shifts_A: NDArray[np.float64], side_px: int = 320) -> NDArray[np.uint8]:
    """Draw a track as a line with a dot for each frame, the first one larger; it fills the square, y downwards.

    Parameters
    ----------
    shifts_A : (f, 2) array
        x, y.
    side_px : int

    Returns
    -------
    (side, side) uint8 array
        Grey levels.
    """
    low, high = shifts_A.min(axis=0), shifts_A.max(axis=0)
    span = max(float((high - low).max()), 1e-9)
    scale = side_px * (1 - 2 * _MARGIN) / span
    points = (shifts_A - (low + high) / 2) * scale + side_px / 2
    picture = np.full((side_px, side_px), _PAPER)
    parts = np.arange(_STEPS) / _STEPS
    line = (points[:-1, None] + (points[1:] - points[:-1])[:, None] * parts[None, :, None]).reshape(-1, 2)
    unit = side_px / 320
    for place in line:
        _dot(picture, place, unit, _LINE)
    for frame, place in enumerate(points):
        _dot(picture, place, unit * (6.0 if frame == 0 else 3.0), _POINT)
    return np.asarray(np.clip(picture, 0, 255), np.uint8)


def _dot(picture: NDArray[np.float64], place: NDArray[np.float64], radius_px: float, grey: float) -> None:
    """Draw a disc with a soft edge."""
    reach = int(np.ceil(radius_px + 1))
    x, y = (round(float(value)) for value in place)
    rows = slice(max(y - reach, 0), y + reach + 1)
    columns = slice(max(x - reach, 0), x + reach + 1)
    part = picture[rows, columns]
    dy = np.arange(rows.start, rows.start + part.shape[0])[:, None] - place[1]
    dx = np.arange(columns.start, columns.start + part.shape[1])[None, :] - place[0]
    cover = np.clip(radius_px + 0.5 - np.hypot(dx, dy), 0.0, 1.0)
    np.minimum(part, _PAPER + (grey - _PAPER) * cover, out=part)
