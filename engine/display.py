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

    Raises
    ------
    ValueError
        If fewer pixels than one square are there.
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

    Raises
    ------
    ValueError
        If black and white are the same grey value.
    """
    xp = array_namespace(values)
    if high == low:
        raise ValueError(f"black and white are the same grey value {low}; give two different values")
    scaled = (xp.astype(values, xp.float32) - float(low)) * (GREY_LEVELS / (float(high) - float(low))) + 0.5
    return xp.astype(xp.clip(xp.nan_to_num(scaled), 0, GREY_LEVELS), xp.uint8)


def sigma_limits(image: Array, sigma: float = 3.0) -> tuple[float, float]:
    """Give the grey values that lie ``sigma`` standard deviations below and above the mean (``image`` (..., h, w)).

    Raises
    ------
    ValueError
        If ``sigma`` is not positive.
    """
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

    Raises
    ------
    ValueError
        If ``images`` is no stack, or there is no column.
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
