"""Binning and denoising for the eye."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fourier.filters import low_pass
from engine.micrograph_view import _box_mean, denoised, picture_binning


def test_binning_keeps_four_pixels_in_the_finest_detail() -> None:
    shape = (3838, 3710)
    assert [picture_binning(shape, 1.232, low_pass_A) for low_pass_A in (0, 10, 20, 40)] == [2, 2, 4, 7]
    assert picture_binning((256, 256), 2.464, 40) == 1, "a small image is not made smaller"
    assert picture_binning(shape, 1.232, 0, longest_px=900) == 5


@pytest.mark.parametrize(("noise", "coloured"), [(1.0, False), (5.0, False), (3.0, True)])
def test_denoising_brings_the_picture_nearer_to_the_truth_than_a_low_pass(noise: float, coloured: bool) -> None:
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:384, :384]
    truth = np.zeros((384, 384), np.float32)
    for y, x in rng.uniform(20, 364, (40, 2)):
        distance = np.hypot(rows - y, columns - x)
        truth -= np.exp(-(((distance - 9) / 3) ** 2)).astype(np.float32)  # rings of 90 Å at 5 Å/px
    grain = rng.standard_normal(truth.shape).astype(np.float32)
    image = truth + noise * (low_pass(grain, 5.0, 14.0, edge_shells=100.0) if coloured else grain)

    def likeness(picture: np.ndarray) -> float:
        return float(np.corrcoef(picture.ravel(), truth.ravel())[0, 1])

    best_low_pass = max(likeness(low_pass(image, 5.0, resolution_A)) for resolution_A in (15, 20, 30, 40, 60, 100))
    clean = denoised(image)
    assert clean.dtype == np.float32 and likeness(clean) > best_low_pass


def test_denoising_flattens_empty_ice_and_keeps_particles() -> None:
    rows, columns = np.mgrid[:256, :256]
    particle = np.hypot(rows - 128, columns - 128) < 16
    image = np.random.default_rng(2).standard_normal(particle.shape).astype(np.float32) - 2 * particle
    clean = denoised(image)
    ice = np.hypot(rows - 128, columns - 128) > 40
    assert clean[ice].std() < 0.1 * image[ice].std()
    assert clean[particle].mean() - clean[ice].mean() < -1.5
    assert np.allclose(denoised(np.full((80, 80), 3.0, np.float32)), 3.0)
    with pytest.raises(ValueError, match="at least 64 x 64"):
        denoised(np.zeros((20, 80), np.float32))


def test_a_box_mean_is_the_mean_of_the_box() -> None:
    image = np.random.default_rng(1).standard_normal((16, 20)).astype(np.float32)
    assert np.isclose(_box_mean(image, 2)[5, 7], image[3:8, 5:10].mean(), atol=1e-5)
    assert np.isclose(_box_mean(image, 2)[0, 0], np.roll(image, (2, 2), (0, 1))[:5, :5].mean(), atol=1e-5)
