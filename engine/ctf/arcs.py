"""A spectrum smoothed along arcs, so that the eye finds rings that lie below the noise of single pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, map_coordinates

_ARC_DEG = 12.0
_ANGLES_PER_DEG = 2
_CONTRAST_WIDTH_PX = 8.0
_GREY_PER_STD = 64.0


def smooth_along_arcs(picture: NDArray[np.uint8], arc_deg: float = _ARC_DEG) -> NDArray[np.uint8]:
    """Smooth the upper right quarter of a spectrum's picture along arcs about its centre.

    Astigmatism survives, because only a short arc is averaged. The contrast is levelled from ring to ring.

    Parameters
    ----------
    picture : array, shape (m, m), uint8
        Zero frequency at [m // 2, m // 2].
    arc_deg : float
        Standard deviation of the average along the arc in degrees.

    Returns
    -------
    array, shape (m, m), uint8
        The picture; its upper right quarter is changed, grey beyond the largest whole ring.

    Raises
    ------
    ValueError
        When the picture is not square.
    """
    if picture.ndim != 2 or picture.shape[0] != picture.shape[1]:
        raise ValueError(f"the picture of a spectrum has the shape {picture.shape}; give a square one")
    half = picture.shape[0] // 2
    quarter = np.pad(picture[:half, half:].astype(np.float64), ((0, 1), (0, 0)), mode="edge")
    radius = np.arange(half)[:, None]
    angle = np.linspace(0.0, np.pi / 2, 90 * _ANGLES_PER_DEG + 1)
    places = [half - radius * np.sin(angle), radius * np.cos(angle)]
    rings = map_coordinates(quarter, places, order=1, mode="nearest")
    rings = gaussian_filter1d(rings, arc_deg * _ANGLES_PER_DEG, axis=1, mode="nearest")
    rings = gaussian_filter1d(rings, 0.7, axis=0)
    middle = gaussian_filter1d(rings.mean(axis=1), _CONTRAST_WIDTH_PX)
    spread = np.sqrt(gaussian_filter1d(((rings - middle[:, None]) ** 2).mean(axis=1), _CONTRAST_WIDTH_PX))
    levelled = 128.0 + _GREY_PER_STD * (rings - middle[:, None]) / np.maximum(spread, 1e-6)[:, None]
    up, right = half - np.arange(half)[:, None], np.arange(picture.shape[1] - half)[None, :]
    distance = np.hypot(up, right)
    bearing = np.degrees(np.arctan2(up, right)) * _ANGLES_PER_DEG
    smooth = map_coordinates(levelled, [distance, bearing], order=1, mode="nearest")
    shown = picture.copy()
    shown[:half, half:] = np.clip(np.where(distance < half - 1, smooth, 128.0), 0, 255)
    return shown
