"""How wide particles are, told from their images: against it a wrong pixel size or diameter shows."""

from __future__ import annotations

import numpy as np

from engine.checks.discs import disc_scores, significance
from engine.particles import Particles

_SIZES = 12
_LEAST_OF_BOX, _MOST_OF_BOX = 0.12, 0.9


def apparent_diameter_A(particles: Particles, most: int = 96) -> tuple[float, float]:
    """Return the diameter of the disc that the images resemble most, and how surely they do.

    A particle seen from all sides resembles a disc of about its shorter extent: 0.6 to 0.8 of its longest one.

    Parameters
    ----------
    particles : Particles
        Roughly centred; poses are not needed.
    most : int
        Number of images looked at, spread evenly over the set.

    Returns
    -------
    diameter_A, significance : float
        Diameter in Å, between 0.12 and 0.9 of the box; mean correlation with that disc over its standard error.
    """
    box_A = particles.box_px * particles.pixel_size_A
    diameters_A = np.geomspace(_LEAST_OF_BOX * box_A, _MOST_OF_BOX * box_A, _SIZES)
    scores = disc_scores(particles, [float(each) / 2 for each in diameters_A], most)
    means = scores.mean(axis=1)
    best = int(np.argmax(means))
    place = best + _top(*means[best - 1 : best + 2]) if 0 < best < _SIZES - 1 else float(best)
    step = (_MOST_OF_BOX / _LEAST_OF_BOX) ** (1 / (_SIZES - 1))
    return float(diameters_A[0] * step**place), significance(scores[best])


def _top(below: float, at: float, above: float) -> float:
    """Return where the parabola through three neighbours, of which the middle one is highest, has its top."""
    bend = below - 2 * at + above
    return 0.5 * (below - above) / bend if bend < 0 else 0.0
