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
from engine.fourier.disc import HalfDisc
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices

_ROTATION_CHUNK = 4096
_IMAGE_CHUNK = 8


@dataclass(frozen=True)
class Images:
    """What scoring needs of some images.

    Attributes
    ----------
    weighted : (m, K) complex64
        ``CTF · x / P``, P the power of the noise.
    ctf2 : (m, K) float32
        ``CTF² / P``.
    disc : HalfDisc
    """

    weighted: Array
    ctf2: Array
    disc: HalfDisc


@dataclass(frozen=True)
class Candidates:
    """The best poses of each image, best first.

    Attributes
    ----------
    rotations : (m, T, 3, 3) float64
    shifts_px : (m, T, 2) float32
    score : (m, T) float64
        Log-likelihood up to a constant of the image; -inf where there is no candidate.
    scale : (m, T) float64
        Factor on the reference that would fit the image best in this pose.
    """

    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float32]
    score: NDArray[np.float64]
    scale: NDArray[np.float64]

    def best(self, count: int) -> Candidates:
        """Return the first ``count`` of each image."""
        return Candidates(
            self.rotations[:, :count], self.shifts_px[:, :count], self.score[:, :count], self.scale[:, :count]
        )


@dataclass(frozen=True)
class Level:
    """One level of subdivision.

    Attributes
    ----------
    radius_px : float
        Working radius.
    rotations : (O, 3, 3)
        Rotations tried about each candidate.
    shifts_px : (S, 2)
        Shifts tried about each candidate.
    keep : int
        Candidates handed to the next level.
    """

    radius_px: float
    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float32]
    keep: int


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
) -> Candidates:
    """Score every image in every orientation and shift: two matrix products.

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
    """
    xp = array_namespace(images.weighted)
    count = images.disc.count_within(radius_px)
    ramps = images.disc.phase_ramps(xp.asarray(shifts_px), count)
    parts = []
    for start in range(0, len(rotations), _ROTATION_CHUNK):
        chunk = rotations[start : start + _ROTATION_CHUNK]
        slices = extract_slices(volume, chunk, images.disc, count)
        parts.append(_score_chunk(images, slices, ramps, count, min(keep, len(chunk)), free_scale, start))
    index, shift, score, scale = (np.concatenate([part[i] for part in parts], axis=1) for i in range(4))
    order = np.argsort(-score, axis=1, kind="stable")[:, :keep]
    index, shift, score, scale = (np.take_along_axis(a, order, 1) for a in (index, shift, score, scale))
    return Candidates(rotations[index], shifts_px[shift], score, scale)


def _score_chunk(
    images: Images, slices: Array, ramps: Array, count: int, keep: int, free_scale: bool, first: int
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Best orientations of a chunk: index, index of shift, score and scale, each (m, keep)."""
    xp = array_namespace(slices)
    power = xp.matmul(images.ctf2[:, :count], xp.matrix_transpose(xp.abs(slices) ** 2))
    columns = xp.matrix_transpose(slices.view(xp.float32))
    found = []
    for start in range(0, images.weighted.shape[0], _IMAGE_CHUNK):
        part = images.weighted[start : start + _IMAGE_CHUNK, :count]
        shifted = xp.reshape(part[:, None, :] * ramps[None, :, :], (-1, count))
        cross = xp.reshape(xp.matmul(shifted.view(xp.float32), columns), (part.shape[0], len(ramps), -1))
        norm = power[start : start + part.shape[0]]
        score = to_numpy(_log_likelihood(xp.max(cross, axis=1), norm, free_scale))
        index = np.argpartition(-score, keep - 1, axis=1)[:, :keep]
        chosen = to_numpy(xp.take_along_axis(cross, xp.asarray(index)[:, None, :], axis=2))
        shift = np.argmax(chosen, axis=1)
        cross_best = np.take_along_axis(chosen, shift[:, None], 1)[:, 0]
        scale = cross_best / np.maximum(np.take_along_axis(to_numpy(norm), index, 1), 1e-20)
        found.append((index + first, shift, np.take_along_axis(score, index, 1).astype(np.float64), scale))
    index, shift, score, scale = (np.concatenate([part[i] for part in found]) for i in range(4))
    return index, shift, score, scale.astype(np.float64)


def refine_candidates(
    volume: FourierVolume,
    images: Images,
    candidates: Candidates,
    level: Level,
    margin: float,
    free_scale: bool = False,
) -> Candidates:
    """Try small rotations and shifts about each candidate within ``margin`` of its image's best one.

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
    return _select(owner, slot, rotations, shifts, to_numpy(cross), to_numpy(norm), level.keep, free_scale)


def _select(
    owner: NDArray,
    slot: NDArray,
    rotations: NDArray[np.float64],
    shifts: NDArray[np.float32],
    cross: NDArray[np.float32],
    norm: NDArray[np.float32],
    keep: int,
    free_scale: bool,
) -> Candidates:
    """Marginalise each orientation over its shifts and keep the best orientations of each image."""
    likelihood = np.asarray(_log_likelihood(cross, norm[..., None], free_scale), np.float64)
    top = likelihood.max(axis=2)
    weight = np.exp(likelihood - top[..., None])
    total = weight.sum(axis=2)
    mean_shift = np.einsum("gos,gsc->goc", weight, shifts.astype(np.float64)) / total[..., None]
    images, slots = int(owner[-1]) + 1, int(slot.max()) + 1
    children = rotations.shape[1]
    score = np.full((images, slots, children), -np.inf)
    score[owner, slot] = top + np.log(total)
    group = np.zeros((images, slots), np.intp)
    group[owner, slot] = np.arange(len(owner))
    flat = score.reshape(images, -1)
    order = np.argsort(-flat, axis=1, kind="stable")[:, :keep]
    g, o = np.take_along_axis(group, order // children, 1), order % children
    scale = np.maximum(cross[g, o].max(axis=-1), 0) / np.maximum(norm[g, o], 1e-20)
    chosen = np.take_along_axis(flat, order, 1)
    return Candidates(rotations[g, o], mean_shift[g, o].astype(np.float32), chosen, scale.astype(np.float64))
