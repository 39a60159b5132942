"""Sharpening: a known B-factor is found and undone; RELION's own Guinier plot gives RELION's number."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile

from engine.fourier.shells import fourier_shell_correlation, radial_average
from engine.fourier.transforms import rfft3
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.guinier import fit_guinier, fsc_weight, guinier_b_factor
from engine.validation.sharpening import sharpen

BOX_PX, PIXEL_SIZE_A = 80, 1.5


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    return density(channel(), BOX_PX, PIXEL_SIZE_A)


def test_an_added_b_factor_is_found_and_undone(truth: np.ndarray) -> None:
    blurred = sharpen(truth, PIXEL_SIZE_A, 120.0)
    before = guinier_b_factor(truth, PIXEL_SIZE_A, 3.5)
    after = guinier_b_factor(blurred, PIXEL_SIZE_A, 3.5)
    found = before.b_factor_A2 - after.b_factor_A2
    print(f"blurred by 120 Å², the fit finds {found:.2f} Å²; B of the map itself {before.b_factor_A2:.1f} Å²")
    assert abs(found - 120.0) < 0.5
    assert after.b_factor_A2 < -100
    restored = sharpen(blurred, PIXEL_SIZE_A, -120.0)
    assert np.abs(restored - truth).max() < 0.01 * truth.max()


def test_fsc_weighting_and_low_pass_take_out_what_is_noise(truth: np.ndarray) -> None:
    fsc = np.clip(1.2 - np.arange(BOX_PX // 2 + 1) / 20.0, 0.0, 1.0)
    weighted = sharpen(truth, PIXEL_SIZE_A, 0.0, fsc=fsc)
    ratio = np.sqrt(
        radial_average(np.abs(rfft3(weighted)) ** 2, truth.shape)
        / radial_average(np.abs(rfft3(truth)) ** 2, truth.shape)
    )
    assert np.allclose(ratio, fsc_weight(fsc), atol=2e-3)
    cut = sharpen(truth, PIXEL_SIZE_A, -50.0, low_pass_A=6.0)
    power = radial_average(np.abs(rfft3(cut)) ** 2, truth.shape)
    assert power[23:].max() < 1e-6 * power[5]
    assert fourier_shell_correlation(truth, cut)[1:18].min() > 0.999


def test_weight_of_the_fsc() -> None:
    assert np.allclose(fsc_weight(np.array([1.0, 1 / 3, 0.0, -0.2])), [1.0, np.sqrt(0.5), 0.0, 0.0])


def test_the_fit_is_relions_on_relions_guinier_plot(shared_data: Path) -> None:
    tables = starfile.read(shared_data / "formats" / "relion_postprocess.star", always_dict=True)
    table, general = tables["guinier"], tables["general"]
    # that run fitted from 10 Å as far as there is signal (shells without any carry -99), not to its resolution
    k2, log_amplitude = (table[c].to_numpy() for c in ("rlnResolutionSquared", "rlnLogAmplitudesWeighted"))
    fit = fit_guinier(k2, log_amplitude, (k2 >= 1 / 10.0**2) & (log_amplitude > -90))
    print(f"B {fit.b_factor_A2:.3f} Å², RELION {general['rlnBfactorUsedForSharpening']}")
    assert np.isclose(fit.b_factor_A2, float(general["rlnBfactorUsedForSharpening"]), rtol=1e-4)
    assert np.isclose(fit.intercept, float(general["rlnFittedInterceptGuinierPlot"]), rtol=1e-5)
    assert np.isclose(fit.correlation**2, float(general["rlnCorrelationFitGuinierPlot"]), atol=1e-4)


def test_a_coarse_map_still_gets_a_fit_and_an_impossible_one_is_refused(truth: np.ndarray) -> None:
    fit = guinier_b_factor(truth, PIXEL_SIZE_A, 12.0)
    assert fit.fitted.sum() == 5
    with pytest.raises(ValueError, match="resolution"):
        guinier_b_factor(truth, PIXEL_SIZE_A, 100.0)
