"""Which class averages show the same object: two projections of one object share a line.

The transforms of two projections meet in the line where their planes cut (Crowther, DeRosier & Klug, Proc R Soc Lond A
317, 319, 1970), so some one-dimensional projection of the one equals some one-dimensional projection of the other.
Averages of different objects share none. At low resolution this needs no orientation and no more signal than class
averages have, and views that look nothing alike, from above and from the side, still find each other.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.ndimage import rotate
from scipy.spatial.distance import squareform

_ANGLES = 36
_FINEST_A = 17.0
_SHIFT_PX = 3
_APART = 0.19
"""Mean distance beyond which groups of classes are different objects: views of one lie within 0.11 to 0.13, the nearest
other objects, of the same mass and outline, 0.26 and more away."""


def common_line_distances(averages: NDArray[np.floating], pixel_size_A: float) -> NDArray[np.float64]:
    """Return how unlike the most alike lines of each two averages are.

    Parameters
    ----------
    averages : (C, n, n) class averages, empty outside the particle.
    pixel_size_A : Å per px.

    Returns
    -------
    (C, C) root of the squared difference over the squared sum of the lines: 0 where they are equal, 1 where unrelated.
    """
    count, n = averages.shape[0], averages.shape[-1]
    kept = min(max(4, int(n * pixel_size_A / _FINEST_A) + 1), n // 2)
    turns = np.arange(_ANGLES) * (180.0 / _ANGLES)
    lines = np.stack([rotate(averages, t, axes=(1, 2), reshape=False, order=1).sum(axis=1) for t in turns], axis=1)
    spectra = np.fft.rfft(np.fft.ifftshift(lines, axes=-1), axis=-1)[:, :, :kept]
    # mass and outline, which all compact objects share, lie in the first few coefficients: the ramp that makes sections
    # out of projections gives the detail its due; where there is no frequency half a step stands for it
    ramp = np.maximum(np.arange(kept), 0.5)
    ramp[0] *= np.sqrt(0.5)  # the other coefficients stand for two
    spectra *= ramp
    square = np.sum(np.abs(spectra) ** 2, axis=-1)
    total = square.reshape(-1, 1) + square.reshape(1, -1)
    flat, likest = spectra.reshape(-1, kept), np.zeros((count, count))
    for shift_px in range(-_SHIFT_PX, _SHIFT_PX + 1):
        moved = flat * np.exp(-2j * np.pi * shift_px * np.arange(kept) / n)
        for other in (moved, moved.conj()):  # a line read from its other end
            product = 2 * (flat @ other.conj().T).real / np.maximum(total, 1e-30)
            likest = np.maximum(likest, product.reshape(count, _ANGLES, count, _ANGLES).max(axis=(1, 3)))
    distance = np.sqrt(np.clip(1 - likest, 0, 1))
    np.fill_diagonal(distance, 0)
    return np.maximum(distance, distance.T)


def objects_of(averages: NDArray[np.floating], pixel_size_A: float) -> NDArray[np.int64]:
    """Number the objects (from 1) that class averages show; classes of one number share lines with each other."""
    if len(averages) < 2:
        return np.ones(len(averages), np.int64)
    distance = common_line_distances(averages, pixel_size_A)
    tree = linkage(squareform(distance, checks=False), method="average")
    return fcluster(tree, _APART, criterion="distance").astype(np.int64)
