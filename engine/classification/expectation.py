"""Expectation: how well each class, turned and shifted, explains each image.

Coarse to fine. Coarse: one real matrix product of (images × shifts) with (classes × angles) at low resolution. Fine:
the best few (class, angle) peaks of each image, with the angles around them, at the working resolution against all
shifts, again one matrix product. Scores are log-likelihoods of coloured Gaussian noise up to a constant of the image
(Scheres et al., J Mol Biol 348, 139, 2005; Scheres, J Struct Biol 180, 519, 2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.classification.library import Library
from engine.classification.rotation import as_real
from engine.classification.setup import COARSE_FACTOR, Sampling

PEAKS = 8
"""(Class, angle) peaks of an image that reach the fine search."""
KEPT = 8
"""Poses of an image that enter the averages."""
GAP = 15.0
"""Peaks whose coarse log-likelihood is lower than the best by more than this are not looked at again."""
CHUNK = 64
"""Images scored at once: fixed, so that sums do not depend on the memory that is free."""


@dataclass(frozen=True)
class Poses:
    """The most probable poses of images.

    Attributes
    ----------
    classes, angle : int arrays, shape (m, KEPT)
        Class and index of the in-plane angle, best first.
    shift_px : float32 array, shape (m, KEPT, 2)
        Shift (x, y) in working px that centres the image.
    weight : float32 array, shape (m, KEPT)
        Posterior probability, shared out among the kept poses alone (sum 1).
    probability : float32 array, shape (m,)
        Posterior probability of the best pose among all that were scored.
    score : float32 array, shape (m,)
        Log-likelihood gain of the best pose over an empty image.
    effective_classes : float32 array, shape (m,)
        Exponential of the entropy of the posterior over classes.
    """

    classes: NDArray[np.int32]
    angle: NDArray[np.int32]
    shift_px: NDArray[np.float32]
    weight: NDArray[np.float32]
    probability: NDArray[np.float32]
    score: NDArray[np.float32]
    effective_classes: NDArray[np.float32]


def expect(x: Array, ctf: Array, library: Library, sampling: Sampling, marginalise: bool = True) -> Poses:
    """Find the probable poses of images.

    Parameters
    ----------
    x : array, shape (m, K)
        Coefficients of the images, complex64.
    ctf : array, shape (m, K)
        CTF.
    library : Library
        Rotated references, noise and priors.
    sampling : Sampling
        Shifts.
    marginalise : bool
        Whether weights are posterior probabilities, or 1 for the best pose.
    """
    parts = [
        _expect_chunk(x[start : start + CHUNK], ctf[start : start + CHUNK], library, sampling)
        for start in range(0, x.shape[0], CHUNK)
    ]
    columns = [np.concatenate([part[i] for part in parts]) for i in range(7)]
    classes, angle, shift, weight, probability, score, effective = columns
    if not marginalise:
        weight = np.zeros_like(weight)
        weight[:, 0] = 1
    return Poses(classes, angle, shift, weight, probability, score, effective)


def _expect_chunk(x: Array, ctf: Array, library: Library, sampling: Sampling) -> tuple[NDArray, ...]:
    xp = array_namespace(x)
    count = library.count
    precision = ctf[:, :count] * library.inverse_noise
    matched = 2 * x[:, :count] * precision
    energy = precision * ctf[:, :count]
    classes, angles, likely = _coarse_peaks(xp, matched, energy, library, sampling)
    candidates = _around(xp, classes, angles, library)
    scores = _fine_scores(xp, matched, energy, candidates, likely, library, sampling)
    return _posterior(xp, scores, candidates, library, sampling)


def _coarse_peaks(
    xp: Any, matched: Array, energy: Array, library: Library, sampling: Sampling
) -> tuple[Array, Array, Array]:
    """Return class and coarse angle ``(m, PEAKS)`` of the best local maxima over the angle, and which to look at."""
    count = library.coarse_power.shape[1]
    ramps = sampling.ramps("coarse")[:, :count]
    m, shifts = matched.shape[0], ramps.shape[0]
    moved = xp.reshape(matched[:, None, :count] * ramps[None], (m * shifts, count))
    scores = xp.reshape(as_real(xp, moved) @ library.coarse.T, (m, shifts, -1))
    scores += library.coarse_shift_prior[None, :, None]
    best = xp.max(scores, axis=1) - energy[:, :count] @ library.coarse_power.T
    n_classes = library.references.shape[0]
    best = xp.reshape(best, (m, n_classes, -1)) + library.class_prior[None, :, None]
    peak = (best >= xp.roll(best, 1, axis=2)) & (best > xp.roll(best, -1, axis=2))
    ranked = xp.reshape(xp.where(peak, best, best - 1e6), (m, -1))
    order = _top(xp, ranked, min(PEAKS, ranked.shape[1]))
    steps = best.shape[2]
    top = xp.take_along_axis(ranked, order, axis=1)
    return order // steps, order % steps, top > top[:, :1] - GAP


def _around(xp: Any, classes: Array, angles: Array, library: Library) -> Array:
    """Return the fine angles around coarse peaks, class and angle as one index ``(m, PEAKS * 5)``."""
    total = library.references.shape[1]
    around = xp.arange(-(COARSE_FACTOR - 1), COARSE_FACTOR)
    fine = (angles[:, :, None] * COARSE_FACTOR + around[None, None, :]) % total
    return xp.reshape(classes[:, :, None] * total + fine, (classes.shape[0], -1))


def _fine_scores(
    xp: Any, matched: Array, energy: Array, candidates: Array, likely: Array, library: Library, sampling: Sampling
) -> Array:
    """Score candidates at all fine shifts, priors included: ``(m, F, S)``, very low where the peak was not likely."""
    wanted = xp.repeat(likely, 2 * COARSE_FACTOR - 1, axis=1)
    rows, columns = xp.nonzero(wanted)
    chosen = candidates[rows, columns]
    flat = xp.reshape(library.references, (-1, library.count))
    product = xp.take(flat, chosen, axis=0)
    product *= xp.take(xp.conj(matched), rows, axis=0)
    norms = xp.take_along_axis(energy @ library.power.T, candidates, axis=1)[rows, columns]
    norms -= xp.take(library.class_prior, chosen // library.references.shape[1])
    ramps = sampling.ramps("fine")[:, : library.count]
    scores = as_real(xp, product) @ as_real(xp, ramps).T - norms[:, None] + library.shift_prior[None]
    result = xp.full((*candidates.shape, ramps.shape[0]), -1e30, dtype=xp.float32)
    result[rows, columns] = scores
    return result


def _posterior(xp: Any, scores: Array, candidates: Array, library: Library, sampling: Sampling) -> tuple[NDArray, ...]:
    m, f, shifts = scores.shape
    flat = xp.reshape(scores, (m, f * shifts))
    best = xp.max(flat, axis=1)
    probability = xp.exp(flat - best[:, None])
    probability /= xp.sum(probability, axis=1)[:, None]
    total_angles, n_classes = library.references.shape[1], library.references.shape[0]
    per_candidate = xp.sum(xp.reshape(probability, (m, f, shifts)), axis=2)
    member = (candidates // total_angles)[:, :, None] == xp.arange(n_classes)[None, None, :]
    per_class = xp.sum(xp.where(member, per_candidate[:, :, None], 0.0), axis=1)
    entropy = -xp.sum(per_class * xp.log(xp.where(per_class > 0, per_class, 1.0)), axis=1)
    kept = _top(xp, flat, min(KEPT, f * shifts))
    shift = _shift_of(xp, scores, kept, sampling)
    chosen = xp.take_along_axis(candidates, kept // shifts, axis=1)
    known = xp.take(library.class_prior, chosen[:, 0] // total_angles)
    gain = best - known - xp.take(library.shift_prior, kept[:, 0] % shifts)
    weight = xp.take_along_axis(probability, kept, axis=1)
    share = weight / xp.sum(weight, axis=1)[:, None]
    arrays = (chosen // total_angles, chosen % total_angles, shift, share, weight[:, 0], gain, xp.exp(entropy))
    dtypes = (np.int32, np.int32, *[np.float32] * 5)
    return tuple(to_numpy(a).astype(d) for a, d in zip(arrays, dtypes, strict=True))


def _shift_of(xp: Any, scores: Array, kept: Array, sampling: Sampling) -> Array:
    """Refine the shift of kept poses by a parabola through the neighbouring scores along x and y."""
    m, _, shifts = scores.shape
    flat = xp.reshape(scores, (m, -1))
    place = kept % shifts
    here = xp.take_along_axis(flat, kept, axis=1)
    neighbours = xp.asarray(sampling.fine_neighbours)
    offsets = []
    for axis in (0, 1):
        places = neighbours[2 * axis][place], neighbours[2 * axis + 1][place]
        inner = (places[0] != place) & (places[1] != place)
        before, after = (xp.take_along_axis(flat, kept - place + p, axis=1) for p in places)
        curvature = before + after - 2 * here
        peaked = inner & (curvature < -1e-6)
        offset = xp.where(peaked, 0.5 * (before - after) / xp.where(peaked, curvature, -1.0), 0.0)
        offsets.append(xp.clip(offset, -0.5, 0.5))
    grid = xp.asarray(sampling.fine_shifts_px)
    return grid[place] + xp.astype(xp.stack(offsets, axis=-1), xp.float32)


def _top(xp: Any, values: Array, k: int) -> Array:
    """Return the places of the ``k`` largest values of each row, largest first (ties: first place first)."""
    if hasattr(xp, "argpartition") and values.shape[1] > 4 * k:
        some = xp.sort(xp.argpartition(values, values.shape[1] - k, axis=1)[:, values.shape[1] - k :], axis=1)
        order = xp.argsort(-xp.take_along_axis(values, some, axis=1), axis=1, stable=True)
        return xp.take_along_axis(some, order, axis=1)
    return xp.argsort(-values, axis=1, stable=True)[:, :k]
