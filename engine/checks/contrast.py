"""Whether protein is white in particle images, told from the images themselves."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.checks.discs import disc_scores, significance
from engine.particles import Particles
from engine.windows import radius_px


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
    return significance(disc_scores(particles, [radius_A], most)[0])


def share_of_black_templates(templates: NDArray[np.floating]) -> float:
    """Return the share of templates ``(k, n, n)`` whose middle is darker than their rim."""
    stack = np.asarray(templates, np.float64)
    axis = (np.arange(stack.shape[-1]) - stack.shape[-1] // 2) / (stack.shape[-1] / 2)
    distance = np.hypot(axis[:, None], axis[None, :])
    difference = stack[:, distance < 0.5].mean(axis=1) - stack[:, distance > 0.85].mean(axis=1)
    return float((difference < 0).mean())


def map_contrast(volume: NDArray[np.floating]) -> float:
    """Tell how much brighter the middle of a map ``(n, n, n)`` is than its rim, in its standard deviations."""
    distance = radius_px(volume.shape) / (volume.shape[-1] / 2)
    difference = volume[distance < 0.3].mean() - volume[distance > 0.8].mean()
    return float(difference / max(float(volume.std()), 1e-30))
