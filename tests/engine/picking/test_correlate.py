"""Score maps against their definition, and what they do not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from drawings import drawing
from scipy import ndimage

from engine.picking import correlate
from engine.picking.correlate import power_map, score_maps
from engine.picking.grid import flatten_micrograph, picking_grid
from engine.picking.peaks import find_peaks
from engine.picking.templates import template_bank

PIXEL_A = 6.0
PSI = np.arange(0, 360, 30)


def bank_and_kernels() -> tuple:
    bank = template_bank(drawing(90, 2.464)[None], 2.464, (PIXEL_A, PIXEL_A), 160.0, 20.0, 30.0)
    return bank, bank.kernels(None, None)


def test_ncc_and_power_are_those_of_the_definition(rng: np.random.Generator) -> None:
    bank, kernels = bank_and_kernels()
    image = ndimage.gaussian_filter(rng.normal(size=(96, 120)), 1.0).astype(np.float32)
    maps = score_maps(image, bank.weight, kernels)
    power = power_map(image, bank.weight, 10)
    side, w = bank.weight.shape[0], bank.weight.astype(np.float64)
    squares, quiet = [], []
    for y, x in ((48, 60), (40, 71), (52, 30)):
        f = image[y - side // 2 : y + side - side // 2, x - side // 2 : x + side - side // 2].astype(np.float64)
        variance = (w * (f - (w * f).sum() / w.sum()) ** 2).sum() / w.sum()
        matches = (kernels * f).sum(axis=(1, 2)) / np.sqrt(w.sum())
        best, lowest = matches.max(), matches.min()
        quiet.append((best / maps.ncc[y, x]) ** 4 / variance - best**2)
        assert maps.opposite[y, x] == pytest.approx(-lowest / (variance * (quiet[0] + lowest**2)) ** 0.25, abs=2e-4)
        assert maps.template[y, x] == matches.argmax()
        squares.append((w * f * f).sum() / w.sum() / power[y, x])
    assert quiet == pytest.approx([quiet[0]] * 3, rel=1e-2)
    # the same background everywhere, exceeded by 80 % of the pixels
    assert squares == pytest.approx([squares[0]] * 3, rel=1e-3)
    assert (power[10:-10, 10:-10] >= 1).mean() == pytest.approx(0.8, abs=0.01)
    assert np.abs(maps.ncc).max() <= 1.0001


def test_scores_do_not_depend_on_grey_values_or_batches(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank, kernels = bank_and_kernels()
    micrograph = (100 + 7 * rng.normal(size=(300, 330))).astype(np.float32)
    grid = picking_grid(micrograph.shape, 2.4, 20.0)
    image, other = (flatten_micrograph(m, grid, 20.0, 500.0) for m in (micrograph, 31 * micrograph - 900))
    maps = score_maps(image, bank.weight, kernels)
    scaled = score_maps(other, bank.weight, kernels)
    assert np.abs(maps.ncc - scaled.ncc).max() < 1e-3
    assert np.abs(power_map(image, bank.weight) / power_map(other, bank.weight) - 1).max() < 1e-2
    monkeypatch.setattr(correlate, "BATCH", 5)
    again = score_maps(image, bank.weight, kernels)
    assert np.array_equal(again.ncc, maps.ncc) and np.array_equal(again.template, maps.template)


def test_planted_particle_is_found_where_it_is_and_as_it_is_turned(rng: np.random.Generator) -> None:
    side, pixel_size_A, angle = 400, 2.464, 60.0
    centre = np.array([213.4, 187.8])
    steps_x, steps_y = (np.arange(side)[None, :] - centre[0]) * 2.464, (np.arange(side)[:, None] - centre[1]) * 2.464
    c, s = np.cos(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
    source = drawing(181, 1.0)
    particle = ndimage.map_coordinates(
        source, [s * steps_x + c * steps_y + 90, c * steps_x - s * steps_y + 90], order=1, mode="constant"
    )
    micrograph = (50 - particle + 0.2 * rng.normal(size=(side, side))).astype(np.float32)
    grid = picking_grid(micrograph.shape, pixel_size_A, 20.0)
    bank = template_bank(drawing(90, pixel_size_A)[None], pixel_size_A, grid.coarse_pixel_size_A, 160.0, 20.0, 10.0)
    maps = score_maps(flatten_micrograph(micrograph, grid, 20.0, 500.0), bank.weight, bank.kernels(None, None))
    peaks = find_peaks(maps.ncc, 10.0, 0.1)
    found = grid.to_micrograph_px(peaks.positions_px)[0]
    x, y = peaks.pixels[0]
    print(f"error {np.hypot(*(found - centre)):.3f} px, NCC {peaks.scores[0]:.3f}")
    assert np.hypot(*(found - centre)) < 0.4
    assert bank.psi_deg[maps.template[y, x]] == angle
    assert peaks.scores[0] > 0.9 > 0.6 > peaks.scores[1]


def test_flattening_removes_ramps_and_hot_pixels(rng: np.random.Generator) -> None:
    noise = rng.normal(size=(300, 260))
    y, x = np.mgrid[:300, :260] / 300
    spoilt = noise + 4 * x - 2.5 * y + 1.2 * x * y
    spoilt[100, 100] += 1e5
    grid = picking_grid((300, 260), 2.464, 20.0)
    clean, flat = (flatten_micrograph(m.astype(np.float32), grid, 20.0, 500.0) for m in (noise, spoilt))
    inner = np.ones_like(clean, bool)
    rows, columns = (slice(78 * n // side, 122 * n // side) for n, side in zip(clean.shape, (300, 260), strict=True))
    inner[rows, columns] = False
    assert np.corrcoef(clean[inner], flat[inner])[0, 1] > 0.99
    assert -clean[20, 30] == pytest.approx(
        flatten_micrograph(noise.astype(np.float32), grid, 20.0, 500.0, invert=False)[20, 30]
    )


def test_micrographs_that_cannot_be_searched_are_refused() -> None:
    bank, kernels = bank_and_kernels()
    with pytest.raises(ValueError, match="fewer than the"):
        score_maps(np.ones((20, 100), np.float32), bank.weight, kernels)
    with pytest.raises(ValueError, match="Nyquist"):
        picking_grid((1000, 1000), 12.0, 20.0)
