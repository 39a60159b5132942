"""Search for poses from coarse to fine: every orientation at low resolution, then the promising ones subdivided.

Scores are log-likelihoods under Gaussian noise (Scheres, J Mol Biol 415, 406, 2012). The idea of spending high
frequencies only where low ones leave a pose possible is that of branch and bound (Punjani et al., Nat Methods 14, 290,
2017); here the bound is a margin in log-likelihood and a number of candidates.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, is_gpu, to_numpy
from engine.batches import in_batches
from engine.poses.candidates import Candidates, Images, Level
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices

_ROTATION_CHUNK = 4096
_IMAGE_CHUNK, _DEVICE_IMAGE_CHUNK = 8, 64
_HALF_TURN = np.diag([-1.0, -1.0, 1.0])


def pose_kernels(array: Array) -> ModuleType:
    """Return the module that scores poses on the device of ``array``."""
    if is_gpu(array):
        from importlib import import_module

        return import_module("engine.kernels.poses_cuda")  # needs CuPy
    from engine.kernels import poses

    return poses


def _log_likelihood(cross: Array, norm: Array, free_scale: bool) -> Array:
    """Turn products into scores; with ``free_scale`` at each pose's best positive factor on the reference."""
    xp = array_namespace(cross)
    if not free_scale:
        return 2 * cross - norm
    positive = xp.where(cross > 0, cross, xp.zeros_like(cross))
    return positive**2 / xp.maximum(norm, xp.asarray(1e-20, dtype=norm.dtype))


def global_search(
    volume: FourierVolume,
    images: Images,
    rotations: NDArray[np.float64],
    shifts_px: NDArray[np.float32],
    radius_px: float,
    keep: int,
    free_scale: bool = False,
    about_px: NDArray[np.float32] | None = None,
) -> Candidates:
    """Score every image in every orientation, also turned by 180° in the plane, and shift: three matrix products.

    A slice turned by 180° is its complex conjugate, so the products of the real and of the imaginary parts give both
    scores: their sum and their difference.

    Parameters
    ----------
    volume : FourierVolume
    images : Images
        m images.
    rotations : (R, 3, 3)
    shifts_px : (S, 2)
    radius_px : float
        Working radius.
    keep : int
        Orientations kept for each image, each with its best shift.
    free_scale : bool
        Do not trust the reference's grey scale.
    about_px : (m, 2) or None
        Shift of each image that ``shifts_px`` are added to.
    """
    xp = array_namespace(images.weighted)
    count = images.disc.count_within(radius_px)
    ramps = images.disc.phase_ramps(xp.asarray(shifts_px), count)
    moved = images.weighted[:, :count]
    if about_px is not None:
        moved = moved * images.disc.phase_ramps(xp.asarray(about_px), count)
    parts = []
    for start in range(0, len(rotations), _ROTATION_CHUNK):
        chunk = rotations[start : start + _ROTATION_CHUNK]
        slices = extract_slices(volume, chunk, images.disc, count)
        most = min(keep, 2 * len(chunk))
        index, *rest = _score_chunk(moved, images.ctf2[:, :count], slices, ramps, most, free_scale)
        turned, index = index >= len(chunk), index % len(chunk)
        found = chunk[index]
        found[turned] = _HALF_TURN @ found[turned]
        parts.append((found, *rest))
    found, shift, score, scale = (np.concatenate([part[i] for part in parts], axis=1) for i in range(4))
    rows, order = np.arange(len(score))[:, None], np.argsort(-score, axis=1, kind="stable")[:, :keep]
    shifts = shifts_px[shift[rows, order]]
    if about_px is not None:
        shifts = shifts + about_px[:, None]
    return Candidates(found[rows, order], shifts, score[rows, order], scale[rows, order])


def _score_chunk(
    weighted: Array, ctf2: Array, slices: Array, ramps: Array, keep: int, free_scale: bool
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Best orientations of a chunk: index (those turned by 180° follow), index of shift, score and scale (m, keep)."""
    xp = array_namespace(slices)
    power = xp.matmul(ctf2, xp.matrix_transpose(xp.abs(slices) ** 2))
    power = xp.concat([power, power], axis=1)
    real, imaginary = (xp.matrix_transpose(xp.asarray(part, copy=True)) for part in (xp.real(slices), xp.imag(slices)))

    def best_of(batch: slice) -> tuple[NDArray, ...]:
        part = weighted[batch]
        shifted = xp.reshape(part[:, None, :] * ramps[None, :, :], (-1, part.shape[1]))
        even = xp.matmul(xp.asarray(xp.real(shifted), copy=True), real)
        odd = xp.matmul(xp.asarray(xp.imag(shifted), copy=True), imaginary)
        cross = xp.reshape(xp.concat([even + odd, even - odd], axis=1), (part.shape[0], len(ramps), -1))
        norm = power[batch]
        score = _log_likelihood(xp.max(cross, axis=1), norm, free_scale)
        index = xp.argpartition(-score, keep - 1, axis=1)[:, :keep]
        chosen = xp.take_along_axis(cross, index[:, None, :], axis=2)
        shift = xp.argmax(chosen, axis=1)
        cross_best = xp.take_along_axis(chosen, shift[:, None, :], axis=1)[:, 0, :]
        scale = cross_best / xp.maximum(xp.take_along_axis(norm, index, axis=1), 1e-20)
        best = (index, shift, xp.take_along_axis(score, index, axis=1), scale)
        return tuple(to_numpy(each) for each in best)

    found = in_batches(best_of, weighted.shape[0], _DEVICE_IMAGE_CHUNK if is_gpu(weighted) else _IMAGE_CHUNK)
    index, shift, score, scale = (np.concatenate([part[i] for part in found]) for i in range(4))
    return index, shift, score.astype(np.float64), scale.astype(np.float64)


def refine_candidates(
    volume: FourierVolume,
    images: Images,
    candidates: Candidates,
    level: Level,
    margin: float | NDArray[np.float64],
    free_scale: bool = False,
) -> Candidates:
    """Try small rotations and shifts about each candidate within ``margin`` of its image's best one.

    The margin is one number or one for each image (m, 1).

    Returns the ``level.keep`` best orientations of each image. The shift of each is the mean over the shifts tried,
    weighted by likelihood, and its score the logarithm of their summed likelihood.
    """
    xp = array_namespace(images.weighted)
    count = images.disc.count_within(level.radius_px)
    owner, slot = np.nonzero(candidates.score > candidates.score[:, :1] - margin)
    rotations = level.rotations[None] @ candidates.rotations[owner, slot][:, None]
    shifts = candidates.shifts_px[owner, slot][:, None] + level.shifts_px[None]
    cross, norm = pose_kernels(images.weighted).score_poses(
        volume.data,
        volume.padding,
        xp.asarray(images.weighted[:, :count], copy=True),
        xp.asarray(images.ctf2[:, :count], copy=True),
        owner.astype(np.int32),
        np.ascontiguousarray(rotations, np.float32),
        np.ascontiguousarray(shifts, np.float32),
        images.disc.kx[:count],
        images.disc.ky[:count],
        images.disc.box_px,
    )
    return _select(owner, slot, rotations, _marginalised(cross, norm, shifts, free_scale), level.keep)


@dataclass(frozen=True)
class _Marginal:
    """Orientations of each group without their shifts, on the host: (g, O), the mean shift (g, O, 2) x, y in px."""

    score: NDArray[np.float64]
    shift_px: NDArray[np.float32]
    scale: NDArray[np.float32]


def _marginalised(cross: Array, norm: Array, shifts_px: NDArray[np.float32], free_scale: bool) -> _Marginal:
    """Add likelihoods (g, O, S) over the shifts where they are; a device hands back a small share of what it made."""
    xp = array_namespace(cross)
    likelihood = xp.astype(_log_likelihood(cross, norm[..., None], free_scale), xp.float64)
    top = xp.max(likelihood, axis=2)
    weight = xp.exp(likelihood - top[..., None])
    total = xp.sum(weight, axis=2)
    moved = xp.einsum("gos,gsc->goc", weight, xp.asarray(shifts_px.astype(np.float64))) / total[..., None]
    scale = xp.maximum(xp.max(cross, axis=2), 0.0) / xp.maximum(norm, 1e-20)
    return _Marginal(to_numpy(top + xp.log(total)), to_numpy(xp.astype(moved, xp.float32)), to_numpy(scale))


def _select(
    owner: NDArray,
    slot: NDArray,
    rotations: NDArray[np.float64],
    found: _Marginal,
    keep: int,
) -> Candidates:
    """Keep the best orientations of each image."""
    images, slots = int(owner[-1]) + 1, int(slot.max()) + 1
    children = rotations.shape[1]
    score = np.full((images, slots, children), -np.inf)
    score[owner, slot] = found.score
    group = np.zeros((images, slots), np.intp)
    group[owner, slot] = np.arange(len(owner))
    flat = score.reshape(images, -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :keep]
    g, o = np.take_along_axis(group, order // children, 1), order % children
    chosen = np.take_along_axis(flat, order, 1)
    return Candidates(rotations[g, o], found.shift_px[g, o], chosen, found.scale[g, o].astype(np.float64))
