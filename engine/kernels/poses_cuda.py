"""Scores of candidate poses on a GPU: the function of `engine.kernels.poses` for CuPy arrays."""

from __future__ import annotations

import numpy as np

from engine.arrays import Array, array_namespace
from engine.kernels import cuda

# as in poses.cu
_LANES, _WARPS, _SHIFTS = 32, 4, 16


def score_poses(
    data: Array,
    padding: float,
    images: Array,
    ctf2: Array,
    owner: Array,
    rotations: Array,
    shifts_px: Array,
    kx: Array,
    ky: Array,
    box_px: int,
) -> tuple[Array, Array]:
    """Compare images with slices of a volume in candidate poses. See `engine.kernels.poses.score_poses`.

    Returns
    -------
    cross : (g, O, S) float32
    norm : (g, O) float32
        On the device.
    """
    xp = array_namespace(data)
    groups, orientations = rotations.shape[:2]
    shifts = shifts_px.shape[1]
    cross = xp.zeros((groups, orientations, shifts), dtype=xp.float32)
    norm = xp.zeros((groups, orientations), dtype=xp.float32)
    if cross.size == 0:
        return cross, norm
    arguments = (
        xp.ascontiguousarray(data),
        np.int32(data.shape[0]),
        np.int32(data.shape[2]),
        np.float32(padding),
        xp.ascontiguousarray(xp.asarray(images, dtype=xp.complex64)),
        xp.ascontiguousarray(xp.asarray(ctf2, dtype=xp.float32)),
        xp.ascontiguousarray(xp.asarray(owner, dtype=xp.int32)),
        xp.ascontiguousarray(xp.asarray(rotations, dtype=xp.float32)),
        xp.ascontiguousarray(xp.asarray(shifts_px, dtype=xp.float32)),
        xp.asarray(kx, dtype=xp.int16),
        xp.asarray(ky, dtype=xp.int16),
        np.int32(len(kx)),
        np.int32(orientations),
        np.int32(shifts),
        np.float32(box_px),
        cross,
        norm,
    )
    grid = (groups, -(-orientations // _WARPS), -(-shifts // _SHIFTS))
    cuda.launch("poses.cu", "score_poses", grid, (_LANES, _WARPS, 1), arguments)
    return cross, norm
