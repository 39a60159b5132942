"""Which order of rotational symmetry a map has about z."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from engine.fourier.crop import fourier_resize_volume

_ANGLES = 96
_HIGHEST_ORDER = 16


def axial_scores(volume: NDArray[np.floating], pixel_size_A: float, resolution_A: float = 20.0) -> NDArray[np.float64]:
    """Return how symmetric a map is about the z axis through its centre, for orders 0 to 16.

    What depends on the angle about the axis is split into angular harmonics; a map of order ``n`` has those of
    multiples of ``n`` alone. The score is the mean correlation of the map with its ``n - 1`` turned copies, what any
    rotation leaves alone being taken out: 1 for a map with the symmetry, 0 for noise.

    Parameters
    ----------
    volume : (n, n, n) array
        The axis on z, through the centre.
    pixel_size_A : float
    resolution_A : float
        Finest detail looked at.

    Returns
    -------
    (17,) array
        By order; orders 0 and 1 are 1.
    """
    side = volume.shape[0]
    size = min(side, max(16, 2 * round(side * pixel_size_A / resolution_A)))
    small = np.asarray(fourier_resize_volume(np.asarray(volume, np.float32), size), np.float64)
    radii_px = np.arange(1, size // 2 - 1)
    angles = 2 * np.pi * np.arange(_ANGLES) / _ANGLES
    y, x = (size // 2 + radii_px[:, None] * wave for wave in (np.sin(angles), np.cos(angles)))
    power = np.zeros(_ANGLES // 2 + 1)
    for section in small:
        rings = map_coordinates(section, (y, x), order=3, mode="nearest")
        power += (np.abs(np.fft.rfft(rings, axis=1)) ** 2 * radii_px[:, None]).sum(axis=0)
    power = power[1:-1]
    total = max(float(power.sum()), 1e-30)
    scores = np.ones(_HIGHEST_ORDER + 1)
    for order in range(2, _HIGHEST_ORDER + 1):
        share = float(power[order - 1 :: order].sum()) / total
        scores[order] = (order * share - 1) / (order - 1)
    return scores


def most_likely_order(scores: NDArray[np.float64], sure: float = 0.5) -> int:
    """Return the highest order of `axial_scores` that is as good as the best one, or 1 when none is good enough."""
    best = float(scores[2:].max())
    return int(np.flatnonzero(scores[2:] >= 0.85 * best)[-1] + 2) if best >= sure else 1
