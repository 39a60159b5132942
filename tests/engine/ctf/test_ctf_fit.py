"""Fits against micrographs whose CTF is known."""

from __future__ import annotations

import numpy as np
import pytest
from noise_micrograph import noise_micrograph

from engine.ctf.estimate import estimate_ctf, fit_spectrum
from engine.ctf.fit_patch import evaluate_surface
from engine.ctf.power_spectrum import tile_spectra
from engine.ctf.result import CtfFit, CtfSettings
from engine.optics import Optics

OPTICS = Optics(300.0, 1.6, 0.1)


def astigmatism_error_A(fit: CtfFit, astigmatism_A: float, angle_deg: float) -> float:
    """Length of the difference of the two astigmatisms as vectors at twice their angles."""
    found = fit.astigmatism_A * np.exp(2j * np.deg2rad(fit.angle_deg))
    return float(abs(found - astigmatism_A * np.exp(2j * np.deg2rad(angle_deg))))


def test_small_micrographs_are_fitted_to_a_third_of_a_percent():
    rng = np.random.default_rng(1)
    errors = []
    for seed in range(8):
        mean, astigmatism, angle = rng.uniform(8000, 22000), rng.uniform(0, 800), rng.uniform(-90, 90)
        image = noise_micrograph(
            mean_A=mean, astigmatism_A=astigmatism, angle_deg=angle, signal_to_noise=0.4, seed=seed
        )
        fit = estimate_ctf(image, 2.464, OPTICS)
        errors.append(
            (
                abs(fit.mean_defocus_A / mean - 1) * 100,
                abs(fit.mean_defocus_A - mean) / fit.error_A,
                astigmatism_error_A(fit, astigmatism, angle),
                np.abs(fit.surface).max(),
            )
        )
        assert fit.confidence > 0.5
        assert fit.fit_resolution_A < 7
    percent, in_standard_errors, astigmatic, tilt = np.mean(errors, axis=0)
    print(f"defocus {percent:.3f} %, astigmatism {astigmatic:.0f} Å, false tilt {tilt:.0f} Å")
    assert percent < 0.3
    assert 0.3 < in_standard_errors < 1.6, "the stated error is that seen"
    assert astigmatic < 120
    assert tilt < 40, "noise makes no tilt"


@pytest.mark.parametrize("angle_deg", [0.0, 45.0, 80.0, -60.0])
def test_angle_of_astigmatism_is_from_x_towards_y(angle_deg):
    image = noise_micrograph((768, 896), 2.0, 12000, 1200, angle_deg, signal_to_noise=1.0, seed=3)
    fit = estimate_ctf(image, 2.0, OPTICS)
    difference = (fit.angle_deg - angle_deg + 90) % 180 - 90
    assert abs(difference) < 4
    assert fit.u_A > fit.v_A
    assert abs(fit.astigmatism_A - 1200) < 120


def test_tilt_and_curvature_are_followed():
    surface = (-30.0, 220.0, -150.0, 90.0, 0.0, 0.0)
    image = noise_micrograph((1536, 1536), 2.0, 15000, 300, 20, surface, signal_to_noise=1.0, seed=4)
    fit = estimate_ctf(image, 2.0, OPTICS)
    x, y = np.meshgrid(np.linspace(-1, 1, 9), np.linspace(-1, 1, 9))
    error = fit.mean_defocus_A - 15000 + evaluate_surface(fit.surface, x, y) - evaluate_surface(np.array(surface), x, y)
    rms = float(np.sqrt(np.mean(error**2)))
    flat = evaluate_surface(np.array(surface), x, y).std()
    print(f"local defocus: RMS error {rms:.0f} Å of {flat:.0f} Å")
    assert rms < 40 < flat
    fine = np.linspace(-1, 1, 201)
    assert abs(evaluate_surface(fit.surface, fine[:, None], fine).mean()) < 1, "the surface has no mean of its own"


@pytest.mark.parametrize(
    ("mean_A", "optics"), [(3000.0, Optics(200.0, 1.4, 0.1)), (36000.0, OPTICS), (52000.0, Optics(300.0, 2.7, 0.07))]
)
def test_the_whole_range_of_defocus_is_searched(mean_A, optics):
    image = noise_micrograph((1024, 1024), 1.5, mean_A, 200, 10, optics=optics, signal_to_noise=1.0, seed=5)
    fit = estimate_ctf(image, 1.5, optics, CtfSettings(min_defocus_A=2000, max_defocus_A=60000))
    assert abs(fit.mean_defocus_A / mean_A - 1) < 0.01


def test_a_phase_shift_is_found_and_a_known_one_is_used():
    image = noise_micrograph((768, 768), 2.0, 9000, 100, 10, signal_to_noise=1.0, shift_rad=np.deg2rad(70), seed=6)
    fit = estimate_ctf(image, 2.0, OPTICS, CtfSettings(fit_phase_shift=True, max_defocus_A=20000))
    assert abs(fit.phase_shift_deg - 70) < 12
    assert abs(fit.mean_defocus_A - 9000) < 250
    fit = estimate_ctf(image, 2.0, OPTICS, CtfSettings(phase_shift_deg=70, max_defocus_A=20000))
    assert fit.phase_shift_deg == pytest.approx(70)
    assert abs(fit.mean_defocus_A - 9000) < 60


def test_without_astigmatism_both_defoci_are_equal():
    image = noise_micrograph((768, 768), 2.0, 9000, 0, 0, signal_to_noise=1.0, seed=7)
    fit = estimate_ctf(image, 2.0, OPTICS, CtfSettings(fit_astigmatism=False, fit_patches=False))
    assert fit.u_A == fit.v_A
    assert np.all(fit.surface == 0)
    assert abs(fit.mean_defocus_A - 9000) < 60


def test_noise_alone_is_not_trusted_and_ranks_last():
    noise = np.random.default_rng(8).standard_normal((768, 768), np.float32)
    nothing = estimate_ctf(noise, 2.0, OPTICS)
    something = estimate_ctf(noise_micrograph((768, 768), 2.0, 12000, 300, 10, seed=8), 2.0, OPTICS)
    assert nothing.confidence < 0.35 < something.confidence
    assert nothing.score < something.score
    assert nothing.fit_resolution_A > something.fit_resolution_A


def test_the_result_is_the_same_again_and_with_other_grey_values():
    image = noise_micrograph((512, 640), 2.464, 15000, 300, 20, signal_to_noise=0.5, seed=9)
    first, again = estimate_ctf(image, 2.464, OPTICS), estimate_ctf(image.copy(), 2.464, OPTICS)
    assert (first.u_A, first.v_A, first.angle_deg) == (again.u_A, again.v_A, again.angle_deg)
    assert np.array_equal(first.surface, again.surface)
    other = estimate_ctf(-37.0 * image + 500.0, 2.464, OPTICS)
    assert other.mean_defocus_A == pytest.approx(first.mean_defocus_A, abs=0.5)


def test_hot_pixels_and_a_dark_corner_do_not_move_the_fit():
    image = noise_micrograph(mean_A=14000, astigmatism_A=200, signal_to_noise=0.8, seed=10)
    clean = estimate_ctf(image, 2.464, OPTICS)
    spoilt = image.copy()
    spoilt[::97, ::89] += 300.0
    spoilt[:200, :150] = image.min()
    fit = estimate_ctf(spoilt, 2.464, OPTICS)
    print(f"clean {clean.mean_defocus_A - 14000:.0f} Å, spoilt {fit.mean_defocus_A - 14000:.0f} Å")
    assert abs(fit.mean_defocus_A - 14000) < 140


@pytest.mark.parametrize(
    ("image", "sentence"),
    [
        (np.full((512, 512), 3.0, np.float32), "constant"),
        (np.full((512, 512), np.nan, np.float32), "not numbers"),
        (np.zeros((100, 100), np.float32), "at least 128 px"),
        (np.zeros((3, 512, 512), np.float32), "dimensions"),
    ],
)
def test_bad_micrographs_are_refused_with_a_reason(image, sentence):
    with pytest.raises(ValueError, match=sentence):
        estimate_ctf(image, 2.0, OPTICS)


def test_bad_settings_are_refused_with_a_reason():
    with pytest.raises(ValueError, match="exchange the two ends"):
        estimate_ctf(noise_micrograph((512, 512)), 2.464, OPTICS, CtfSettings(low_resolution_A=4, high_resolution_A=25))
    with pytest.raises(ValueError, match="correct the two bounds"):
        CtfSettings(min_defocus_A=5000, max_defocus_A=1000)
    with pytest.raises(ValueError, match="square"):
        fit_spectrum(np.ones((64, 32)), 1.0, OPTICS)


def test_dead_lines_do_not_hide_the_rings():
    image = noise_micrograph(mean_A=14000, astigmatism_A=200, signal_to_noise=0.3, seed=11)
    for row in np.random.default_rng(1).integers(0, 1020, 20):
        image[row : row + 3] -= 8.0
    fit = estimate_ctf(image, 2.464, OPTICS, CtfSettings(fit_patches=False))
    assert abs(fit.mean_defocus_A - 14000) < 100
    assert fit.confidence > 0.5


def test_lines_that_read_nothing_do_not_drown_faint_rings():
    image = noise_micrograph(pixel_size_A=1.5, mean_A=9000, astigmatism_A=150, signal_to_noise=0.1, seed=4)
    for row in np.random.default_rng(4).integers(0, 1020, 20):
        image[row : row + 3] = -8.0
    image[:, 700:702] = -8.0
    fit = estimate_ctf(image, 1.5, OPTICS, CtfSettings(fit_patches=False))
    assert abs(fit.mean_defocus_A - 9000) < 150
    assert fit.confidence > 0.4


def test_rings_too_fast_for_the_tiles_are_resolved_by_larger_ones():
    image = noise_micrograph((2048, 2048), 1.2, 50000, 200, 10, signal_to_noise=0.15, seed=12)
    ranges = CtfSettings(min_defocus_A=2000, max_defocus_A=60000, fit_patches=False)
    fit = estimate_ctf(image, 1.2, OPTICS, ranges)
    coarse = tile_spectra(image, 1.2, ranges).bins.frequency_per_A
    assert abs(fit.mean_defocus_A - 50000) < 100
    assert fit.confidence > 0.5
    assert len(fit.curves.frequency_per_A) > 1.2 * len(coarse), "the second look has finer rings"
