"""Scores of candidate poses: slices read from a half cube and compared with images without being stored (CPU).

A *group* is one image with O orientations and S shifts; every pair is scored. Reading the slices bounds the time (eight
scattered reads a sample); the shifts ride along as dot products over a tile of coefficients that stays in the
first-level cache, and so do the voxels, because the orientations of a group are neighbours.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.kernels.slices_reference import extract_slices_reference
from engine.kernels.threads import run_tasks, split_range

Float32 = NDArray[np.float32]
Complex64 = NDArray[np.complex64]
Int16 = NDArray[np.int16]


@njit(
    [
        "void(complex64[::1], int64, float64, complex64[:,::1], float32[:,::1], int32[::1], float32[:,:,:,::1],"
        " complex64[:,:,::1], int64, int16[::1], int16[::1], float32[:,:,::1], float32[:,::1], int64, int64)"
    ],
    cache=True,
    fastmath=True,
    nogil=True,
    error_model="numpy",
)
def _score(
    data: Complex64,
    side: int,
    padding: float,
    images: Complex64,
    ctf2: Float32,
    owner: NDArray[np.int32],
    rotations: Float32,
    ramps: Complex64,
    reach: int,
    kx: Int16,
    ky: Int16,
    cross: Float32,
    norm: Float32,
    start: int,
    stop: int,
) -> None:  # pragma: no cover - compiled
    centre, one, step = np.float32(side // 2), np.float32(1.0), np.float32(padding)
    row = np.int64(data.shape[0] // (side * side))
    plane = row * side
    orientations, shifts = rotations.shape[1], ramps.shape[1]
    tile = 64
    image_re, image_im = np.empty((shifts, tile), np.float32), np.empty((shifts, tile), np.float32)
    slice_re, slice_im = np.empty(tile, np.float32), np.empty(tile, np.float32)
    us, vs, weight = np.empty(tile, np.float32), np.empty(tile, np.float32), np.empty(tile, np.float32)
    place, signs = np.empty(tile, np.int64), np.empty(tile, np.float32)
    parts_x, parts_y, parts_z = np.empty(tile, np.float32), np.empty(tile, np.float32), np.empty(tile, np.float32)
    for g in range(start, stop):
        p = owner[g]
        for first in range(0, kx.shape[0], tile):
            length = min(tile, kx.shape[0] - first)
            for j in range(length):
                us[j], vs[j] = np.float32(kx[first + j]), np.float32(ky[first + j])
                weight[j] = ctf2[p, first + j]
            for s in range(shifts):
                for j in range(length):
                    k = first + j
                    value = images[p, k] * (ramps[g, s, kx[k]] * ramps[g, s, 2 * reach + 1 + ky[k]])
                    image_re[s, j], image_im[s, j] = value.real, value.imag
            for o in range(orientations):
                ax, ay, az = rotations[g, o, 0, 0] * step, rotations[g, o, 0, 1] * step, rotations[g, o, 0, 2] * step
                bx, by, bz = rotations[g, o, 1, 0] * step, rotations[g, o, 1, 1] * step, rotations[g, o, 1, 2] * step
                for j in range(length):  # a loop of its own: the compiler makes vectors of it
                    u, v = us[j], vs[j]
                    px = u * ax + v * bx
                    sign = -one if px < 0 else one
                    px *= sign
                    py = sign * (u * ay + v * by) + centre
                    pz = sign * (u * az + v * bz) + centre
                    x, y, z = np.int32(px), np.int32(py), np.int32(pz)
                    parts_x[j], parts_y[j], parts_z[j] = px - np.float32(x), py - np.float32(y), pz - np.float32(z)
                    signs[j], place[j] = sign, z * plane + y * row + x
                for j in range(length):
                    fx, fy, fz = parts_x[j], parts_y[j], parts_z[j]
                    i00 = place[j]
                    i01, i10 = i00 + row, i00 + plane
                    i11 = i10 + row
                    w00, w01 = (one - fz) * (one - fy), (one - fz) * fy
                    w10, w11 = fz * (one - fy), fz * fy
                    near = w00 * data[i00] + w01 * data[i01] + w10 * data[i10] + w11 * data[i11]
                    far = w00 * data[i00 + 1] + w01 * data[i01 + 1] + w10 * data[i10 + 1] + w11 * data[i11 + 1]
                    slice_re[j] = (one - fx) * near.real + fx * far.real
                    slice_im[j] = (one - fx) * near.imag + fx * far.imag
                power = np.float32(0)
                for j in range(length):
                    re, im = slice_re[j], signs[j] * slice_im[j]
                    slice_im[j] = im
                    power += weight[j] * (re * re + im * im)
                norm[g, o] += power
                for s in range(shifts):
                    total = np.float32(0)
                    for j in range(length):
                        total += slice_re[j] * image_re[s, j] + slice_im[j] * image_im[s, j]
                    cross[g, o, s] += total


def _ramp_tables(shifts_px: NDArray[np.floating], box_px: int, reach: int) -> Complex64:
    """exp(-2πi k x / n) for k = 0 … reach, then exp(-2πi k y / n) for k = -reach … reach: (g, S, 3 reach + 2)."""
    angle = (-2 * np.pi / box_px) * np.asarray(shifts_px, np.float32)
    along_x = angle[..., :1] * np.arange(reach + 1, dtype=np.float32)
    along_y = angle[..., 1:] * np.arange(-reach, reach + 1, dtype=np.float32)
    phase = np.concatenate([along_x, along_y], axis=-1)
    tables = np.empty(phase.shape, np.complex64)
    tables.real, tables.imag = np.cos(phase), np.sin(phase)
    return tables


def score_poses(
    data: Complex64,
    padding: float,
    images: Complex64,
    ctf2: Float32,
    owner: NDArray[np.int32],
    rotations: Float32,
    shifts_px: Float32,
    kx: Int16,
    ky: Int16,
    box_px: int,
) -> tuple[Float32, Float32]:
    """Compare images with slices of a volume in candidate poses.

    Parameters
    ----------
    data : (Z, Z, X) complex64
        Half cube.
    padding : float
        Its voxels per frequency step.
    images : (m, K) complex64
        ``CTF · x / P`` with P the power of the noise.
    ctf2 : (m, K) float32
        ``CTF² / P``.
    owner : (g,) int32
        Image of each group.
    rotations : (g, O, 3, 3) float32
    shifts_px : (g, S, 2) float32
        Translations (x, y) that centre the image.
    kx, ky : (K,) int16
    box_px : int

    Returns
    -------
    cross : (g, O, S) float32
        ``Re Σ conj(slice) · image · ramp``.
    norm : (g, O) float32
        ``Σ ctf2 · |slice|²``. The log-likelihood is ``2 cross - norm`` up to a constant of the image.
    """
    groups, orientations = rotations.shape[:2]
    reach = int(max(np.abs(kx).max(), np.abs(ky).max()))
    ramps = _ramp_tables(shifts_px, box_px, reach)
    cross = np.zeros((groups, orientations, shifts_px.shape[1]), np.float32)
    norm = np.zeros((groups, orientations), np.float32)
    view, side = data.reshape(-1), data.shape[0]
    arguments = (images, ctf2, owner, rotations, ramps, reach, kx, ky, cross, norm)
    run_tasks(lambda start, stop: _score(view, side, padding, *arguments, start, stop), split_range(groups, 16))
    return cross, norm


def score_poses_reference(
    data: NDArray,
    padding: float,
    images: NDArray,
    ctf2: NDArray,
    owner: NDArray,
    rotations: NDArray,
    shifts_px: NDArray,
    kx: NDArray,
    ky: NDArray,
    box_px: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Plain form of `score_poses` (double precision)."""
    slices = np.stack([extract_slices_reference(data, padding, r, kx, ky) for r in rotations])
    phase = shifts_px[..., :1] * kx + shifts_px[..., 1:] * ky
    shifted = images[owner][:, None] * np.exp(-2j * np.pi * phase / box_px)
    cross = np.einsum("gok,gsk->gos", slices.conj(), shifted).real
    return cross, np.einsum("gk,gok->go", ctf2[owner], np.abs(slices) ** 2)
