"""Defocus of single particles, found against the reference in the particle's pose.

Particles lie at different heights in the ice, so the defocus of the micrograph is not quite theirs. The likelihood of
each offset is that of the pose search with the CTF changed (Zivanov et al., eLife 7, e42166, 2018); a Gaussian prior
about the micrograph's value holds back what one noisy image would claim.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.disc import HalfDisc
from engine.particles import Particles

_STEPS = 21
_SIGMAS_IN_RANGE = 2.5


def defocus_offsets(
    particles: Particles,
    disc: HalfDisc,
    indices: NDArray[np.intp],
    observed: Array,
    slices: Array,
    power: Array,
    range_A: float,
) -> NDArray[np.float64]:
    """Return the most probable offset in Å of each particle's defocus, (m,).

    Parameters
    ----------
    particles : Particles
        With the defocus that offsets are counted from.
    disc : HalfDisc
    indices : (m,)
        Which particles.
    observed : (m, K) complex64
        Centred images; K may be a prefix of the disc.
    slices : (m, K) complex64
        Slices of the reference in the particles' poses and scale, without CTF.
    power : (K,) float32
        Power of the noise.
    range_A : float
        Largest offset to either side; 2.5 standard deviations of the prior.
    """
    xp = array_namespace(observed)
    count = observed.shape[1]
    likeness = xp.real(xp.conj(slices) * observed) / power
    strength = xp.abs(slices) ** 2 / power
    offsets = np.linspace(-range_A, range_A, _STEPS)
    scores = np.empty((len(indices), _STEPS))
    for column, offset in enumerate(offsets):
        moved = replace(particles, defocus=particles.defocus.shifted(float(offset)))
        ctf = moved.ctf_on_disc(disc, indices, xp)[:, :count]
        gain = xp.sum(ctf * (2 * likeness - ctf * strength), axis=1, dtype=xp.float64)
        scores[:, column] = to_numpy(gain) - 0.5 * (offset * _SIGMAS_IN_RANGE / range_A) ** 2
    return _peak(scores, offsets)


def _peak(scores: NDArray[np.float64], offsets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Top of the parabola through the best of evenly spaced scores (m, d) and its neighbours."""
    rows = np.arange(len(scores))
    best = np.clip(np.argmax(scores, axis=1), 1, len(offsets) - 2)
    left, middle, right = (scores[rows, best + step] for step in (-1, 0, 1))
    curvature = np.minimum(left - 2 * middle + right, -1e-12)
    shift = np.clip(0.5 * (left - right) / curvature, -1, 1)
    return np.asarray(offsets[best] + shift * (offsets[1] - offsets[0]))
