"""Stacks of simulated particle images with their truth, for tests of everything that uses particles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ctf.model import ctf_rfft2
from engine.fourier.transforms import irfft2, rfft2
from engine.geometry import euler_to_matrix, matrix_to_euler, random_rotations
from engine.optics import Defocus, Optics
from engine.simulation.atoms import Atoms
from engine.simulation.phantom import empty_nanodisc
from engine.simulation.projection import density, project_atoms

__all__ = ["ParticleTruth", "density", "simulate_particles"]

_BATCH = 64


@dataclass(frozen=True)
class ParticleTruth:
    """What a simulated stack was made with.

    Parameters
    ----------
    angles_deg : (m, 3) array
        rot, tilt, psi.
    shifts_A : (m, 2) array
        x, y translation that centres the image (RELION's rlnOrigin).
    defocus : Defocus
        Arrays of m.
    is_junk : (m,) bool array
        True where the image holds an empty nanodisc.
    """

    angles_deg: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    defocus: Defocus
    is_junk: NDArray[np.bool_]


def simulate_particles(
    atoms: Atoms,
    count: int,
    box_px: int,
    pixel_size_A: float,
    optics: Optics,
    defocus_range_A: tuple[float, float],
    snr: float,
    rng: np.random.Generator,
    junk_fraction: float = 0.0,
    offset_px: float = 0.0,
) -> tuple[NDArray[np.float32], ParticleTruth]:
    """Images of particles in random orientations, with CTF and white noise.

    Parameters
    ----------
    atoms : Atoms
        The particle, its centre at the origin.
    count : int
        Number of images m.
    box_px : int
        Side n of the images.
    pixel_size_A : float
    optics : Optics
    defocus_range_A : (float, float)
        Uniform range of the mean defocus; astigmatism is up to 300 Å.
    snr : float
        Variance of the signal (after the CTF) over that of the noise, within the disc that holds the particle.
        ``inf`` leaves the noise out; the signal then has variance 1 there.
    rng : numpy.random.Generator
    junk_fraction : float
        Share of the images that hold an empty nanodisc in place of the particle.
    offset_px : float
        Largest error of centring along x and y.

    Returns
    -------
    (m, n, n) float32 array
        Protein white, background mean 0 and standard deviation 1.
    ParticleTruth

    Raises
    ------
    ValueError
        If the SNR is not positive.
    """
    if not snr > 0:
        raise ValueError(f"signal-to-noise ratio must be positive, got {snr}")
    truth = _draw_truth(count, pixel_size_A, defocus_range_A, rng, junk_fraction, offset_px)
    rotations = euler_to_matrix(truth.angles_deg)
    images = np.empty((count, box_px, box_px), dtype=np.float32)
    for kind, model in ((False, atoms), (True, empty_nanodisc())):
        mine = np.flatnonzero(truth.is_junk == kind)
        for start in range(0, len(mine), _BATCH):
            chosen = mine[start : start + _BATCH]
            clean = project_atoms(model, rotations[chosen], -truth.shifts_A[chosen], box_px, pixel_size_A)
            transfer = ctf_rfft2(box_px, pixel_size_A, truth.defocus.take(chosen), optics)
            images[chosen] = irfft2(rfft2(clean) * transfer, (box_px, box_px))
    inside = _disc(box_px, atoms.radius_A / pixel_size_A)
    _add_noise(images, inside, ~truth.is_junk, snr, rng)
    return images, truth


def _draw_truth(
    count: int,
    pixel_size_A: float,
    defocus_range_A: tuple[float, float],
    rng: np.random.Generator,
    junk_fraction: float,
    offset_px: float,
) -> ParticleTruth:
    angles_deg = matrix_to_euler(random_rotations(count, rng))
    shifts_A = rng.uniform(-offset_px, offset_px, size=(count, 2)) * pixel_size_A
    mean = rng.uniform(*defocus_range_A, size=count)
    half_astigmatism = rng.uniform(0.0, 150.0, size=count)
    defocus = Defocus(mean + half_astigmatism, mean - half_astigmatism, rng.uniform(0.0, 180.0, size=count))
    is_junk = np.zeros(count, dtype=bool)
    is_junk[rng.permutation(count)[: round(junk_fraction * count)]] = True
    return ParticleTruth(angles_deg, shifts_A, defocus, is_junk)


def _disc(box_px: int, radius_px: float) -> NDArray[np.bool_]:
    """Pixels of the disc that holds the particle, no larger than 90 % of the box."""
    axis = np.arange(box_px) - box_px // 2
    return np.hypot(axis[:, None], axis[None, :]) <= min(radius_px, 0.45 * box_px)


def _add_noise(
    images: NDArray[np.float32],
    inside: NDArray[np.bool_],
    is_particle: NDArray[np.bool_],
    snr: float,
    rng: np.random.Generator,
) -> None:
    """Scale the signal to the wanted SNR, add noise of variance 1, and normalise on the background."""
    chosen = images[is_particle] if is_particle.any() else images
    signal = float(np.mean(chosen[:, inside].astype(np.float64).var(axis=1)))
    images *= np.float32(np.sqrt((snr if np.isfinite(snr) else 1.0) / max(signal, 1e-30)))
    for image in images:
        if np.isfinite(snr):
            image += rng.standard_normal(image.shape, dtype=np.float32)
            image /= image[~inside].std(dtype=np.float64)
        image -= image[~inside].mean(dtype=np.float64)
