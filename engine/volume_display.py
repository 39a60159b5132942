"""Maps for the screen: grey levels, a first contour, slices and a shaded surface.

As in :mod:`engine.display`, nothing that is measured may start from one of these pictures.
"""

from __future__ import annotations

import math

from engine.arrays import Array, array_namespace
from engine.display import GREY_LEVELS, bin_image, grey_statistics, to_uint8


def volume_to_uint8(volume: Array) -> tuple[Array, float, float]:
    """Quantise a map to 256 levels for the screen.

    Returns
    -------
    levels : array, shape (z, y, x), uint8
    low, high : float
        Map values of level 0 and 255: value = low + level * (high - low) / 255. The ends are the minimum and maximum.

    Raises
    ------
    ValueError
        If it holds what is no finite number.
    """
    xp = array_namespace(volume)
    low, high = float(xp.min(volume)), float(xp.max(volume))
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError("the volume holds values that are not finite numbers; it cannot be shown")
    if high <= low:
        high = low + 1.0
    return to_uint8(volume, low, high), low, high


def contour_floor(volume: Array) -> float:
    """Give a map value below which nobody contours: 0.5 standard deviation, or 1.25 of the noise's, above the middle.

    The noise is read from the lower half of the values (median minus 16 % quantile), which the particle does not touch.
    """
    xp = array_namespace(volume)
    values = xp.reshape(volume, (-1,))
    ordered = xp.sort(values[:: max(1, values.shape[0] // 200_000)])
    median, low = float(ordered[ordered.shape[0] // 2]), float(ordered[ordered.shape[0] * 16 // 100])
    return max(float(xp.mean(values)) + 0.5 * float(xp.std(values)), median + 1.25 * (median - low))


def suggested_contour(volume: Array, sigma: float = 3.0) -> tuple[float, float, float]:
    """Give the map's mean, standard deviation and a first contour level at mean + ``sigma`` standard deviations.

    Returns
    -------
    mean, std, level : float
        Map units. The level is kept below 90 % of the maximum so that something is always seen.
    """
    xp = array_namespace(volume)
    values = xp.astype(volume, xp.float64)
    mean, std, top = float(xp.mean(values)), float(xp.std(values)), float(xp.max(values))
    return mean, std, min(mean + sigma * std, mean + 0.9 * (top - mean))


def bin_volume(volume: Array, factor: int) -> Array:
    """Average cubes of ``factor``³ voxels; planes that do not fill a cube are left out.

    Parameters
    ----------
    volume : array, shape (z, y, x)
    factor : int
        Side of the cube, at least 1.

    Returns
    -------
    array, shape (z // factor, y // factor, x // factor), float32

    Raises
    ------
    ValueError
        If fewer planes than one cube are there.
    """
    planes = bin_image(volume, factor)
    depth = planes.shape[0] // factor
    if depth == 0:
        raise ValueError(f"a volume of {volume.shape[0]} planes cannot be binned {factor} times; use less")
    return sum(planes[plane : depth * factor : factor, :, :] for plane in range(factor)) / float(factor)


def level_histogram(levels: Array) -> Array:
    """Count the voxels at each of the 256 levels of a quantised map, shape (256,)."""
    xp = array_namespace(levels)
    ordered = xp.sort(xp.reshape(levels, (-1,)))
    ends = xp.searchsorted(ordered, xp.arange(GREY_LEVELS + 1, dtype=xp.uint8), side="right")
    return xp.concat([ends[:1], ends[1:] - ends[:-1]])


def central_slices(volume: Array, sigma: float = 4.0) -> tuple[Array, Array, Array]:
    """Give the three central slices (xy, xz, yz) as uint8 pictures of one contrast."""
    mean, std = grey_statistics(volume)
    centre = [side // 2 for side in volume.shape]
    planes = (volume[centre[0], :, :], volume[:, centre[1], :], volume[:, :, centre[2]])
    return tuple(to_uint8(plane, mean - sigma * std, mean + 2 * sigma * std) for plane in planes)


def shaded_surface(volume: Array, level: float) -> Array:
    """Draw the isosurface of a map as seen along z, lit from the upper left: a picture without a graphics card.

    Parameters
    ----------
    volume : array, shape (z, y, x)
        Transpose it to look along another axis; the viewer is at large z, y points up in the picture.
    level : float
        Contour level in map units.

    Returns
    -------
    array, shape (y, x), uint8
        255 is the ground, the first row is the largest y.
    """
    xp = array_namespace(volume)
    seen = xp.flip(volume, axis=(0, 1))
    inside = seen > level
    hit = xp.any(inside, axis=0)
    first = xp.argmax(xp.astype(inside, xp.uint8), axis=0)
    rows, columns = xp.arange(seen.shape[1])[:, None], xp.arange(seen.shape[2])[None, :]
    at, before = seen[first, rows, columns], seen[xp.clip(first - 1, 0, None), rows, columns]
    part = xp.where(at > before, (level - before) / xp.where(at > before, at - before, 1.0), 1.0)
    depth = xp.where(hit, first - 1 + xp.clip(part, 0, 1), float(seen.shape[0]))
    slope_y, slope_x = (xp.roll(depth, -1, axis=a) - xp.roll(depth, 1, axis=a) for a in (0, 1))
    length = xp.sqrt(slope_x**2 + slope_y**2 + 4.0)
    light = (-0.45 * slope_x - 0.6 * slope_y + 0.66 * 2.0) / length
    near = 1.0 - 0.5 * depth / seen.shape[0]
    return to_uint8(xp.where(hit, xp.clip(0.2 + 0.8 * light, 0.05, 1.0) * near, 1.0), 0.0, 1.0)
