"""Poses of images against a model: a matrix product over a whole grid at low resolution, then a climb.

For an image with ``y = C x / σ²`` and weights ``w = C² / σ²`` the log-likelihood of a slice s and a shift is, up to a
constant, ``2 Re⟨y e^{-2πik·t/n}, s⟩ − ⟨w, |s|²⟩`` over a half plane. All images, shifts and slices at once are two real
matrix products: a slice turned by 180° in its plane is the complex conjugate, so half of the in-plane angles suffice.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from engine.arrays import Array, array_namespace, is_gpu, to_numpy
from engine.batches import in_batches
from engine.fourier.disc import HalfDisc
from engine.geometry import axis_rotation, directions_grid, in_plane_rotation, orientation_grid
from engine.initial_model.candidates import Poses
from engine.initial_model.images import PreparedImages
from engine.poses.search import pose_kernels
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices
from engine.symmetry import in_asymmetric_unit

IMAGES_AT_ONCE, _DEVICE_IMAGES_AT_ONCE = 8, 64
_NEIGHBOURS = np.array([[x, y] for y in (-1, 0, 1) for x in (-1, 0, 1)], dtype=np.float32)


def search_grid(step_deg: float, symmetry: str, turn: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rotations (r, 3, 3) of one asymmetric unit with in-plane angles 0 … 180°, the whole grid turned by `turn`."""
    directions = directions_grid(step_deg) @ np.asarray(turn).T
    directions = directions[in_asymmetric_unit(directions, symmetry)]
    full = orientation_grid(directions, 180.0 / max(1, round(180.0 / step_deg)))
    half = full[:, : full.shape[1] // 2].reshape(-1, 3, 3)
    return half.astype(np.float32)


def shift_grid(max_px: float, step_px: float) -> NDArray[np.float32]:
    """Shifts (s, 2) on a square grid within a disc."""
    count = int(np.floor(max_px / step_px + 1e-6))
    axis = np.arange(-count, count + 1) * step_px
    y, x = np.meshgrid(axis, axis, indexing="ij")
    inside = np.hypot(x, y) <= max_px + 1e-6
    return np.stack([x[inside], y[inside]], axis=1).astype(np.float32)


def search_globally(
    images: PreparedImages,
    models: list[FourierVolume],
    disc: HalfDisc,
    count: int,
    grid: NDArray[np.float32],
    shifts_px: NDArray[np.float32],
    keep: int,
) -> Poses:
    """Score every rotation, shift and class on the first `count` coefficients; keep the best of each image."""
    xp = array_namespace(images.data)
    slices = xp.concat([extract_slices(m, grid, disc, count) for m in models])
    real, imag, power = (xp.empty((count, slices.shape[0]), dtype=xp.float32) for _ in range(3))
    real[...], imag[...] = 2 * xp.real(slices).T, 2 * xp.imag(slices).T
    power[...] = (xp.abs(slices) ** 2).T
    ramps = disc.phase_ramps(xp.asarray(shifts_px), count)
    at_once = _DEVICE_IMAGES_AT_ONCE if is_gpu(images.data) else IMAGES_AT_ONCE
    parts = in_batches(
        lambda part: _score_chunk(images.take(part), real, imag, power, ramps, count, keep),
        images.data.shape[0],
        at_once,
    )
    index, shift, score = (np.concatenate(column) for column in zip(*parts, strict=True))
    half, index = index >= slices.shape[0], index % slices.shape[0]
    rotation = grid[index % len(grid)]
    turned = in_plane_rotation(180.0).astype(np.float32) @ rotation
    rotation = np.where(half[..., None, None], turned, rotation)
    return Poses(rotation, shifts_px[shift], index // len(grid), score)


def _score_chunk(
    images: PreparedImages, real: Array, imag: Array, power: Array, ramps: Array, count: int, keep: int
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.float32]]:
    """Best `keep` of (in-plane half, class and rotation) with their best shift: indices, shifts, scores (m, keep)."""
    xp = array_namespace(real)
    m, s, r = images.data.shape[0], ramps.shape[0], real.shape[1]
    moved = xp.reshape(images.data[:, None, :count] * ramps[None, :, :], (m * s, count))
    even = xp.matmul(xp.asarray(xp.real(moved), copy=True), real)
    odd = xp.matmul(xp.asarray(xp.imag(moved), copy=True), imag)
    norm = xp.matmul(images.weight[:, :count], power)
    best = xp.empty((m, 2 * r), dtype=xp.float32)
    best[:, :r] = xp.max(xp.reshape(even + odd, (m, s, r)), axis=1) - norm
    best[:, r:] = xp.max(xp.reshape(even - odd, (m, s, r)), axis=1) - norm
    chosen = xp.argpartition(best, 2 * r - keep, axis=1)[:, 2 * r - keep :]
    column, sign = (chosen % r)[:, None, :], xp.where(chosen >= r, np.float32(-1), np.float32(1))
    upright, turned = (xp.take_along_axis(xp.reshape(a, (m, s, r)), column, axis=2) for a in (even, odd))
    shift = xp.argmax(upright + sign[:, None, :] * turned, axis=1)
    return to_numpy(chosen), to_numpy(shift), to_numpy(xp.take_along_axis(best, chosen, axis=1))


def star_rotations(step_deg: float) -> NDArray[np.float32]:
    """The identity and small turns about each axis of the image: (7, 3, 3)."""
    turns = [axis_rotation(axis, sign * step_deg) for axis in np.eye(3) for sign in (1.0, -1.0)]
    return np.stack([np.eye(3), *turns]).astype(np.float32)


def climb(
    images: PreparedImages,
    models: list[FourierVolume],
    disc: HalfDisc,
    count: int,
    poses: Poses,
    step_deg: float,
    step_px: float,
    margin: float = np.inf,
) -> Poses:
    """Try small turns and shifts about each candidate on `count` coefficients; the best takes its place.

    Candidates that score more than `margin` below the best one of their image are given up (score -inf).
    """
    image, slot = np.nonzero(poses.score >= poses.score.max(axis=1, keepdims=True) - margin)
    chosen = Poses(
        poses.rotation[image, slot][:, None],
        poses.shift_px[image, slot][:, None],
        poses.model[image, slot][:, None],
        poses.score[image, slot][:, None],
    )
    rotations = (star_rotations(step_deg)[None] @ chosen.rotation).astype(np.float32)
    shifts = (chosen.shift_px + _NEIGHBOURS * np.float32(step_px)).astype(np.float32)
    scores = _score_groups(images, models, disc, count, image, chosen.model[:, 0], rotations, shifts)
    flat = scores.reshape(len(image), -1)
    rows, best = np.arange(len(image)), flat.argmax(axis=1)
    turn, move = best // len(_NEIGHBOURS), best % len(_NEIGHBOURS)
    jumped = _newton_step(chosen, scores, step_deg, step_px)
    jump = _score_groups(images, models, disc, count, image, chosen.model[:, 0], jumped.rotation, jumped.shift_px)
    better = jump[:, 0, 0] > flat[rows, best]
    result = replace(
        poses,
        rotation=poses.rotation.copy(),
        shift_px=poses.shift_px.copy(),
        score=np.full_like(poses.score, -np.inf),
    )
    result.rotation[image, slot] = np.where(better[:, None, None], jumped.rotation[:, 0], rotations[rows, turn])
    result.shift_px[image, slot] = np.where(better[:, None], jumped.shift_px[:, 0], shifts[rows, move])
    result.score[image, slot] = np.where(better, jump[:, 0, 0], flat[rows, best])
    return result


def _score_groups(
    images: PreparedImages,
    models: list[FourierVolume],
    disc: HalfDisc,
    count: int,
    image: NDArray[np.intp],
    model: NDArray[np.int64],
    rotations: NDArray[np.float32],
    shifts_px: NDArray[np.float32],
) -> NDArray[np.float32]:
    """Log-likelihood (g, O, S) of rotations (g, O, 3, 3) and shifts (g, S, 2), each for one image and one model."""
    xp = array_namespace(images.data)
    data, weight = (xp.asarray(a[:, :count], copy=True) for a in (images.data, images.weight))
    scores = np.empty((len(image), rotations.shape[1], shifts_px.shape[1]), dtype=np.float32)
    for index, volume in enumerate(models):
        mine = np.flatnonzero(model == index)
        if len(mine):
            cross, norm = pose_kernels(data).score_poses(
                volume.data,
                volume.padding,
                data,
                weight,
                image[mine].astype(np.int32),
                np.ascontiguousarray(rotations[mine], dtype=np.float32),
                np.ascontiguousarray(shifts_px[mine], dtype=np.float32),
                disc.kx[:count],
                disc.ky[:count],
                disc.box_px,
            )
            scores[mine] = 2 * to_numpy(cross) - to_numpy(norm)[..., None]
    return scores


def _vertex(low: NDArray[np.float32], middle: NDArray[np.float32], high: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where the parabola through three equidistant values has its maximum, within one step and a half."""
    curvature = 2 * middle - low - high
    slope = 0.5 * (high - low)
    inside = curvature > 1e-6
    return np.clip(np.where(inside, slope / np.where(inside, curvature, 1), np.sign(slope)), -1.5, 1.5)


def _newton_step(poses: Poses, scores: NDArray[np.float32], step_deg: float, step_px: float) -> Poses:
    """All three angles and both shifts at once to the top of the parabolas through the star's scores (g, 7, 9)."""
    angles = scores.max(axis=2)  # (g, turns), each with its best shift
    tilt = [_vertex(angles[:, 2 + 2 * a], angles[:, 0], angles[:, 1 + 2 * a]) for a in range(3)]
    turn = Rotation.from_rotvec(np.deg2rad(step_deg) * np.stack(tilt, axis=-1)).as_matrix()
    plane = scores.max(axis=1)  # (g, 9 shifts in rows of x), each with its best turn
    x = _vertex(plane[:, 3], plane[:, 4], plane[:, 5])
    y = _vertex(plane[:, 1], plane[:, 4], plane[:, 7])
    rotation = turn[:, None].astype(np.float32) @ poses.rotation
    shift = poses.shift_px + np.float32(step_px) * np.stack([x, y], axis=-1)[:, None]
    return replace(poses, rotation=rotation, shift_px=shift.astype(np.float32))


def score_poses(
    images: PreparedImages, models: list[FourierVolume], disc: HalfDisc, count: int, poses: Poses
) -> NDArray[np.float32]:
    """Log-likelihood (m, c) of given poses above that of an empty model."""
    m, c = poses.score.shape
    image = np.repeat(np.arange(m), c)
    rotations, shifts = poses.rotation.reshape(-1, 1, 3, 3), poses.shift_px.reshape(-1, 1, 2)
    scores = _score_groups(images, models, disc, count, image, poses.model.ravel(), rotations, shifts)
    return scores.reshape(m, c)
