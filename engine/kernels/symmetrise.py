"""The sum of a half cube over the rotations of a point group (CPU); half cubes are those of `engine.kernels.slices`."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from engine.kernels.threads import run_tasks, slabs

Float32 = NDArray[np.float32]
Complex64 = NDArray[np.complex64]


@njit(
    [
        "void(float32[:,:,::1], float32[:,:,::1], float32[:,:,::1], float64, float32[:,:,::1], float32[:,:,::1],"
        " int64, int64)"
    ],
    cache=True,
    fastmath=True,
    nogil=True,
)
def _symmetrise(
    numerator: Float32,
    denominator: Float32,
    operators: Float32,
    radius: float,
    out_numerator: Float32,
    out_denominator: Float32,
    z_start: int,
    z_stop: int,
) -> None:  # pragma: no cover - compiled
    centre = numerator.shape[0] // 2
    shift, one, limit = np.float32(centre), np.float32(1.0), np.float32(radius * radius)
    for z in range(z_start, z_stop):
        for y in range(numerator.shape[1]):
            for x in range(denominator.shape[2]):
                qx, qy, qz = np.float32(x), np.float32(y - centre), np.float32(z - centre)
                if qx * qx + qy * qy + qz * qz > limit:
                    continue
                re, im, weight = np.float32(0), np.float32(0), np.float32(0)
                for s in range(operators.shape[0]):
                    px = operators[s, 0, 0] * qx + operators[s, 0, 1] * qy + operators[s, 0, 2] * qz
                    py = operators[s, 1, 0] * qx + operators[s, 1, 1] * qy + operators[s, 1, 2] * qz
                    pz = operators[s, 2, 0] * qx + operators[s, 2, 1] * qy + operators[s, 2, 2] * qz
                    sign = one
                    if px < 0:
                        px, py, pz, sign = -px, -py, -pz, -one
                    py += shift
                    pz += shift
                    i, j, k = int(px), int(py), int(pz)
                    fx, fy, fz = px - np.float32(i), py - np.float32(j), pz - np.float32(k)
                    if fx == 0 and fy == 0 and fz == 0:  # the operator maps the grid onto itself
                        re += numerator[k, j, 2 * i]
                        im += sign * numerator[k, j, 2 * i + 1]
                        weight += denominator[k, j, i]
                        continue
                    for dz in range(2):
                        wz = fz if dz == 1 else one - fz
                        for dy in range(2):
                            wzy = wz * (fy if dy == 1 else one - fy)
                            wa, wb = wzy * (one - fx), wzy * fx
                            re += wa * numerator[k + dz, j + dy, 2 * i]
                            re += wb * numerator[k + dz, j + dy, 2 * i + 2]
                            im += sign * wa * numerator[k + dz, j + dy, 2 * i + 1]
                            im += sign * wb * numerator[k + dz, j + dy, 2 * i + 3]
                            weight += wa * denominator[k + dz, j + dy, i]
                            weight += wb * denominator[k + dz, j + dy, i + 1]
                out_numerator[z, y, 2 * x] = re
                out_numerator[z, y, 2 * x + 1] = im
                out_denominator[z, y, x] = weight


def symmetrise(
    numerator: Complex64, denominator: Float32, operators: Float32, radius: float
) -> tuple[Complex64, Float32]:
    """Sum of two half cubes over the rotations of a point group, inside ``radius`` voxels (zero outside).

    Parameters
    ----------
    numerator, denominator : (Z, Z, X) complex64 and float32
        Half cubes whose plane x = 0 is complete.
    operators : (s, 3, 3) float32
        Rotation operators, the identity included.
    radius : float
        In voxels of the half cube; at most ``Z // 2 - 1``, or anything where all operators map the grid onto itself.

    Returns
    -------
    numerator, denominator : (Z, Z, X) complex64 and float32
    """
    out_numerator, out_denominator = np.zeros_like(numerator), np.zeros_like(denominator)
    view, out_view = numerator.view(np.float32), out_numerator.view(np.float32)
    run_tasks(
        lambda start, stop: _symmetrise(view, denominator, operators, radius, out_view, out_denominator, start, stop),
        slabs(numerator.shape[0]),
    )
    return out_numerator, out_denominator
