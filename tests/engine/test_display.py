"""Pictures for the screen, against what they must show."""

from __future__ import annotations

import numpy as np
import pytest

from engine import display, volume_display


def test_binning_averages_squares() -> None:
    image = np.arange(35, dtype=np.float32).reshape(5, 7)
    binned = display.bin_image(image, 2)
    assert binned.shape == (2, 3) and binned.dtype == np.float32
    assert binned[0, 0] == np.mean([0, 1, 7, 8])
    with pytest.raises(ValueError, match="cannot be binned 9 times"):
        display.bin_image(image, 9)


def test_contrast_spans_mean_plus_minus_sigma() -> None:
    image = np.random.default_rng(0).normal(7, 2, (200, 200))
    picture = display.contrast_by_sigma(image, 3.0)
    level = np.interp([1.0, 7.0, 13.0], [7 - 6, 7 + 6], [0, 255])
    for value, expected in zip((1.0, 7.0, 13.0), level, strict=True):
        found = picture[np.abs(image - value) < 0.05]
        assert abs(float(found.mean()) - expected) < 6
    inverted = display.contrast_by_sigma(image, 3.0, invert=True)
    assert np.abs(inverted.astype(int) + picture - 255).max() <= 1


def test_a_hot_pixel_does_not_flatten_the_picture() -> None:
    image = np.random.default_rng(0).normal(0, 1, (100, 100))
    image[::50, ::50] = 1e4
    assert display.contrast_by_sigma(image).std() > 30


def test_nan_and_constant_images_are_shown() -> None:
    assert display.to_uint8(np.array([np.nan, 0.0, 1.0]), 0, 1).tolist() == [0, 0, 255]
    assert display.contrast_by_sigma(np.full((8, 8), 3.0)).std() == 0
    with pytest.raises(ValueError, match="same grey value"):
        display.to_uint8(np.zeros(3), 1, 1)


def test_low_pass_of_the_picture_removes_what_is_finer() -> None:
    x = np.arange(128) * 2.0  # Å
    wave = np.sin(2 * np.pi * x / 8.0)[None] + np.sin(2 * np.pi * x / 64.0)[None]
    image = np.repeat(wave, 128, 0).astype(np.float32)
    picture = display.micrograph_picture(image, 2.0, low_pass_A=20.0).astype(float)
    power = np.abs(np.fft.rfft(picture[64] - picture.mean())) ** 2
    assert power[32] < 1e-3 * power[4]


def test_atlas_places_images_row_by_row() -> None:
    images = np.zeros((5, 4, 4), np.float32)
    images[4, 1, 2] = 1
    picture = display.atlas(images, 3, sigma=0)
    assert picture.shape == (8, 12) and picture[5, 6] == 255 and picture.sum() == 255


def test_volume_levels_invert_to_map_values() -> None:
    volume = np.random.default_rng(1).normal(0, 1, (9, 10, 11)).astype(np.float32)
    levels, low, high = volume_display.volume_to_uint8(volume)
    assert np.abs(low + levels * (high - low) / 255 - volume).max() <= (high - low) / 509
    assert volume_display.level_histogram(levels).sum() == volume.size
    assert volume_display.level_histogram(levels)[0] == (levels == 0).sum()
    assert volume_display.bin_volume(volume, 2).shape == (4, 5, 5)


def test_shaded_surface_shows_the_nearest_ball() -> None:
    z, y, x = np.mgrid[:40, :40, :40]
    volume = np.exp(-((x - 28) ** 2 + (y - 10) ** 2 + (z - 20) ** 2) / 30).astype(np.float32)
    picture = volume_display.shaded_surface(volume, 0.5)
    rows, columns = np.nonzero(picture < 250)
    assert abs(columns.mean() - 28) < 0.6, "x runs to the right"
    assert abs(39 - rows.mean() - 10) < 0.6, "y points up"
    left_top, right_bottom = picture[27, 26], picture[31, 30]
    assert left_top > right_bottom, "the light comes from the upper left"
