"""Whether protein is white in particle images, told from the images themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.fourier.transforms import irfft2, rfft2
from engine.particles import Particles

_BATCH = 64
_EDGE_PX = 2.0


def contrast_significance(particles: Particles, radius_A: float, most: int = 256) -> float:
    """Tell how surely protein is white.

    Each image is compared with what its CTF makes of a bright disc. A single image says little, the mean of many is
    sure; a disc stands for any particle because only the sign is asked for.

    Parameters
    ----------
    particles : Particles
        Centred to a fraction of the radius; poses are not needed.
    radius_A : float
        Radius of the particle, no larger than half the box counts.
    most : int
        Number of images looked at, spread evenly over the set.

    Returns
    -------
    float
        Mean score over its standard error: well above 0 for white protein, well below for black, near 0 when the
        images do not tell (0 for fewer than two images).
    """
    chosen = np.unique(np.linspace(0, particles.count - 1, min(most, particles.count)).round().astype(np.intp))
    if len(chosen) < 2:
        return 0.0
    disc = rfft2(_disc(particles.box_px, radius_A / particles.pixel_size_A))
    scores = np.concatenate(
        [_scores(particles, chosen[start : start + _BATCH], disc) for start in range(0, len(chosen), _BATCH)]
    )
    error = float(scores.std(ddof=1)) / np.sqrt(len(scores))
    return float(scores.mean() / error) if error > 0 else 0.0


def _scores(particles: Particles, indices: NDArray[np.intp], disc: NDArray[np.complexfloating]) -> NDArray[np.float64]:
    """Correlation of images with the disc as their CTF shows it."""
    shape = (particles.box_px, particles.box_px)
    expected = irfft2(disc * particles.ctf_rfft2(indices), shape).astype(np.float64)
    images = particles.images(indices).astype(np.float64)
    for stack in (expected, images):
        stack -= stack.mean(axis=(1, 2), keepdims=True)
    norms = np.sqrt((expected**2).sum(axis=(1, 2)) * (images**2).sum(axis=(1, 2)))
    return np.asarray((expected * images).sum(axis=(1, 2)) / np.maximum(norms, 1e-20))


def _disc(box_px: int, radius_px: float) -> NDArray[np.float32]:
    axis = np.arange(box_px) - box_px // 2
    distance = np.hypot(axis[:, None], axis[None, :])
    inside = np.clip((min(radius_px, 0.45 * box_px) - distance) / _EDGE_PX + 0.5, 0, 1)
    return inside.astype(np.float32)
