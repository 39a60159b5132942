"""Pictures of a map with its mask, for the eye only."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.display import contrast_by_sigma

_TINT = (0.30, 0.62, 0.93)
_LINE = (255, 170, 60)


def masked_sections(volume: NDArray[np.float32], mask: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Draw the central sections across z, y and x side by side, the mask tinted and its 0.5 level outlined.

    Parameters
    ----------
    volume, mask : (n, n, n) arrays

    Returns
    -------
    (n, 3 n, 3) uint8 array

    Raises
    ------
    ValueError
        If the mask is of another size.
    """
    if volume.shape != mask.shape or volume.ndim != 3:
        raise ValueError(f"expected a map and a mask of one size, got {volume.shape} and {mask.shape}")
    sections = [
        (each[n], each[:, n], each[:, :, n]) for each, n in ((volume, len(volume) // 2), (mask, len(mask) // 2))
    ]
    grey = np.asarray(contrast_by_sigma(np.concatenate(sections[0], axis=1)), np.float32)
    inside = np.concatenate(sections[1], axis=1)[..., None]
    tinted = grey[..., None] * (1 - 0.35 * inside) + 0.35 * inside * 255 * np.asarray(_TINT, np.float32)
    picture = np.clip(tinted, 0, 255).astype(np.uint8)
    within = inside[..., 0] > 0.5
    edge = np.zeros_like(within)
    for axis in (0, 1):
        edge |= within & ~np.roll(within, 1, axis) | within & ~np.roll(within, -1, axis)
    picture[edge] = _LINE
    return picture
