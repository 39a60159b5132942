"""The pose-scoring kernel against its plain form."""

from __future__ import annotations

import numpy as np

from engine.fourier.disc import HalfDisc
from engine.geometry import random_rotations
from engine.kernels.poses import score_poses, score_poses_reference
from engine.kernels.slices import cube_radius


def test_scores_agree_with_the_plain_form(rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 10)
    radius = cube_radius(2.0, 10)
    shape = (2 * radius + 1, 2 * radius + 1, radius + 1)
    cube = (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)
    images = (rng.standard_normal((4, len(disc))) + 1j * rng.standard_normal((4, len(disc)))).astype(np.complex64)
    ctf2 = rng.random(images.shape).astype(np.float32)
    owner = np.array([0, 3, 3, 1, 2] * 8, np.int32)
    rotations = random_rotations(len(owner) * 5, rng).astype(np.float32).reshape(-1, 5, 3, 3)
    shifts = rng.uniform(-4, 4, (len(owner), 7, 2)).astype(np.float32)
    arguments = (cube, 2.0, images, ctf2, owner, rotations, shifts, disc.kx, disc.ky, 24)
    cross, norm = score_poses(*arguments)
    expected_cross, expected_norm = score_poses_reference(*arguments)
    assert np.abs(cross - expected_cross).max() < 1e-4 * np.abs(expected_cross).max()
    assert np.abs(norm - expected_norm).max() < 1e-4 * np.abs(expected_norm).max()
