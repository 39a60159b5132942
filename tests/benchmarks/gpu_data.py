"""Data at the workshop's size with known truth, simulated on the device that is measured, in seconds.

The maps come from `engine.simulation`; their projections are central slices, and noise is the device's own. Junk is
empty nanodiscs, as in the set that the workshop used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.ctf.model import ctf_rfft2
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2, irfft2_centred, rfft2
from engine.geometry import random_rotations
from engine.optics import Defocus, Optics
from engine.particles import Particles
from engine.reconstruction.fourier_volume import FourierVolume, extract_slices, fourier_volume
from engine.simulation.phantom import channel_in_nanodisc, empty_nanodisc
from engine.simulation.projection import density

OPTICS = Optics(300.0, 1.6, 0.1)
DEFOCUS_A = (8000.0, 22000.0)
DIAMETER_A = 160.0
_BATCH = 512
_PER_MICROGRAPH = 320


@dataclass(frozen=True)
class Stack:
    """Particle images and what they show."""

    particles: Particles
    volume: NDArray[np.float32]
    rotations: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    is_junk: NDArray[np.bool_]

    def take(self, indices: NDArray[np.intp]) -> Stack:
        """Some of the particles."""
        chosen = (self.rotations[indices], self.shifts_A[indices], self.is_junk[indices])
        return Stack(self.particles.take(indices), self.volume, *chosen)


@dataclass(frozen=True)
class Micrograph:
    """A micrograph with its defocus and the centres of all objects on it."""

    image: NDArray[np.float32]
    defocus: Defocus
    centres_px: NDArray[np.float64]


def models(box_px: int, pixel_size_A: float, xp: Any) -> tuple[NDArray[np.float32], list[FourierVolume]]:
    """The particle's map, and the transforms of particle and junk."""
    maps = [density(atoms, box_px, pixel_size_A) for atoms in (channel_in_nanodisc(), empty_nanodisc())]
    return maps[0], [fourier_volume(xp.asarray(volume), 2.0) for volume in maps]


def projections(
    transforms: list[FourierVolume], is_junk: NDArray[np.bool_], rotations: NDArray[np.float64], xp: Any
) -> Array:
    """Images (m, n, n) of particles and junk, centred."""
    box_px = transforms[0].box_px
    disc = HalfDisc(box_px, (box_px - 1) / 2)
    slices = [extract_slices(transform, rotations, disc) for transform in transforms]
    chosen = xp.where(xp.asarray(is_junk)[:, None], slices[1], slices[0])
    return irfft2_centred(disc.scatter(chosen), (box_px, box_px))


def simulate_stack(
    count: int, box_px: int, pixel_size_A: float, snr: float, junk: float, xp: Any, seed: int = 1
) -> Stack:
    """Particles in random poses, off centre by up to 4 Å, with CTF and white noise of deviation 1."""
    rng, noise = np.random.default_rng(seed), xp.random.default_rng(seed)
    volume, transforms = models(box_px, pixel_size_A, xp)
    rotations, is_junk = random_rotations(count, rng), rng.random(count) < junk
    shifts_A = rng.uniform(-4, 4, (count, 2))
    mean, half = rng.uniform(*DEFOCUS_A, count), rng.uniform(0, 150, count)
    defocus = Defocus(mean + half, mean - half, rng.uniform(0, 180, count))
    disc = HalfDisc(box_px, (box_px - 1) / 2)
    images = np.empty((count, box_px, box_px), np.float32)
    gain = 0.0
    for start in range(0, count, _BATCH):
        part = slice(start, min(start + _BATCH, count))
        clean = disc.gather(rfft2(projections(transforms, is_junk[part], rotations[part], xp)))
        ramps = disc.phase_ramps(xp.asarray((-shifts_A[part] / pixel_size_A).astype(np.float32)))
        transfer = ctf_rfft2(box_px, pixel_size_A, defocus.take(np.arange(count)[part]), OPTICS, xp)
        signal = irfft2(disc.scatter(clean * ramps) * transfer, (box_px, box_px))
        if not gain:
            gain = float(np.sqrt(snr / _variance(to_numpy(signal)[~is_junk[part]], DIAMETER_A / 2 / pixel_size_A)))
        noisy = signal * gain + noise.standard_normal(signal.shape, dtype=np.float32)
        images[part] = to_numpy(noisy.astype(np.float32))
    particles = Particles.from_array(images, pixel_size_A, defocus, OPTICS)
    return Stack(particles, volume, rotations, shifts_A, is_junk)


def _variance(images: NDArray[np.float32], radius_px: float) -> float:
    steps = np.arange(images.shape[-1]) - images.shape[-1] // 2
    return float(images[:, np.hypot(steps[:, None], steps) < radius_px].var(axis=1).mean())


def simulate_micrographs(count: int, shape: tuple[int, int], pixel_size_A: float, xp: Any) -> list[Micrograph]:
    """Micrographs with particles and junk on a jittered grid, protein dark, CTF, an envelope and white noise."""
    rng, noise = np.random.default_rng(2), xp.random.default_rng(2)
    box_px = 2 * round(110.0 / pixel_size_A)
    _, transforms = models(box_px, pixel_size_A, xp)
    found = []
    for _ in range(count):
        centres = _centres(shape, box_px, rng)
        kinds, rotations = rng.random(len(centres)) < 0.4, random_rotations(len(centres), rng)
        patches = projections(transforms, kinds, rotations, xp)
        image = xp.zeros(shape, dtype=xp.float32)
        for (x, y), patch in zip(centres, patches, strict=True):
            rows, columns = slice(y - box_px // 2, y + box_px // 2), slice(x - box_px // 2, x + box_px // 2)
            image[rows, columns] += patch
        mean, half = rng.uniform(*DEFOCUS_A), rng.uniform(0, 150)
        defocus = Defocus(mean + half, mean - half, rng.uniform(0, 180))
        # ice scatters too: without it nothing but particles would show Thon rings
        image = image / xp.std(image) + 1.5 * noise.standard_normal(shape, dtype=np.float32)
        transfer = ctf_rfft2(shape, pixel_size_A, defocus, OPTICS, xp)
        image = 4.0 * noise.standard_normal(shape, dtype=np.float32) - irfft2(rfft2(image) * transfer, shape)
        found.append(Micrograph(to_numpy(image.astype(np.float32)), defocus, centres.astype(np.float64)))
    return found


def _centres(shape: tuple[int, int], box_px: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Positions (m, 2) x, y at least about a box apart, whole boxes on the micrograph."""
    rows, columns = (np.arange(box_px, side - box_px, round(1.15 * box_px)) for side in shape)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)
    chosen = rng.permutation(len(grid))[:_PER_MICROGRAPH]
    return grid[chosen] + rng.integers(-box_px // 14, box_px // 14 + 1, (len(chosen), 2))
