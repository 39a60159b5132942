"""Images on another grid of any pixel size and box: the exact interpolation of what their spectrum holds."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

_TOLERANCE = 1e-6


@lru_cache(maxsize=16)
def regrid_matrix(size_in: int, size_out: int, ratio: float) -> NDArray[np.float32]:
    """Return the matrix ``(size_out, size_in)`` that brings one axis of an image to another sampling.

    Its rows are periodic sinc functions (Dirichlet kernels) without frequencies that the old or the new sampling does
    not hold. Index ``n // 2`` stays the centre; what lies outside the old field of view is 0.

    Parameters
    ----------
    size_in, size_out : int
        Number of pixels before and after.
    ratio : float
        New pixel size over the old one.
    """
    at = (np.arange(size_out) - size_out // 2) * ratio
    edge = np.array([-(size_in // 2), (size_in - 1) // 2])
    finest = size_in / 2 / max(ratio, 1.0)
    frequencies = np.arange(int(finest + _TOLERANCE) + 1)
    # the cosine at the limit stands for a positive and a negative frequency, of which a grid holds half each
    weights = np.where(frequencies == 0, 1.0, np.where(np.abs(frequencies - finest) < _TOLERANCE, 1.0, 2.0))
    turns = 2 * np.pi / size_in * frequencies
    old, new = (np.arange(size_in) - size_in // 2)[:, None] * turns, at[:, None] * turns
    matrix = ((np.cos(new) * weights) @ np.cos(old).T + (np.sin(new) * weights) @ np.sin(old).T) / size_in
    matrix[(at < edge[0] - 0.5) | (at > edge[1] + 0.5)] = 0.0
    return matrix.astype(np.float32)


def regrid(
    images: NDArray[np.float32], pixel_size_A: float, box_px: int, new_pixel_size_A: float
) -> NDArray[np.float32]:
    """Return images on another grid with the same centre.

    Fields of view need not be commensurate: each axis is one product with a matrix. Images of background standard
    deviation 1 keep it (and so, of equal dose, one scale of their signal), as white noise that loses its fine detail
    is scaled up by the ratio of the pixel sizes.

    Parameters
    ----------
    images : (m, n, n) float32 array
        Background mean 0.
    pixel_size_A, new_pixel_size_A : float
        Å per px, before and after.
    box_px : int
        Side of the new images; around the old field of view they are 0.

    Returns
    -------
    (m, box_px, box_px) float32 array
    """
    ratio = new_pixel_size_A / pixel_size_A
    matrix = regrid_matrix(images.shape[-1], box_px, ratio)
    return np.matmul(np.matmul(matrix, images), matrix.T) * np.float32(ratio)
