"""Central slices of a Fourier volume: read and insert (CPU); `symmetrise` is the third operation on half cubes.

The projection theorem makes every projection a central slice of the volume's transform; reading and inserting it by
trilinear interpolation in a volume padded in real space is the classical compromise of direct Fourier methods (Penczek,
Grassucci & Frank, Ultramicroscopy 53, 251, 1994; Scheres, J Struct Biol 180, 519, 2012).

A volume is a *half cube*: ``data[z + centre, y + centre, x]`` with ``x >= 0`` and the frequency origin at
``[centre, centre, 0]``, complex64; the other half is its Friedel mate. Kernels take its float view ``(Z, Y, 2 X)``.
They release the interpreter lock and run on a thread pool: each output element belongs to one task that sums in a fixed
order, so the result does not depend on the number of threads. What bounds them: the eight scattered reads of a sample
(cache misses once the half cube exceeds the second-level cache), not the arithmetic.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.kernels.symmetrise import symmetrise as symmetrise
from engine.kernels.threads import run_tasks, slabs, split_range

Float32 = NDArray[np.float32]
Complex64 = NDArray[np.complex64]


@njit(
    ["void(float32[::1], int64, float64, float32[:,:,::1], int16[::1], int16[::1], complex64[:,::1], int64, int64)"],
    cache=True,
    fastmath=True,
    nogil=True,
    error_model="numpy",
)
def _extract(
    data: Float32,
    side: int,
    padding: float,
    rotations: Float32,
    kx: NDArray[np.int16],
    ky: NDArray[np.int16],
    out: Complex64,
    start: int,
    stop: int,
) -> None:  # pragma: no cover - compiled
    # Tiles of coefficients outside, neighbouring slices inside: candidates of one particle touch the same voxels.
    centre, one, step = np.float32(side // 2), np.float32(1.0), np.float32(padding)
    c1, c2, c3 = np.uint64(1), np.uint64(2), np.uint64(3)
    row = np.int64(data.shape[0] // (side * side))
    plane = row * side
    up, over = np.uint64(row), np.uint64(plane)
    for tile in range(0, kx.shape[0], 64):
        for m in range(start, stop):
            ax, ay, az = step * rotations[m, 0, 0], step * rotations[m, 0, 1], step * rotations[m, 0, 2]
            bx, by, bz = step * rotations[m, 1, 0], step * rotations[m, 1, 1], step * rotations[m, 1, 2]
            for j in range(tile, min(tile + 64, kx.shape[0])):
                u, v = np.float32(kx[j]), np.float32(ky[j])
                px = u * ax + v * bx
                sign = -one if px < 0 else one
                px *= sign
                py = sign * (u * ay + v * by) + centre
                pz = sign * (u * az + v * bz) + centre
                x, y, z = np.int32(px), np.int32(py), np.int32(pz)
                fx, fy, fz = px - np.float32(x), py - np.float32(y), pz - np.float32(z)
                gx, gy, gz = one - fx, one - fy, one - fz
                i00 = np.uint64(z * plane + y * row + 2 * x)
                i01, i10 = i00 + up, i00 + over
                i11 = i10 + up
                re = gz * (gy * (gx * data[i00] + fx * data[i00 + c2]) + fy * (gx * data[i01] + fx * data[i01 + c2]))
                re += fz * (gy * (gx * data[i10] + fx * data[i10 + c2]) + fy * (gx * data[i11] + fx * data[i11 + c2]))
                im = gz * (
                    gy * (gx * data[i00 + c1] + fx * data[i00 + c3]) + fy * (gx * data[i01 + c1] + fx * data[i01 + c3])
                )
                im += fz * (
                    gy * (gx * data[i10 + c1] + fx * data[i10 + c3]) + fy * (gx * data[i11 + c1] + fx * data[i11 + c3])
                )
                out[m, j] = complex(re, sign * im)


@njit(
    [
        "void(complex64[:,::1], float32[:,::1], float32[:,:,::1], int16[::1], int16[::1], float64,"
        " float32[::1], float32[::1], int64, int64, int64)"
    ],
    cache=True,
    fastmath=True,
    nogil=True,
    error_model="numpy",
)
def _insert(
    values: Complex64,
    weights: Float32,
    rotations: Float32,
    kx: NDArray[np.int16],
    ky: NDArray[np.int16],
    padding: float,
    numerator: Float32,
    denominator: Float32,
    side: int,
    z_start: int,
    z_stop: int,
) -> None:  # pragma: no cover - compiled
    # Each task owns the slab z_start <= z < z_stop and walks over all samples, so a voxel's sum has one order.
    centre, one, step = np.float32(side // 2), np.float32(1.0), np.float32(padding)
    c1, c2, c3 = np.uint64(1), np.uint64(2), np.uint64(3)
    row = np.int64(denominator.shape[0] // (side * side))
    count, length = values.shape
    parts_x, parts_y, parts_z = np.empty(64, np.float32), np.empty(64, np.float32), np.empty(64, np.float32)
    planes, place, signs = np.empty(64, np.int64), np.empty(64, np.int64), np.empty(64, np.float32)
    for start in range(0, count, 16):
        for tile in range(0, length, 64):
            size = min(64, length - tile)
            for m in range(start, min(start + 16, count)):
                ax, ay, az = step * rotations[m, 0, 0], step * rotations[m, 0, 1], step * rotations[m, 0, 2]
                bx, by, bz = step * rotations[m, 1, 0], step * rotations[m, 1, 1], step * rotations[m, 1, 2]
                for j in range(size):  # a loop of its own: the compiler makes vectors of it
                    u, v = np.float32(kx[tile + j]), np.float32(ky[tile + j])
                    px = u * ax + v * bx
                    sign = -one if px < 0 else one
                    px *= sign
                    py = sign * (u * ay + v * by) + centre
                    pz = sign * (u * az + v * bz) + centre
                    x, y, z = np.int32(px), np.int32(py), np.int32(pz)
                    parts_x[j], parts_y[j], parts_z[j] = px - np.float32(x), py - np.float32(y), pz - np.float32(z)
                    signs[j], planes[j], place[j] = sign, z, y * row + x
                for j in range(size):
                    z = planes[j]
                    if z + 1 < z_start or z >= z_stop:
                        continue
                    fx, fy, fz = parts_x[j], parts_y[j], parts_z[j]
                    value, weight = values[m, tile + j], weights[m, tile + j]
                    re, im = value.real, signs[j] * value.imag
                    for dz in range(2):
                        if z + dz < z_start or z + dz >= z_stop:
                            continue
                        wz = fz if dz == 1 else one - fz
                        for dy in range(2):
                            wzy = wz * (fy if dy == 1 else one - fy)
                            wa, wb = wzy * (one - fx), wzy * fx
                            d = np.uint64((z + dz) * side * row + dy * row + place[j])
                            n = d + d
                            numerator[n] += wa * re
                            numerator[n + c1] += wa * im
                            numerator[n + c2] += wb * re
                            numerator[n + c3] += wb * im
                            denominator[d] += wa * weight
                            denominator[d + c1] += wb * weight


def _float_view(volume: Complex64) -> Float32:
    return volume.view(np.float32)


def extract_slices(
    data: Complex64, padding: float, rotations: Float32, kx: NDArray[np.int16], ky: NDArray[np.int16]
) -> Complex64:
    """Read central slices from a half cube by trilinear interpolation.

    Parameters
    ----------
    data : (Z, Z, X) complex64
        Half cube with the frequency origin at ``[Z // 2, Z // 2, 0]``.
    padding : float
        Voxels of the half cube per frequency step of the image.
    rotations : (m, 3, 3) float32
        Projection matrices; the slice's axes are the first two rows.
    kx, ky : (K,) int16
        Image frequencies in steps of the image's transform.

    Returns
    -------
    (m, K) complex64
    """
    out = np.empty((len(rotations), len(kx)), np.complex64)
    view, side = _float_view(data).reshape(-1), data.shape[0]
    run_tasks(
        lambda start, stop: _extract(view, side, padding, rotations, kx, ky, out, start, stop),
        split_range(len(rotations), 32),
    )
    return out


def insert_slices(
    values: Complex64,
    weights: Float32,
    rotations: Float32,
    kx: NDArray[np.int16],
    ky: NDArray[np.int16],
    padding: float,
    numerator: Complex64,
    denominator: Float32,
) -> None:
    """Add central slices and their weights to two half cubes in place (adjoint of reading them).

    Parameters
    ----------
    values, weights : (m, K) complex64 and float32
        Samples and their weights.
    rotations, kx, ky, padding
        As for `extract_slices`.
    numerator, denominator : (Z, Z, X) complex64 and float32
        Changed in place. Only samples with x >= 0 after Friedel's symmetry are written: the plane x = 0 holds half of
        its sum until it is completed with its own mate.
    """
    side, sums = numerator.shape[0], (_float_view(numerator).reshape(-1), denominator.reshape(-1))
    run_tasks(
        lambda start, stop: _insert(values, weights, rotations, kx, ky, padding, *sums, side, start, stop),
        slabs(side),
    )


def cube_radius(padding: float, radius_px: float) -> int:
    """Half side in voxels of a half cube that holds slices out to ``radius_px`` and their neighbours."""
    return math.ceil(padding * radius_px) + 2
