"""Grey values of particle images: outliers, ramp, background of mean 0 and standard deviation 1."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy


def remove_outliers(images: Array, sigma: float) -> Array:
    """Replace pixels further than `sigma` standard deviations from their image's mean by that mean.

    The deviation is that of the whole window, so a bright particle without noise is no outlier but a hot pixel is.

    Parameters
    ----------
    images : (m, n, n).
    sigma : standard deviations.
    """
    xp = array_namespace(images)
    mean = xp.mean(images, axis=(-2, -1), keepdims=True)
    spread = xp.std(images, axis=(-2, -1), keepdims=True)
    return xp.where(xp.abs(images - mean) > float(sigma) * spread, mean, images)


def background_mask(box_px: int, particle_radius_px: float) -> NDArray[np.bool_]:
    """Pixels (n, n) outside the particle.

    Raises
    ------
    ValueError
        If fewer than a hundredth of the pixels lie outside.
    """
    steps = np.arange(box_px) - box_px // 2
    outside = np.hypot(steps[:, None], steps[None, :]) > particle_radius_px
    if outside.mean() < 0.01:
        raise ValueError(
            f"A particle of {2 * particle_radius_px:.0f} px diameter leaves no background in a box of {box_px} px; "
            "choose a larger box or a smaller diameter."
        )
    return outside


def normalise_background(
    images: Array, particle_radius_px: float, ramp: bool = True
) -> tuple[Array, NDArray[np.bool_]]:
    """Bring the background to mean 0 and standard deviation 1.

    Parameters
    ----------
    images : (m, n, n) float32.
    particle_radius_px : pixels beyond it are background.
    ramp : subtract the plane that fits the background best, not only its mean.

    Returns
    -------
    (images, usable) : normalised images, and a flag (m,) that is False where the background is flat (a blank window).
    """
    xp = array_namespace(images)
    count, box = images.shape[0], images.shape[-1]
    outside = background_mask(box, particle_radius_px).reshape(-1)
    basis = _plane_basis(box) if ramp else np.ones((1, box * box))
    # least squares on the background pixels only, as one matrix product for all images
    fit = xp.asarray((basis * outside).T @ np.linalg.inv((basis * outside) @ basis.T), dtype=images.dtype)
    # a large pedestal would cost digits in single precision: take the mean out first
    flat = xp.reshape(images, (count, -1))
    flat = flat - xp.mean(flat, axis=1, keepdims=True)
    flat = flat - (flat @ fit) @ xp.asarray(basis, dtype=images.dtype)
    keep = xp.asarray(outside, dtype=images.dtype)
    spread = xp.sqrt(xp.sum(flat * flat * keep, axis=1) / float(outside.sum()))
    level = xp.max(xp.abs(xp.reshape(images, (count, -1))), axis=1)
    usable = spread > 1e-6 * xp.maximum(level, 1e-30)
    scale = xp.where(usable, 1.0 / xp.where(usable, spread, 1.0), 0.0)
    normalised = xp.reshape(flat * scale[:, None], images.shape)
    return normalised, to_numpy(usable)


def _plane_basis(box: int) -> NDArray[np.float64]:
    """Rows 1, x, y over the pixels of a box."""
    steps = np.linspace(-1.0, 1.0, box)
    y, x = np.meshgrid(steps, steps, indexing="ij")
    return np.stack([np.ones(box * box), x.reshape(-1), y.reshape(-1)])
