"""Extracted images against what was planted."""

from __future__ import annotations

import numpy as np
import pytest

from engine.extraction.extract import ExtractSettings, extract_particles
from engine.extraction.local_defocus import local_defocus
from engine.extraction.normalise import normalise_background, remove_outliers
from engine.extraction.windows import window_centres
from engine.optics import Defocus

SIGMA_PX = 4.0


def planted(positions: np.ndarray, shape: tuple[int, int] = (256, 300), level: float = 1000.0) -> np.ndarray:
    """Dark Gaussian particles of depth 1 on a level."""
    y, x = np.mgrid[: shape[0], : shape[1]]
    wells = sum(np.exp(-((x - px) ** 2 + (y - py) ** 2) / (2 * SIGMA_PX**2)) for px, py in positions)
    return (level - wells).astype(np.float32)


def all_images(micrograph: np.ndarray, positions: np.ndarray, settings: ExtractSettings) -> tuple:
    parts = list(extract_particles(micrograph, window_centres(positions), settings))
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


@pytest.mark.parametrize("crop_px", [None, 32, 24])
def test_particle_lies_at_the_centre_to_a_tenth_of_a_pixel_and_is_white(crop_px: int | None) -> None:
    positions = np.array([[60.3, 70.8], [150.0, 128.0], [220.6, 180.49]])
    settings = ExtractSettings(64, 24.0, crop_px, normalise=False, outlier_sigma=None)
    _, images = all_images(planted(positions), positions, settings)
    ratio = settings.output_px / 64
    steps = (np.arange(settings.output_px) - settings.output_px // 2) / ratio
    lifted = images + 1000.0
    total = lifted.sum(axis=(1, 2))
    found = np.stack([(lifted.sum(axis=1) * steps).sum(1) / total, (lifted.sum(axis=2) * steps).sum(1) / total], axis=1)
    # the window's centre is the rounded position, so the rest of the position is what must be found
    error = np.abs(found - (positions - np.rint(positions))).max()
    print(f"crop {crop_px}: error {error:.4f} px; peak {lifted[1].max():.4f}")
    assert error < 0.1
    assert lifted[1].max() == pytest.approx(1.0, abs=0.01)


def test_background_has_mean_0_and_deviation_1_whatever_the_ramp(rng: np.random.Generator) -> None:
    positions = np.array([[60.0, 70.0], [150.0, 128.0], [220.0, 180.0]])
    y, x = np.mgrid[:256, :300]
    micrograph = planted(positions) * 20 + 0.9 * x - 0.4 * y + rng.normal(0, 7, (256, 300))
    settings = ExtractSettings(96, 30.0, 48)
    _, images = all_images(micrograph.astype(np.float32), positions, settings)
    steps = np.arange(48) - 24
    outside = np.hypot(steps[:, None], steps[None]) > 15
    background = images[:, outside]
    assert np.abs(background.mean(axis=1)).max() < 1e-3
    assert background.std(axis=1) == pytest.approx(np.ones(3), abs=1e-3)
    slope = [np.polyfit(np.broadcast_to(steps, (48, 48))[outside], row, 1)[0] for row in background]
    assert np.abs(slope).max() < 1e-3
    assert (images[:, ~outside].mean(axis=1) > 0.1).all()
    kept = normalise_background(images, 15.0, ramp=False)[0]
    assert kept == pytest.approx(images, abs=1e-3)


def test_hot_pixel_is_removed_and_a_bright_particle_is_not(rng: np.random.Generator) -> None:
    images = rng.normal(size=(2, 64, 64)).astype(np.float32)
    images[0, 10, 12] = 500.0
    cleaned = remove_outliers(images, 10.0)
    assert abs(cleaned[0, 10, 12]) < 1.0 and np.array_equal(cleaned[1], images[1])
    particle = -planted(np.array([[32.0, 32.0]]), (64, 64))[None]
    assert np.array_equal(remove_outliers(particle, 10.0), particle)


def test_blank_window_is_left_out(rng: np.random.Generator) -> None:
    micrograph = rng.normal(500, 20, (200, 200)).astype(np.float32)
    micrograph[:, 120:] = 500.0
    positions = np.array([[160.0, 100.0], [50.0, 100.0]])
    indices, images = all_images(micrograph, positions, ExtractSettings(64, 24.0))
    assert indices.tolist() == [1] and images.shape == (1, 64, 64) and np.isfinite(images).all()


def test_sizes_that_make_no_sense_are_refused() -> None:
    for values, words in (((63, 20.0), "even"), ((64, 20.0, 128), "larger"), ((64, 60.0), "no background")):
        with pytest.raises(ValueError, match=words):
            ExtractSettings(*values)


def test_defocus_follows_the_surface() -> None:
    surface = np.array([10.0, 100.0, -50.0, 5.0, 7.0, 9.0])
    positions = np.array([[500.0, 400.0], [1000.0, 400.0], [0.0, 800.0]])
    local = local_defocus(Defocus(15000.0, 14000.0, 33.0), surface, positions, (800, 1000))
    expected = np.array([10.0, 10 + 100 + 5, 10 - 100 - 50 + 5 - 7 + 9])
    assert local.u_A == pytest.approx(15000 + expected)
    assert local.v_A == pytest.approx(14000 + expected)
    assert local.angle_deg.tolist() == [33.0] * 3
