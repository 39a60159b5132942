"""Particle images of a phantom of Gaussian blobs, projected in real space with nothing of the engine but its CTF."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.ctf.model import ctf_rfft2
from engine.geometry import euler_to_matrix, random_rotations
from engine.optics import Defocus, Optics
from engine.particles import Particles

PIXEL_A = 3.465
OPTICS = Optics(300.0, 1.6, 0.1)


@dataclass
class Phantom:
    centres_A: np.ndarray
    weights: np.ndarray
    sigma_A: float

    def project(self, matrix: np.ndarray, box: int, pixel_A: float, shift_A=(0.0, 0.0)) -> np.ndarray:
        xy = (self.centres_A @ matrix.T)[:, :2] + np.asarray(shift_A)
        axis = (np.arange(box) - box // 2) * pixel_A
        gx = np.exp(-((axis - xy[:, :1]) ** 2) / (2 * self.sigma_A**2))
        gy = np.exp(-((axis - xy[:, 1:]) ** 2) / (2 * self.sigma_A**2))
        return (gy * self.weights[:, None]).T @ gx


def channel(seed: int = 3) -> Phantom:
    """Eight copies of a bundle of helices with a dome: 115 Å high and wide."""
    rng = np.random.default_rng(seed)
    points, weights = [], []
    for radius, turn, tilt in ((18, 0, 6), (24, 25, -5), (33, 8, 9), (38, 33, -8)):
        z = np.arange(-45, 20, 3.0)
        angle = np.deg2rad(turn) + np.deg2rad(tilt) * z / 20
        points.append(np.stack([radius * np.cos(angle), radius * np.sin(angle), z], 1))
        weights.append(np.ones(len(z)))
    dome = rng.normal(0, 1, (26, 3)) * [7, 7, 11] + [36, 8, 42]
    points.append(dome)
    weights.append(np.full(len(dome), 1.1))
    one, w = np.concatenate(points), np.concatenate(weights)
    turns = [euler_to_matrix([a, 0, 0]) for a in np.arange(8) * 45.0]
    return Phantom(np.concatenate([one @ t for t in turns]), np.tile(w, 8), 3.0)


def nanodisc(inner_A: float = 0.0, seed: int = 5) -> Phantom:
    """Two leaflets of lipid; with a hole of ``inner_A`` for the protein."""
    rng = np.random.default_rng(seed)
    count = 1500
    r = 55 * np.sqrt(rng.uniform((inner_A / 55) ** 2, 1, count))
    a = rng.uniform(0, 2 * np.pi, count)
    z = np.where(np.arange(count) % 2, 14.0, -14.0) - 15 + rng.normal(0, 3, count)
    area = 1 - (inner_A / 55) ** 2
    return Phantom(np.stack([r * np.cos(a), r * np.sin(a), z], 1), np.full(count, 0.35 * area), 4.0)


def join(a: Phantom, b: Phantom) -> Phantom:
    sigma = a.sigma_A
    return Phantom(np.concatenate([a.centres_A, b.centres_A]), np.concatenate([a.weights, b.weights]), sigma)


@dataclass
class Truth:
    particles: Particles
    matrices: np.ndarray
    shifts_A: np.ndarray
    kinds: np.ndarray  # 0 particle, 1 empty nanodisc, 2 ice, 3 noise
    phantom: Phantom
    level: float  # grey values of projections are divided by this in the images
    view: np.ndarray  # which of ``views``
    psi_deg: np.ndarray


def simulate(
    count: int,
    seed: int,
    snr: float = 0.1,
    junk: float = 0.0,
    box: int = 64,
    pixel_A: float = PIXEL_A,
    shift_sd_A: float = 4.0,
    views: np.ndarray | None = None,
) -> Truth:
    """``views``: matrices to draw from (in-plane angle random); otherwise all directions."""
    rng = np.random.default_rng(seed)
    particle, empty = join(channel(), nanodisc(40)), nanodisc()
    kinds = np.where(rng.random(count) < junk, rng.integers(1, 4, count), 0)
    matrices = random_rotations(count, rng)
    view, psi = np.full(count, -1), np.zeros(count)
    if views is not None:
        view, psi = rng.integers(len(views), size=count), rng.uniform(0, 360, count)
        zero = np.zeros(count)
        matrices = euler_to_matrix(np.stack([zero, zero, psi], 1)) @ views[view]
    shifts = rng.normal(0, shift_sd_A, (count, 2))
    signal = np.zeros((count, box, box))
    for i in range(count):
        if kinds[i] == 0:
            signal[i] = particle.project(matrices[i], box, pixel_A, -shifts[i])
        elif kinds[i] == 1:
            signal[i] = empty.project(matrices[i], box, pixel_A, -shifts[i])
        elif kinds[i] == 2:
            blob = Phantom(rng.normal(0, 35, (6, 3)), rng.uniform(8, 20, 6), float(rng.uniform(12, 25)))
            signal[i] = blob.project(np.eye(3), box, pixel_A)
    u = rng.uniform(8000, 22000, count)
    defocus = Defocus(u + 150, u - 150, rng.uniform(0, 180, count))
    ft = np.fft.rfft2(np.fft.ifftshift(signal, axes=(1, 2))) * ctf_rfft2(box, pixel_A, defocus, OPTICS)
    ky, kx = np.fft.fftfreq(box)[:, None] / pixel_A, np.fft.rfftfreq(box)[None] / pixel_A
    ft *= np.exp(-80 / 4 * (kx**2 + ky**2))
    image = np.fft.fftshift(np.fft.irfft2(ft, s=(box, box)), axes=(1, 2))
    level = float(np.sqrt(np.mean(image[kinds == 0].var(axis=(1, 2))) / snr))
    image = image / level + rng.normal(0, 1, image.shape)
    image -= image.mean(axis=(1, 2), keepdims=True)
    particles = Particles.from_array(image.astype(np.float32), pixel_A, defocus, OPTICS)
    return Truth(particles, matrices, shifts, kinds, particle, level, view, psi)
