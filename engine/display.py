"""Pictures for the screen: arrays of grey values become uint8 images of a size that a person can look at.

Everything here serves the eye, not the analysis: nothing that is measured may start from one of these pictures.
All functions take the array library of their input (NumPy or CuPy) and return arrays of the same library.
"""

from __future__ import annotations

import math

from engine.arrays import Array, array_namespace
from engine.fourier.filters import high_pass, low_pass

GREY_LEVELS = 255


def bin_image(image: Array, factor: int) -> Array:
    """Average squares of ``factor`` x ``factor`` pixels; rows and columns that do not fill a square are left out.

    Parameters
    ----------
    image : array, shape (..., h, w)
        Real grey values.
    factor : int
        Side of the square, at least 1.

    Returns
    -------
    array, shape (..., h // factor, w // factor), float32
    """
    xp = array_namespace(image)
    height, width = image.shape[-2] // factor, image.shape[-1] // factor
    if factor < 1 or height == 0 or width == 0:
        raise ValueError(
            f"an image of {image.shape[-2]} x {image.shape[-1]} px cannot be binned {factor} times; use less"
        )
    image = xp.astype(image[..., : height * factor, : width * factor], xp.float32)
    if factor == 1:
        return image
    rows = sum(image[..., row::factor, :] for row in range(factor))  # strided sums: no copy of the whole image
    columns = sum(rows[..., column::factor] for column in range(factor))
    return columns / float(factor * factor)


def grey_statistics(image: Array) -> tuple[float, float]:
    """Mean and standard deviation of the grey values without their extremes.

    A hot pixel or a beam edge must not flatten the picture, so values beyond 4 standard deviations of a first estimate
    are left out of the second. At most about 100,000 pixels on a regular grid are looked at.

    Parameters
    ----------
    image : array, shape (..., h, w)

    Returns
    -------
    mean, std : float
        Grey values; the standard deviation is 1 for a constant image.
    """
    xp = array_namespace(image)
    step = max(1, math.isqrt(max(1, image.shape[-2] * image.shape[-1] // 100_000)))
    sample = xp.astype(image[..., ::step, ::step], xp.float64)
    mean, std = float(xp.mean(sample)), float(xp.std(sample))
    if not (math.isfinite(mean) and std > 0):
        return (mean if math.isfinite(mean) else 0.0), 1.0
    inside = sample[xp.abs(sample - mean) <= 4 * std]
    mean, std = float(xp.mean(inside)), float(xp.std(inside))
    return mean, (std if std > 0 else 1.0)


def to_uint8(values: Array, low: float, high: float) -> Array:
    """Map grey values linearly so that ``low`` becomes 0 and ``high`` 255; what is outside is clipped, NaN becomes 0.

    Parameters
    ----------
    values : array, any shape
    low, high : float
        Grey values of black and white; ``high`` may lie below ``low`` to invert the contrast.

    Returns
    -------
    array, same shape, uint8
    """
    xp = array_namespace(values)
    if high == low:
        raise ValueError(f"black and white are the same grey value {low}; give two different values")
    scaled = (xp.astype(values, xp.float32) - float(low)) * (GREY_LEVELS / (float(high) - float(low))) + 0.5
    return xp.astype(xp.clip(xp.nan_to_num(scaled), 0, GREY_LEVELS), xp.uint8)


def sigma_limits(image: Array, sigma: float = 3.0) -> tuple[float, float]:
    """Give the grey values that lie ``sigma`` standard deviations below and above the mean (``image`` (..., h, w))."""
    if sigma <= 0:
        raise ValueError(f"the contrast is {sigma} standard deviations; give a value above 0, usually 3")
    mean, std = grey_statistics(image)
    return mean - sigma * std, mean + sigma * std


def contrast_by_sigma(image: Array, sigma: float = 3.0, invert: bool = False) -> Array:
    """Give a uint8 picture whose grey range is the mean ± ``sigma`` standard deviations.

    Parameters
    ----------
    image : array, shape (..., h, w)
    sigma : float
        Half the grey range in standard deviations, > 0 (RELION's "sigma contrast").
    invert : bool
        Protein white on a dark ground instead of dark on white.

    Returns
    -------
    array, same shape, uint8
    """
    ends = sigma_limits(image, sigma)
    return to_uint8(image, *(ends[::-1] if invert else ends))


def display_binning(shape: tuple[int, ...], longest_px: int = 2048) -> int:
    """Give the smallest binning for which the longer side is at most ``longest_px``."""
    return max(1, -(-max(shape[-2:]) // longest_px))


def filtered(image: Array, pixel_size_A: float, low_pass_A: float = 0.0, high_pass_A: float = 0.0) -> Array:
    """Filter a picture (h, w) for the eye; 0 Å switches a filter off, as does a low-pass below the Nyquist limit."""
    if low_pass_A > 2 * pixel_size_A:
        image = low_pass(image, pixel_size_A, low_pass_A, ndim=2)
    if high_pass_A > 0:
        image = high_pass(image, pixel_size_A, high_pass_A, ndim=2)
    return image


def micrograph_picture(
    binned: Array, pixel_size_A: float, low_pass_A: float = 0.0, high_pass_A: float = 0.0, sigma: float = 5.0
) -> Array:
    """Filter an already binned micrograph and turn it into a uint8 picture.

    The default range of ± 5 standard deviations leaves room for the contrast slider of the screen, which works on the
    8-bit picture.

    Parameters
    ----------
    binned : array, shape (h, w)
        Micrograph from :func:`bin_image`, float32.
    pixel_size_A : float
        Å per pixel of ``binned``.
    low_pass_A, high_pass_A : float
        Resolution limits in Å; 0 switches a filter off. A low-pass below the Nyquist limit does nothing.
    sigma : float
        Half the grey range in standard deviations.

    Returns
    -------
    array, shape (h, w), uint8
    """
    return contrast_by_sigma(filtered(binned, pixel_size_A, low_pass_A, high_pass_A), sigma)


def atlas(images: Array, columns: int, sigma: float = 4.0) -> Array:
    """Put images of one size side by side, each with its own contrast.

    Parameters
    ----------
    images : array, shape (count, h, w)
    columns : int
        Images in a row.
    sigma : float
        Half the grey range of each image in standard deviations; 0 for its full range from minimum to maximum.

    Returns
    -------
    array, shape (rows * h, columns * w), uint8
        Places that are left over are 0.
    """
    xp = array_namespace(images)
    if images.ndim != 3 or columns < 1:
        raise ValueError(
            f"an atlas needs images of shape (count, h, w) and columns >= 1; found {tuple(images.shape)}, {columns}"
        )
    count, height, width = images.shape
    rows = max(1, -(-count // columns))
    picture = xp.zeros((rows * height, columns * width), dtype=xp.uint8)
    for index in range(count):
        row, column = divmod(index, columns)
        place = (slice(row * height, (row + 1) * height), slice(column * width, (column + 1) * width))
        picture[place] = _one_of_atlas(images[index, :, :], sigma)
    return picture


def _one_of_atlas(image: Array, sigma: float) -> Array:
    xp = array_namespace(image)
    if sigma > 0:
        return contrast_by_sigma(image, sigma)
    low, high = float(xp.min(image)), float(xp.max(image))
    return to_uint8(image, low, high if high > low else low + 1.0)


def volume_to_uint8(volume: Array) -> tuple[Array, float, float]:
    """Quantise a map to 256 levels for the screen.

    Returns
    -------
    levels : array, shape (z, y, x), uint8
    low, high : float
        Map values of level 0 and 255: value = low + level * (high - low) / 255. The ends are the minimum and maximum.
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
