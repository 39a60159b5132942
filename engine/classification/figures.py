"""Figures of merit of classes: what a person, or `select_classes`, chooses by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.classification.averages import Solution, reference_spectra
from engine.classification.kinship import objects_of
from engine.classification.maximisation import Sums
from engine.classification.setup import Sampling
from engine.classification.state import ClassificationState
from engine.fourier.shells import resolution_at

_DETAIL_A = 25.0
_SECTORS = 12

Columns = dict[str, NDArray]


def detail_gain(
    sums: Sums, solution: Solution, noise: NDArray[np.float64], weight: NDArray[np.float64], sampling: Sampling
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how much a class's fine detail helps to explain a particle it was not made from.

    Log-likelihood gain per particle of the detail finer than 25 Å, each half of the class compared with the reference
    of the other half: noise and a smooth blob gain nothing, however well they align.

    Parameters
    ----------
    sums : Sums
        Sums of both halves.
    solution : Solution
        References of the halves.
    noise : array, shape (shells,)
        Noise variance per shell.
    weight : array, shape (C,)
        Particles in each class.
    sampling : Sampling
        Disc.

    Returns
    -------
    gain : array, shape (C,)
        Gain per particle.
    streak : array, shape (C,)
        Share of it, 0 to 1, in the two strongest of twelve directions: near 1 for an object that is nothing but a
        stripe, such as a membrane disc seen from the side.
    """
    disc = sampling.disc
    fine = disc.radius > min(sampling.radius_of(_DETAIL_A), 0.6 * disc.radius_px)
    precision = fine / noise[disc.shell]
    angle = np.degrees(np.arctan2(disc.ky, disc.kx)) % 180
    sector = np.floor(angle * (_SECTORS / 180)).astype(np.intp) % _SECTORS
    member = precision[:, None] * (sector[:, None] == np.arange(_SECTORS))
    gain = np.zeros((len(weight), _SECTORS))
    for h in (0, 1):
        s = to_numpy(reference_spectra(solution.averages, solution.halves[1 - h], sampling))
        numerator, denominator = to_numpy(sums.numerator[h]), to_numpy(sums.denominator[h])
        gain += (2 * (numerator * s.conj()).real - denominator * abs(s) ** 2) @ member
    gain /= np.maximum(weight, 1.0)[:, None]
    total = gain.sum(axis=1)
    strongest = np.sort(gain, axis=1)[:, -2:].sum(axis=1)
    positive = np.maximum(gain, 0).sum(axis=1)
    return total, np.where(positive > 0, strongest / np.maximum(positive, 1e-12), 0.0).clip(0, 1)


def widths_A(averages: Array, pixel_size_A: float) -> NDArray[np.float64]:
    """Return the root-mean-square extent in Å of the bright part of averages ``(C, n, n)`` along its narrow axis."""
    x = to_numpy(averages).astype(np.float64)
    peak = x.max(axis=(1, 2), keepdims=True)
    bright = np.where(x > 0.2 * peak, x, 0.0)
    total = np.maximum(bright.sum(axis=(1, 2)), 1e-12)
    axis = (np.arange(x.shape[-1]) - x.shape[-1] // 2) * pixel_size_A
    columns, rows = bright.sum(axis=1) / total[:, None], bright.sum(axis=2) / total[:, None]
    mean_x, mean_y = columns @ axis, rows @ axis
    xx, yy = columns @ axis**2 - mean_x**2, rows @ axis**2 - mean_y**2
    xy = np.einsum("cyx,y,x->c", bright, axis, axis) / total - mean_x * mean_y
    smaller = 0.5 * (xx + yy) - np.sqrt(0.25 * (xx - yy) ** 2 + xy**2)
    return np.sqrt(np.maximum(smaller, 0.0))


def shell_resolutions_A(state: ClassificationState) -> NDArray[np.float64]:
    """Return the resolution in Å of each shell of the state's curves; infinite for shell 0."""
    shells = np.arange(state.frc_low.shape[1], dtype=np.float64)
    with np.errstate(divide="ignore"):
        return state.box_px * state.pixel_size_A / shells


def _objects(state: ClassificationState) -> NDArray[np.int64]:
    if not state.finished:
        return np.ones(len(state.weight), np.int64)
    return objects_of(to_numpy(state.averages), state.pixel_size_A)


def class_figures(state: ClassificationState) -> Columns:
    """Return the figures of each class, columns of length C.

    ``class`` (from 1), ``count`` (particles assigned), ``resolution_A`` and ``resolution_05_A`` (where the even–odd
    FRC drops below 0.143 and 0.5; infinite where it does so before the halves have references of their own),
    ``effective_classes`` (mean over its particles of the exponential of the entropy of their class probabilities),
    ``mean_score`` (mean log-likelihood gain of its particles), ``max_probability`` (mean posterior probability of
    their best pose), ``detail_gain`` and ``streak`` (see `detail_gain`), ``width_A``,
    ``mass`` (density of the whole average, in grey values times Å²: the same for all views of one particle),
    ``object`` (number of the object that a class shows, by common lines; 1 for all before the last iteration).
    """
    classes = len(state.weight)
    seen = state.class_index >= 0
    index = state.class_index[seen]
    count = np.bincount(index, minlength=classes)

    def mean(values: NDArray) -> NDArray[np.float64]:
        return np.bincount(index, values[seen].astype(np.float64), classes) / np.maximum(count, 1)

    def resolution(threshold: float) -> NDArray[np.float64]:
        curves = [resolution_at(frc, state.box_px, state.pixel_size_A, threshold) for frc in state.frc_low]
        # noise that was aligned to a shared reference agrees in it as well as particles do: that is no resolution
        measured = (count > 1) & np.all(state.frc_low[:, : state.shared_shell + 2] >= threshold, axis=1)
        return np.where(measured, curves, np.inf)

    return {
        "class": np.arange(1, classes + 1),
        "count": count,
        "resolution_A": resolution(0.143),
        "resolution_05_A": resolution(0.5),
        "effective_classes": mean(state.effective_classes),
        "mean_score": mean(state.score),
        "max_probability": mean(state.max_probability),
        "detail_gain": state.detail,
        "streak": state.streak,
        "width_A": widths_A(state.averages, state.pixel_size_A),
        "mass": to_numpy(state.averages).sum(axis=(1, 2), dtype=np.float64) * state.pixel_size_A**2,
        "object": _objects(state),
    }
