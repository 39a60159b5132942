"""Soft windows in real space: discs, spheres, cosine edges."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace


def cosine_edge(distance: Array, edge: float) -> Array:
    """Return 1 for distance ≤ 0, 0 beyond ``edge``, and half a cosine between (units of ``distance``; float32)."""
    xp = array_namespace(distance)
    if edge <= 0:
        return xp.astype(distance <= 0, xp.float32)
    ramp = xp.minimum(xp.maximum(distance / edge, 0.0), 1.0)
    return xp.astype(0.5 + 0.5 * xp.cos(np.pi * ramp), xp.float32)


def radius_px(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the distance in px of each pixel from the centre ``n // 2``."""
    axes = np.ix_(*[np.arange(n, dtype=np.float32) - n // 2 for n in shape])
    return np.sqrt(sum(axis**2 for axis in axes)).astype(np.float32)


def soft_disc(size_px: int, radius: float, edge: float) -> NDArray[np.float32]:
    """Return a ``(size, size)`` mask: 1 inside ``radius`` px, cosine to 0 over the next ``edge`` px."""
    return cosine_edge(radius_px((size_px, size_px)) - radius, edge)


def soft_sphere(size_px: int, radius: float, edge: float) -> NDArray[np.float32]:
    """Return a ``(size, size, size)`` mask: 1 inside ``radius`` px, cosine to 0 over the next ``edge`` px."""
    return cosine_edge(radius_px((size_px, size_px, size_px)) - radius, edge)
