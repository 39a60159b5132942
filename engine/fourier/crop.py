"""Change of sampling by cropping or padding the spectrum: grey values and the field of view are kept."""

from __future__ import annotations

from engine.arrays import Array, array_namespace
from engine.fourier.transforms import irfft2_centred, irfft3_centred, rfft2_centred, rfft3_centred


def _resize_axis(spectrum: Array, axis: int, size_in: int, size_out: int) -> Array:
    """Crop or zero-pad one full (not half) axis of a spectrum in FFT order."""
    xp = array_namespace(spectrum)
    keep = min(size_in, size_out)
    positive, negative = (keep + 1) // 2, keep // 2
    index: list[slice] = [slice(None)] * spectrum.ndim
    index[axis] = slice(0, positive)
    head = spectrum[tuple(index)]
    index[axis] = slice(size_in - negative, size_in)
    tail = spectrum[tuple(index)]
    if size_out <= size_in:
        return xp.concat([head, tail], axis=axis)
    shape = list(spectrum.shape)
    shape[axis] = size_out - keep
    return xp.concat([head, xp.zeros(tuple(shape), dtype=spectrum.dtype), tail], axis=axis)


def _resize_half_axis(spectrum: Array, size_in: int, size_out: int) -> Array:
    xp = array_namespace(spectrum)
    columns_in, columns_out = size_in // 2 + 1, size_out // 2 + 1
    if columns_out <= columns_in:
        return spectrum[..., :columns_out]
    shape = (*spectrum.shape[:-1], columns_out - columns_in)
    return xp.concat([spectrum, xp.zeros(shape, dtype=spectrum.dtype)], axis=-1)


def resize_spectrum(spectrum: Array, shape_in: tuple[int, ...], shape_out: tuple[int, ...]) -> Array:
    """Crop or zero-pad a half spectrum so that it belongs to an image of another size.

    Parameters
    ----------
    spectrum : array, shape (..., h, w // 2 + 1) or (..., d, h, w // 2 + 1)
        Half spectrum in FFT order.
    shape_in, shape_out : tuple of int
        Real-space shapes before and after.

    Returns
    -------
    array
        Scaled so that grey values are kept.
    """
    dimensions = len(shape_in)
    result = spectrum
    for position in range(dimensions - 1):
        axis = result.ndim - dimensions + position
        result = _resize_axis(result, axis, shape_in[position], shape_out[position])
    result = _resize_half_axis(result, shape_in[-1], shape_out[-1])
    scale = 1.0
    for size_in, size_out in zip(shape_in, shape_out, strict=True):
        scale *= size_out / size_in
    return result * scale


def fourier_resize(images: Array, size_px: int | tuple[int, int]) -> Array:
    """Resample images ``(..., h, w)`` to another number of pixels over the same field of view.

    Parameters
    ----------
    images : array, shape (..., h, w)
        Real images.
    size_px : int or (int, int)
        New side (square) or new ``(h, w)``.

    Returns
    -------
    array
        Images of the new size, same dtype; the centre stays at ``n // 2``.
    """
    shape_in = (images.shape[-2], images.shape[-1])
    shape_out = (size_px, size_px) if isinstance(size_px, int) else size_px
    if shape_in == shape_out:
        return images
    spectrum = resize_spectrum(rfft2_centred(images), shape_in, shape_out)
    xp = array_namespace(images)
    return xp.astype(irfft2_centred(spectrum, shape_out), images.dtype)


def fourier_crop(images: Array, size_px: int | tuple[int, int]) -> Array:
    """Resample images to fewer pixels (see `fourier_resize`).

    Raises
    ------
    ValueError
        When the new size is larger than the old one.
    """
    sides = (size_px, size_px) if isinstance(size_px, int) else size_px
    if sides[0] > images.shape[-2] or sides[1] > images.shape[-1]:
        raise ValueError(
            f"Fourier crop to {sides[0]} × {sides[1]} px of images of {images.shape[-2]} × {images.shape[-1]} px: "
            "the new size must not exceed the old one."
        )
    return fourier_resize(images, size_px)


def fourier_resize_volume(volume: Array, size_px: int) -> Array:
    """Resample a cubic volume ``(n, n, n)`` to ``size_px`` voxels a side over the same field of view."""
    shape_in = tuple(volume.shape)
    shape_out = (size_px, size_px, size_px)
    if shape_in == shape_out:
        return volume
    spectrum = resize_spectrum(rfft3_centred(volume), shape_in, shape_out)
    xp = array_namespace(volume)
    return xp.astype(irfft3_centred(spectrum, shape_out), volume.dtype)
