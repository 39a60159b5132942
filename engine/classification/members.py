"""Particles of a class laid on each other, for the eye."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from engine.display import atlas
from engine.fourier.crop import fourier_resize
from engine.fourier.filters import low_pass, shift_images


def aligned(
    images: NDArray[np.float32], psi_deg: NDArray[np.floating], shift_px: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Shift and turn particles as their class average is.

    Parameters
    ----------
    images : array, shape (m, n, n)
    psi_deg : array, shape (m,)
        In-plane angle of each (rlnAnglePsi).
    shift_px : array, shape (m, 2)
        x and y of the movement that centres each image, in px.

    Returns
    -------
    array, shape (m, n, n), float32
    """
    centred = shift_images(images, shift_px)
    turned = np.empty_like(centred)
    middle = images.shape[-1] // 2
    for index, angle in enumerate(np.radians(psi_deg)):
        rows_y_x = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        offset = middle - rows_y_x @ (middle, middle)
        turned[index] = affine_transform(centred[index], rows_y_x, offset, order=1, mode="nearest")
    return turned


def montage(
    images: NDArray[np.float32], pixel_size_A: float, columns: int, low_pass_A: float = 0.0, tile_px: int = 96
) -> NDArray[np.uint8]:
    """Put particles side by side, low-passed, each with its own contrast.

    Parameters
    ----------
    images : array, shape (m, n, n)
    pixel_size_A : float
        Å per pixel.
    columns : int
        Images in a row.
    low_pass_A : float
        Resolution limit in Å; 0 shows everything.
    tile_px : int
        Largest side of an image in the picture.

    Returns
    -------
    array, shape (rows * s, columns * s), uint8
        The side s is the smaller of ``tile_px`` and n.
    """
    if low_pass_A > 2 * pixel_size_A:
        images = low_pass(images, pixel_size_A, low_pass_A, ndim=2)
    if images.shape[-1] > tile_px:
        images = fourier_resize(images, tile_px)
    left_over = np.zeros((-len(images) % columns, *images.shape[1:]), np.float32)  # become plain grey
    return np.asarray(atlas(np.concatenate([images, left_over]), columns, sigma=3.0))
