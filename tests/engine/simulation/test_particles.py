"""Simulated stacks: signal-to-noise ratio, centring, CTF sign, repeatability."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fourier.filters import low_pass, shift_images
from engine.geometry import euler_to_matrix
from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel
from engine.simulation.projection import project_atoms

OPTICS = Optics(300.0, 1.6, 0.1)
BOX_PX, PIXEL_SIZE_A = 48, 4.0


def _stack(snr: float, seed: int = 3, **keywords: float):
    rng = np.random.default_rng(seed)
    return simulate_particles(channel(), 24, BOX_PX, PIXEL_SIZE_A, OPTICS, (9e3, 2e4), snr, rng, **keywords)


def test_the_signal_to_noise_ratio_is_the_wanted_one() -> None:
    clean, _ = _stack(np.inf)
    noisy, _ = _stack(0.08)
    axis = np.arange(BOX_PX) - BOX_PX // 2
    inside = np.hypot(axis[:, None], axis[None]) <= min(channel().radius_A / PIXEL_SIZE_A, 0.45 * BOX_PX)
    signal = clean * np.sqrt(0.08)
    noise = noisy - signal
    ratio = signal[:, inside].var(axis=1).mean() / noise[:, inside].var(axis=1).mean()
    print(f"wanted SNR 0.080, found {ratio:.4f}")
    assert abs(ratio - 0.08) < 0.004
    assert np.abs(noisy[:, ~inside].mean(axis=1)).max() < 1e-4
    assert np.abs(noisy[:, ~inside].std(axis=1) - 1).max() < 1e-4


def test_the_origin_shift_centres_the_image_and_protein_is_white() -> None:
    images, truth = _stack(np.inf, offset_px=4.0)
    assert np.abs(truth.shifts_A).max() > 8.0
    centred = shift_images(images, truth.shifts_A / PIXEL_SIZE_A)
    models = project_atoms(channel(), euler_to_matrix(truth.angles_deg), np.zeros((24, 2)), BOX_PX, PIXEL_SIZE_A)
    for image, moved, model in zip(images, centred, models, strict=True):
        smooth = low_pass(model, PIXEL_SIZE_A, 25.0).ravel()
        good = np.corrcoef(low_pass(moved, PIXEL_SIZE_A, 25.0).ravel(), smooth)[0, 1]
        plain = np.corrcoef(low_pass(image, PIXEL_SIZE_A, 25.0).ravel(), smooth)[0, 1]
        assert good > 0.6
        assert good > plain - 0.02


def test_junk_is_marked_and_looks_different() -> None:
    images, truth = _stack(np.inf, junk_fraction=0.25)
    assert truth.is_junk.sum() == 6
    assert images[truth.is_junk].var(axis=(1, 2)).max() < images[~truth.is_junk].var(axis=(1, 2)).max()


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert _stack(0.1)[0].tobytes() == _stack(0.1)[0].tobytes()
    assert _stack(0.1)[0].tobytes() != _stack(0.1, seed=4)[0].tobytes()


def test_an_impossible_ratio_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        _stack(0.0)
