"""Forward transforms of which a part is known to be zero, or is not wanted."""

from __future__ import annotations

from collections.abc import Iterable

from engine.arrays import Array, array_namespace, scipy_module


def rfft2_padded(images: Array, shape: tuple[int, int]) -> Array:
    """`rfft2` of images ``(..., h, w)`` with zeros behind their last rows and columns up to a larger ``shape``.

    Rows that hold nothing but zeros are not transformed along x: half of the work where the images are small.
    """
    fft = scipy_module(images, "fft")
    return fft.fft(fft.rfft(images, n=shape[1], axis=-1), n=shape[0], axis=-2)


def rfft2_cropped(strips: Iterable[Array], shape: tuple[int, int], cropped: tuple[int, int]) -> Array:
    """Low frequencies of `rfft2` of an image ``(h, w)``: those of an image of the smaller shape ``cropped``, unscaled.

    The image comes in strips of whole rows, in order. Only columns that are kept are transformed along y: a small part
    of the work, and of the memory, where the image is far larger than what is kept.
    """
    lines = [scipy_module(strip, "fft").rfft(strip, axis=-1)[:, : cropped[1] // 2 + 1] for strip in strips]
    xp = array_namespace(lines[0])
    spectrum = scipy_module(lines[0], "fft").fft(xp.concat(lines, axis=0), axis=0)
    positive, negative = (cropped[0] + 1) // 2, cropped[0] // 2
    return xp.concat([spectrum[:positive, :], spectrum[shape[0] - negative :, :]], axis=0)
