"""How well particle images look like discs of several sizes: their contrast and their size show without poses."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.fourier.transforms import irfft2, rfft2
from engine.particles import Particles

_BATCH = 64
_EDGE_PX = 2.0


def disc_scores(particles: Particles, radii_A: Sequence[float], most: int = 256) -> NDArray[np.float64]:
    """Correlate images with what their CTF makes of bright discs.

    Parameters
    ----------
    particles : Particles
        Centred to a fraction of the radii; poses are not needed.
    radii_A : sequence of float
        Radii of the discs; no larger than 0.45 of the box counts.
    most : int
        Number of images looked at, spread evenly over the set.

    Returns
    -------
    (k, m) array
        Correlation for each radius and image.
    """
    chosen = np.unique(np.linspace(0, particles.count - 1, min(most, particles.count)).round().astype(np.intp))
    discs = [rfft2(_disc(particles.box_px, radius_A / particles.pixel_size_A)) for radius_A in radii_A]
    parts = [_scores(particles, chosen[start : start + _BATCH], discs) for start in range(0, len(chosen), _BATCH)]
    return np.concatenate(parts, axis=1)


def significance(scores: NDArray[np.float64]) -> float:
    """Return the mean of scores ``(m,)`` over its standard error; 0 for fewer than two."""
    error = float(scores.std(ddof=1)) / np.sqrt(len(scores)) if len(scores) > 1 else 0.0
    return float(scores.mean() / error) if error > 0 else 0.0


def _scores(
    particles: Particles, indices: NDArray[np.intp], discs: Sequence[NDArray[np.complexfloating]]
) -> NDArray[np.float64]:
    shape = (particles.box_px, particles.box_px)
    ctf = particles.ctf_rfft2(indices)
    images = _centred(particles.images(indices))
    found = []
    for disc in discs:
        expected = _centred(irfft2(disc * ctf, shape))
        norms = np.sqrt((expected**2).sum(axis=(1, 2)) * (images**2).sum(axis=(1, 2)))
        found.append((expected * images).sum(axis=(1, 2)) / np.maximum(norms, 1e-20))
    return np.asarray(found)


def _centred(stack: NDArray[np.floating]) -> NDArray[np.float64]:
    values = stack.astype(np.float64)
    return np.asarray(values - values.mean(axis=(1, 2), keepdims=True))


def _disc(box_px: int, radius_px: float) -> NDArray[np.float32]:
    axis = np.arange(box_px) - box_px // 2
    distance = np.hypot(axis[:, None], axis[None, :])
    inside = np.clip((min(radius_px, 0.45 * box_px) - distance) / _EDGE_PX + 0.5, 0, 1)
    return inside.astype(np.float32)
