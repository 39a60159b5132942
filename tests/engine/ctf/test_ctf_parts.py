"""The pieces of the CTF fit, each against something known."""

from __future__ import annotations

import array_api_strict
import numpy as np
import pytest
from noise_micrograph import noise_micrograph

from engine.ctf.background import remove_background, smooth_background, spline_basis
from engine.ctf.fringes import fringes
from engine.ctf.model import ctf_rfft2
from engine.ctf.polar import polar_bins
from engine.ctf.power_spectrum import tile_origins, tile_side_px, tile_spectra
from engine.ctf.quality import certainty, confidence, equiphase_frequency, fit_resolution_A
from engine.ctf.result import CtfCurves, CtfSettings
from engine.optics import Defocus, Optics

OPTICS = Optics(300.0, 2.7, 0.1)


def test_bins_hold_each_pixel_of_the_range_once_and_average_it():
    bins = polar_bins(128, 2.0, 25.0, 4.5)
    assert len(np.unique(bins.pixels)) == len(bins.pixels) == bins.counts.sum()
    power = np.random.default_rng(0).uniform(size=(2, 128, 65)).astype(np.float32)
    means = bins.average(power)
    ring, sector = 20, 5
    index = ring * bins.shape[1] + sector
    pixels = bins.pixels[bins.starts[index] : bins.starts[index + 1]]
    assert means.shape == (2, *bins.shape)
    assert means[1, ring, sector] == pytest.approx(power[1].ravel()[pixels].mean(), rel=1e-5)


def test_spectra_are_averaged_alike_on_another_array_library():
    bins = polar_bins(128, 2.0, 25.0, 4.5)
    power = np.random.default_rng(0).uniform(size=(2, 128, 65)).astype(np.float32)
    strict = bins.average(array_api_strict.asarray(power))
    assert np.allclose(np.asarray(strict), bins.average(power), rtol=1e-6)


def test_the_phase_on_bins_is_that_of_the_ctf_model():
    bins = polar_bins(256, 1.5, 25.0, 4.0, 90)
    data = fringes(np.ones(bins.shape), np.ones(bins.shape[0]), bins, OPTICS)
    angle = np.deg2rad(2 * 35.0)
    phase = data.phase(np.array([15000.0, 400 * np.cos(angle), 400 * np.sin(angle), np.deg2rad(20)]))
    squared = bins.average(ctf_rfft2(256, 1.5, Defocus(15400.0, 14600.0, 35.0, 20.0), OPTICS) ** 2)
    filled = bins.counts > 0
    assert np.abs(np.sin(phase) ** 2 - squared)[filled].mean() < 0.03


def test_white_noise_has_a_flat_spectrum_of_its_own_variance():
    noise = 3.0 * np.random.default_rng(1).standard_normal((512, 512), np.float32)
    spectra = tile_spectra(noise, 2.0, CtfSettings())
    side = spectra.bins.tile_px
    coverage = spectra.share / spectra.share.max()  # of the tiles that hang over an edge
    polar = spectra.polar / coverage[:, None, None]
    assert np.allclose(polar.mean() / side**2, 9.0, rtol=0.02)
    rings = polar.mean((0, 2))
    assert rings.std() / rings.mean() < 0.1


@pytest.mark.parametrize("shape", [(512, 512), (3838, 3710), (1024, 777), (129, 131)])
def test_tiles_cover_the_micrograph(shape):
    side = tile_side_px(shape, 1.232, 640.0)
    for length in shape:
        origins = tile_origins(length, side)
        assert origins[0] == -(side // 2)
        assert abs(origins[-1] + side / 2 - length) <= 1
        assert np.diff(origins).max() <= side / 2 + 1


def test_the_background_is_removed_and_nothing_else():
    k = np.linspace(0.04, 0.25, 200)
    power = 40 * k**-1.7 * np.exp(-8 * k)
    assert np.allclose(smooth_background(k, power, np.ones(200)) / power, 1.0, atol=0.02)
    basis = spline_basis(k, 8)
    assert np.allclose(basis.sum(1), 1.0)
    fringe = np.cos(2 * np.pi * 300 * k**2)[:, None]
    cleaned = remove_background(fringe + basis @ np.arange(8.0)[:, None], basis, np.ones(200))
    assert np.allclose(cleaned, remove_background(fringe, basis, np.ones(200)), atol=1e-9)


def test_equiphase_frequency_inverts_the_phase():
    k = np.linspace(0.03, 0.25, 50)
    wavelength = OPTICS.wavelength_A
    phase = np.pi * wavelength * 9000 * k**2 - 0.5 * np.pi * 2.7e7 * wavelength**3 * k**4 + 0.1
    assert np.allclose(equiphase_frequency(phase, 9000.0, 0.1, OPTICS), k, rtol=1e-9)


def test_fit_resolution_is_where_the_correlation_stays_low():
    k = np.linspace(0.04, 0.24, 101).astype(np.float32)
    correlation = np.where(k < 0.15, 0.9, 0.0).astype(np.float32)
    correlation[10:13] = 0.1  # a short dip is no end
    correlation[70:75] = 0.9  # a few rings that agree by chance are none either
    resolution = fit_resolution_A(CtfCurves(k, k, k, k, correlation))
    assert resolution == pytest.approx(1 / 0.148, rel=0.02)
    assert fit_resolution_A(CtfCurves(k, k, k, k, np.zeros_like(k))) == pytest.approx(25.0, rel=1e-3)
    assert fit_resolution_A(CtfCurves(k, k, k, k, np.ones_like(k))) == pytest.approx(1 / 0.24, rel=1e-3)


def test_confidence_grows_with_the_margin():
    assert confidence(30.0, 29.0, 800) < 0.2 < confidence(100.0, 60.0, 800) < confidence(1000.0, 100.0, 800)
    assert confidence(10.0, 0.0, 800) < 0.05
    # guesses are ranked, too
    assert confidence(5.0, 0.0, 800) < confidence(10.0, 0.0, 800)
    assert certainty(15.0, 800) == 0.0 < certainty(30.0, 800) < 0.6 < certainty(300.0, 800) < 1.0


def test_tile_spectra_stay_with_the_array_library():
    image = noise_micrograph((300, 320), 2.464, seed=2)
    ours = tile_spectra(image, 2.464, CtfSettings())
    strict = tile_spectra(array_api_strict.asarray(image), 2.464, CtfSettings())
    assert np.allclose(strict.polar, ours.polar, rtol=1e-3)
