"""A reconstruction from poses that are known already."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import to_numpy
from engine.fourier.disc import HalfDisc
from engine.particles import Particles
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.image_coefficients import ImageCoefficients
from engine.reconstruction.sums import BATCH, image_power


def accumulate_poses(
    store: ImageCoefficients,
    indices: NDArray[np.intp],
    rotations: NDArray[np.floating],
    shifts_A: NDArray[np.floating],
    padding: float = 2.0,
) -> Accumulator:
    """Sum images in given poses, weighted by the power of their noise; symmetry is not applied.

    Parameters
    ----------
    store : ImageCoefficients
    indices : (m,)
        Particles to use.
    rotations, shifts_A : (count, 3, 3) and (count, 2)
        Poses of all particles of the store.
    padding : float
    """
    disc, xp = store.disc, store.xp
    pixel_size_A = store.particles.pixel_size_A
    noise = np.maximum(image_power(store, indices).mean(), 1e-12)[disc.shell]
    power = xp.asarray(noise.astype(np.float32))
    accumulator = Accumulator(disc.box_px, padding, float(disc.radius[-1]), xp)
    for start in range(0, len(indices), BATCH):
        part = indices[start : start + BATCH]
        coefficients, ctf = store.batch(part)
        ramps = disc.phase_ramps(xp.asarray((shifts_A[part] / pixel_size_A).astype(np.float32)))
        accumulator.insert(coefficients * ramps * (ctf / power), ctf * ctf / power, rotations[part], disc)
    return accumulator


def reconstruct_from_poses(
    particles: Particles,
    rotations: ArrayLike,
    shifts_A: ArrayLike,
    symmetry: str = "C1",
    indices: ArrayLike | None = None,
    ssnr: ArrayLike | None = None,
    padding: float = 2.0,
    xp: Any = np,
) -> NDArray[np.float32]:
    """Reconstruct a volume from images with known poses.

    Direct Fourier inversion with CTF weights (Penczek, Methods Enzymol 482, 1, 2010).

    Parameters
    ----------
    particles : Particles
    rotations : (count, 3, 3)
        Projection matrices (`engine.geometry.euler_to_matrix`).
    shifts_A : (count, 2)
        Translations x, y that centre the images.
    symmetry : str
        Point group, applied to the sums before division.
    indices : (m,) or None
        Use only these particles (one half, say).
    ssnr : (n // 2 + 1,) or None
        Prior of `Accumulator.solve`; None solves without.
    padding : float
    xp : module
        Array namespace of the device to compute on.

    Returns
    -------
    (n, n, n) float32

    Raises
    ------
    ValueError
        When there is not one pose for each particle.
    """
    matrices, shifts = np.asarray(rotations, np.float64), np.asarray(shifts_A, np.float64)
    if matrices.shape != (particles.count, 3, 3) or shifts.shape != (particles.count, 2):
        raise ValueError(
            f"Poses have shapes {matrices.shape} and {shifts.shape}; expected ({particles.count}, 3, 3) and "
            f"({particles.count}, 2)."
        )
    chosen = np.arange(particles.count) if indices is None else np.asarray(indices, np.intp)
    disc = HalfDisc(particles.box_px, (particles.box_px - 1) / 2)
    sums = accumulate_poses(ImageCoefficients(particles, disc, xp), chosen, matrices, shifts, padding)
    return np.asarray(to_numpy(sums.symmetrised(symmetry).solve(ssnr)), np.float32)
