"""Rotated coefficients against images whose rotation is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
from blobs import Phantom

from engine.classification.rotation import DiscRotation
from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.geometry import euler_to_matrix
from engine.windows import soft_disc

BOX = 48


@pytest.fixture
def phantom(rng: np.random.Generator) -> Phantom:
    centres = np.concatenate([rng.uniform(-11, 11, (40, 2)), np.zeros((40, 1))], axis=1)
    return Phantom(centres, rng.uniform(0.3, 1, 40), 1.3)


def image(phantom: Phantom, psi_deg: float) -> np.ndarray:
    return phantom.project(euler_to_matrix([0, 0, psi_deg]), BOX, 1.0).astype(np.float32)


def test_forward_matches_rotated_phantom(phantom: Phantom) -> None:
    disc, angles = HalfDisc(BOX, 20), np.array([0.0, 17.5, 90.0, 133.0, 301.0])
    turned = DiscRotation(disc, angles).forward(image(phantom, 0)[None])[0]
    for row, psi in zip(turned, angles, strict=True):
        truth = disc.gather(rfft2_centred(image(phantom, psi)[None]))[0]
        assert np.linalg.norm(row - truth) < 2e-3 * np.linalg.norm(truth)


def test_adjoint_turns_back(phantom: Phantom) -> None:
    disc, angles = HalfDisc(BOX, 20), np.array([0.0, 40.0, 222.0])
    seen = np.stack([disc.gather(rfft2_centred(image(phantom, psi)[None]))[0] for psi in angles])
    back = DiscRotation(disc, angles).adjoint(seen[None].astype(np.complex64))[0] / 3
    truth = irfft2_centred(disc.scatter(disc.gather(rfft2_centred(image(phantom, 0)[None]))), (BOX, BOX))[0]
    inside = soft_disc(BOX, 20, 2)  # a square tile does not cover itself in the corners when it turns
    assert np.linalg.norm((back - truth) * inside) < 2e-3 * np.linalg.norm(truth * inside)


def test_adjoint_is_the_transpose(rng: np.random.Generator) -> None:
    disc = HalfDisc(BOX, 15)
    rotation = DiscRotation(disc, np.array([10.0, 77.0]))
    images = rng.standard_normal((3, BOX, BOX)).astype(np.float32)
    values = (rng.standard_normal((3, 2, 300)) + 1j * rng.standard_normal((3, 2, 300))).astype(np.complex64)
    left = np.sum(rotation.adjoint(values) * images)
    right = 2 * np.sum((rotation.forward(images, 300).conj() * values).real) / BOX**2
    assert left == pytest.approx(right, rel=1e-4)
