"""All poses of a grid at once: posteriors and sums of a mini-batch as matrix products.

While a model is poor, nearly equal poses must stay undecided: which of two mirrored views an image shows cannot be told
before detail is there, and a choice made too early is kept in patches that disagree. Here no pose is left out, neither
in the comparison (Scheres, J Mol Biol 415, 406, 2012) nor in the sums: the weights of all images in one pose of the
grid meet in one product with the images, and each pose of the grid is inserted once for the whole batch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array, array_namespace
from engine.fourier.disc import HalfDisc
from engine.initial_model.images import PreparedImages
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices

_SCORES_AT_ONCE = 1 << 22
_SUMMED_AT_ONCE = 256


@dataclass(frozen=True)
class MarginalSums:
    """What a batch adds to the models when every pose of a grid is weighted.

    Attributes
    ----------
    data, weight : (classes, r, K) complex64 and float32, numerator and denominator of the slice in each rotation.
    score : (m,) log-likelihood of the best pose above that of an empty model.
    probability : (m,) weight of the best pose.
    class_weight : (m, classes)
    """

    data: Array
    weight: Array
    score: Array
    probability: Array
    class_weight: Array


def marginal_sums(
    images: PreparedImages,
    models: list[FourierVolume],
    disc: HalfDisc,
    count: int,
    grid: Array,
    shifts_px: Array,
    heat: float = 1.0,
) -> MarginalSums:
    """Weigh each image over all rotations, shifts and classes, and sum the images in each rotation.

    Parameters
    ----------
    images : PreparedImages
    models : list of FourierVolume
    disc, count : the first ``count`` coefficients of the disc are used.
    grid : (r, 3, 3) with in-plane angles 0 … 180°; the other half is the complex conjugate.
    shifts_px : (s, 2)
    heat : posteriors are flattened by this factor on the log-likelihood; 1 is Bayes' rule.
    """
    xp = array_namespace(images.data)
    slices = xp.concat([extract_slices(m, grid, disc, count) for m in models])
    real, imag = (xp.empty((count, slices.shape[0]), dtype=xp.float32) for _ in range(2))
    real[...], imag[...] = 2 * xp.real(slices).T, 2 * xp.imag(slices).T
    power = real * real / 4 + imag * imag / 4
    ramps = disc.phase_ramps(xp.asarray(shifts_px), count)
    shape = (len(models), len(grid), count)
    sums = [xp.zeros((shape[0] * shape[1], count), dtype=xp.float32) for _ in range(3)]
    size = max(1, _SCORES_AT_ONCE // (len(ramps) * slices.shape[0]))
    known = []
    for i in range(0, images.data.shape[0], size):
        data, weight = images.data[i : i + size, :count], images.weight[i : i + size, :count]
        parts, figures = _weigh(data, weight, real, imag, power, ramps, heat, len(models))
        for total, part in zip(sums, parts, strict=True):
            total += part
        known.append(figures)
    score, probability, class_weight = (xp.concat([f[i] for f in known]) for i in range(3))
    complex_sums = xp.astype(sums[0] + 1j * sums[1], xp.complex64)
    return MarginalSums(xp.reshape(complex_sums, shape), xp.reshape(sums[2], shape), score, probability, class_weight)


def _product(a: Array, b: Array) -> Array:
    """Matrix product summed in blocks: a long sum's order, and so its last bits, would depend on the threads."""
    xp = array_namespace(a)
    total = xp.matmul(a[:, :_SUMMED_AT_ONCE], b[:_SUMMED_AT_ONCE])
    for i in range(_SUMMED_AT_ONCE, a.shape[1], _SUMMED_AT_ONCE):
        total += xp.matmul(a[:, i : i + _SUMMED_AT_ONCE], b[i : i + _SUMMED_AT_ONCE])
    return total


def _weigh(
    data: Array, weight: Array, real: Array, imag: Array, power: Array, ramps: Array, heat: float, classes: int
) -> tuple[tuple[Array, Array, Array], tuple[Array, Array, Array]]:
    xp = array_namespace(data)
    m, s, poses = data.shape[0], len(ramps), real.shape[1]
    moved = xp.reshape(data[:, None, :] * ramps[None, :, :], (m * s, -1))
    moved_real, moved_imag = (xp.asarray(part, copy=True) for part in (xp.real(moved), xp.imag(moved)))
    upright = _product(moved_real, real)
    odd = _product(moved_imag, imag)
    upright -= xp.repeat(_product(weight, power), s, axis=0)
    turned = upright - odd
    upright += odd
    rows = [xp.reshape(a, (m, -1)) for a in (upright, turned)]
    top = xp.maximum(*(xp.max(a, axis=1) for a in rows))
    total = xp.zeros_like(top)
    for a in rows:  # views of `upright` and `turned`, which become likelihoods
        a -= top[:, None]
        a *= np.float32(heat)
        a[...] = xp.exp(a)
        total += xp.sum(a, axis=1)
    for a in rows:
        a /= total[:, None]
    both = upright + turned
    by_rotation = xp.sum(xp.reshape(both, (m, s, poses)), axis=1)
    real_sum = _product(xp.matrix_transpose(both), moved_real)
    imag_sum = _product(xp.matrix_transpose(upright - turned), moved_imag)
    weight_sum = _product(xp.matrix_transpose(by_rotation), weight)
    class_weight = xp.sum(xp.reshape(by_rotation, (m, classes, -1)), axis=2)
    return (real_sum, imag_sum, weight_sum), (top, 1 / total, class_weight)
