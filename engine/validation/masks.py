"""Soft masks made from a map: threshold, dilate, soft edge.

All of them are made with a Euclidean distance transform (Maurer, Qi & Raghavan, IEEE TPAMI 25, 265-270,
2003) of the voxels above the threshold, so near and far are true distances from the map's surface.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.arrays import Array, array_namespace, for_scipy, scipy_module, to_numpy
from engine.fourier.filters import low_pass
from engine.windows import cosine_edge, soft_sphere

SPHERE_FRACTION = 0.85
"""The spherical mask is 1 inside this share of half the box."""

LOOSE = (0.5, 25.0, 40.0)
TIGHT = (0.5, 6.0, 12.0)
REFINEMENT = (0.2, 6.0, 14.0)
"""Threshold as a share of the maximum, and the distances in Å where the mask leaves 1 and reaches 0."""

_SMALLEST_ISLAND = 0.05
_OTSU_BINS = 256


def spherical_mask(box_px: int) -> NDArray[np.float32]:
    """Soft sphere (n, n, n): 1 inside 85 % of half the box, cosine edge to 0 at half the box."""
    radius = SPHERE_FRACTION * box_px / 2
    return soft_sphere(box_px, radius, box_px / 2 - radius)


def soft_mask_from_map(
    volume: Array,
    pixel_size_A: float,
    threshold_fraction: float,
    near_A: float,
    far_A: float,
    low_pass_A: float | None = 15.0,
) -> NDArray[np.float32]:
    """Mask of everything near the voxels above a share of the map's maximum.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
    threshold_fraction : float
        Share of the (low-passed) map's maximum, between 0 and 1.
    near_A, far_A : float
        The mask is 1 within `near_A` of a voxel above the threshold and falls as a cosine to 0 at `far_A`.
    low_pass_A : float or None
        Resolution that the map is smoothed to first; None leaves it as it is.

    Returns
    -------
    (n, n, n) float32 array
        Values from 0 to 1.

    Raises
    ------
    ValueError
        If the threshold or the distances make no sense, or the map has no positive density.
    """
    smooth = _smoothed(volume, pixel_size_A, low_pass_A)
    top = positive_maximum(smooth, threshold_fraction)
    return soft_mask_from_inside(smooth > threshold_fraction * top, pixel_size_A, near_A, far_A)


def refinement_mask(
    volume: Array,
    pixel_size_A: float,
    threshold_fraction: float = REFINEMENT[0],
    near_A: float = REFINEMENT[1],
    far_A: float = REFINEMENT[2],
    low_pass_A: float | None = 15.0,
) -> NDArray[np.float32]:
    """Dynamic mask of a refinement: a low threshold, so specks of noise are left out.

    Specks are islands of less than a twentieth of the largest one.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
        Å per px.
    threshold_fraction : float
        Of the map's maximum.
    near_A, far_A : float
        Å from the voxels above the threshold to where the mask begins to fall, and to where it is 0.
    low_pass_A : float or None
        Å; the map is low-passed to it first.

    Returns
    -------
    (n, n, n) float32 array, 0 to 1
    """
    smooth = _smoothed(volume, pixel_size_A, low_pass_A)
    top = positive_maximum(smooth, threshold_fraction)
    inside = _without_specks(smooth > threshold_fraction * top)
    return soft_mask_from_inside(inside, pixel_size_A, near_A, far_A)


def automatic_mask(
    volume: Array, pixel_size_A: float, near_A: float = TIGHT[1], far_A: float = TIGHT[2], low_pass_A: float = 15.0
) -> NDArray[np.float32]:
    """Mask whose threshold the map itself decides.

    The threshold is the one that parts the voxels of the sphere in the box best into two classes (Otsu, IEEE Trans
    Syst Man Cybern 9, 62-66, 1979); specks are left out.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
        Å per px.
    near_A, far_A : float
        Å from the voxels above the threshold to where the mask begins to fall, and to where it is 0.
    low_pass_A : float
        Å; the map is low-passed to it first.

    Returns
    -------
    (n, n, n) float32 array, 0 to 1

    Raises
    ------
    ValueError
        If the map has no positive density.
    """
    smooth = _smoothed(volume, pixel_size_A, low_pass_A)
    values = smooth[spherical_mask(smooth.shape[-1]) > 0.5]
    threshold = max(otsu_threshold(values), 0.0)
    if not (smooth > threshold).any():
        raise ValueError("the map has no positive density to make a mask from; is its contrast inverted?")
    return soft_mask_from_inside(_without_specks(smooth > threshold), pixel_size_A, near_A, far_A)


def positive_maximum(volume: Array, threshold_fraction: float) -> float:
    """Return a map's maximum, of which a threshold is to be a share.

    Raises
    ------
    ValueError
        If the share is not between 0 and 1, or nothing of the map is positive.
    """
    if not 0 < threshold_fraction < 1:
        raise ValueError(f"threshold must be a share of the maximum between 0 and 1, got {threshold_fraction}")
    top = float(array_namespace(volume).max(volume))
    if not top > 0:
        raise ValueError("the map has no positive density to make a mask from; is its contrast inverted?")
    return top


def soft_mask_from_inside(inside: Array, pixel_size_A: float, near_A: float, far_A: float) -> Array:
    """Dilate a binary mask (n, n, n) by `near_A` and let it fall as a cosine to 0 at `far_A`.

    The result is float32, on the GPU where `inside` is and as a NumPy array elsewhere.

    Parameters
    ----------
    inside : (n, n, n) bool array
    pixel_size_A : float
        Å per px.
    near_A, far_A : float
        Å.

    Raises
    ------
    ValueError
        If it would end before it begins to fall.
    """
    if not 0 <= near_A <= far_A:
        raise ValueError(f"expected 0 ≤ near ≤ far, got {near_A} Å and {far_A} Å")
    inside = for_scipy(inside)
    xp = array_namespace(inside)
    mask = xp.zeros(inside.shape, dtype=xp.float32)
    if not bool(inside.any()):
        return mask
    # the transform is needed no further than `far` from the particle
    reach = int(np.ceil(far_A / pixel_size_A)) + 1
    window = tuple(_window(inside, axis, reach) for axis in range(inside.ndim))
    distance = scipy_module(inside, "ndimage").distance_transform_edt(~inside[window])
    distance_A = distance.astype(xp.float32) * np.float32(pixel_size_A)
    mask[window] = cosine_edge(distance_A - np.float32(near_A), far_A - near_A)
    return mask


def otsu_threshold(values: NDArray[np.floating]) -> float:
    """Threshold between two classes of values: the one with the largest variance between the classes."""
    counts, edges = np.histogram(values, bins=_OTSU_BINS)
    centres = 0.5 * (edges[:-1] + edges[1:])
    below = np.cumsum(counts)
    above = below[-1] - below
    sums = np.cumsum(counts * centres)
    mean_below = sums / np.maximum(below, 1)
    mean_above = (sums[-1] - sums) / np.maximum(above, 1)
    between = below * above * np.square(mean_above - mean_below)
    return float(edges[int(np.argmax(between)) + 1])


def _smoothed(volume: Array, pixel_size_A: float, low_pass_A: float | None) -> NDArray[np.float32]:
    if volume.ndim != 3 or len(set(volume.shape)) != 1:
        raise ValueError(f"expected a cubic map, got shape {tuple(volume.shape)}")
    if low_pass_A is not None and low_pass_A > 2 * pixel_size_A:
        volume = low_pass(volume, pixel_size_A, low_pass_A, ndim=3)
    return np.asarray(to_numpy(volume), dtype=np.float32)


def _window(inside: Array, axis: int, reach: int) -> slice:
    other = tuple(a for a in range(inside.ndim) if a != axis)
    hits = np.flatnonzero(to_numpy(inside.any(axis=other)))
    return slice(max(int(hits[0]) - reach, 0), int(hits[-1]) + reach + 1)


def _without_specks(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    labels, count = ndimage.label(inside)
    if count < 2:
        return inside
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray((sizes >= _SMALLEST_ISLAND * sizes.max())[labels] & inside)
