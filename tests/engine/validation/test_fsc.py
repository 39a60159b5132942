"""FSC curves against what the signal-to-noise ratio predicts, and against RELION's own tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import starfile

from engine.fourier.filters import low_pass
from engine.fourier.shells import fourier_shell_correlation, radial_average
from engine.fourier.transforms import rfft3
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.curves import CURVES, corrected_fsc, randomisation_start
from engine.validation.fsc import automatic_fsc_mask, fsc_curves
from engine.validation.masks import soft_mask_from_map
from engine.validation.noise import randomise_phases

BOX_PX, PIXEL_SIZE_A = 72, 2.5


@pytest.fixture(scope="module")
def truth() -> np.ndarray:
    volume = density(channel(), BOX_PX, PIXEL_SIZE_A)
    return volume / volume.std()


def _halves(truth: np.ndarray, noise: float, rng: np.random.Generator) -> list[np.ndarray]:
    return [truth + rng.normal(scale=noise, size=truth.shape).astype(np.float32) for _ in range(2)]


def test_the_no_mask_curve_is_the_one_that_the_noise_predicts(truth: np.ndarray) -> None:
    noise = 1.5
    a, b = _halves(truth, noise, np.random.default_rng(1))
    found = fsc_curves(a, b, PIXEL_SIZE_A, np.random.default_rng(2)).curves["no_mask"]
    signal = radial_average(np.abs(rfft3(truth)) ** 2, truth.shape)
    expected = signal / (signal + noise**2 * truth.size)
    error = np.abs(found - expected)[4:].max()
    print(f"no-mask FSC against SNR/(1 + SNR): largest error {error:.4f}")
    assert error < 0.05


def test_the_corrected_curve_is_the_one_inside_the_mask(truth: np.ndarray) -> None:
    """With noise of a known level, the FSC inside the mask follows from signal and noise inside the mask."""
    noise = 6.0
    a, b = _halves(truth, noise, np.random.default_rng(3))
    found = fsc_curves(a, b, PIXEL_SIZE_A, np.random.default_rng(4))
    mask = found.masks["tight"]
    signal = radial_average(np.abs(rfft3(truth * mask)) ** 2, truth.shape)
    expected = signal / (signal + noise**2 * (mask.astype(np.float64) ** 2).sum())
    start = round(BOX_PX * PIXEL_SIZE_A / found.randomised_from_A)
    error = np.abs(found.curves["corrected"] - expected)[3:].mean()
    print(f"corrected against the prediction: mean error {error:.4f}; randomised from shell {start}")
    assert error < 0.04
    r = found.resolutions
    print({k: round(v, 2) for k, v in r.items()})
    assert r["tight"] <= r["loose"] <= r["no_mask"]
    assert tuple(found.curves) == CURVES


def test_a_sharp_mask_makes_false_correlation_and_the_correction_removes_it(truth: np.ndarray) -> None:
    """Signal to 20 Å only; a jagged mask carries it to high frequency, in both halves alike."""
    smooth = low_pass(truth, PIXEL_SIZE_A, 20.0, ndim=3)
    rng = np.random.default_rng(5)
    a, b = _halves(smooth * 3, 0.5, rng)
    jagged = soft_mask_from_map(truth, PIXEL_SIZE_A, 0.3, 0.0, 0.0, low_pass_A=None)
    found = fsc_curves(a, b, PIXEL_SIZE_A, rng, mask=jagged)
    beyond = slice(round(BOX_PX * PIXEL_SIZE_A / 12.0), None)
    print(
        f"beyond 12 Å: tight {found.curves['tight'][beyond].mean():.3f}, "
        f"corrected {found.curves['corrected'][beyond].mean():.3f}"
    )
    assert found.curves["tight"][beyond].mean() > 0.2
    assert abs(found.curves["corrected"][beyond].mean()) < 0.05


def test_randomised_phases_keep_amplitudes_and_low_frequencies(truth: np.ndarray) -> None:
    random = randomise_phases(truth, 12, np.random.default_rng(6))
    before, after = rfft3(truth), rfft3(random)
    power = [radial_average(np.abs(x) ** 2, truth.shape) for x in (before, after)]
    assert np.allclose(power[0], power[1], rtol=1e-3)
    curve = fourier_shell_correlation(truth, random)
    assert curve[:12].min() > 0.999
    assert np.abs(curve[13:]).max() < 0.15


def test_the_same_seed_gives_the_same_curves(truth: np.ndarray) -> None:
    a, b = _halves(truth, 1.0, np.random.default_rng(7))
    first, second = (fsc_curves(a, b, PIXEL_SIZE_A, np.random.default_rng(8)) for _ in range(2))
    assert first.curves["corrected"].tobytes() == second.curves["corrected"].tobytes()


def test_the_correction_is_relions_on_relions_table(shared_data: Path) -> None:
    """RELION starts at 0.8; its corrected curve and stated resolution follow from its other columns."""
    tables = starfile.read(shared_data / "formats" / "relion_postprocess.star", always_dict=True)
    table, general = tables["fsc"], tables["general"]
    prefix = "rlnFourierShellCorrelation"
    masked = table[f"{prefix}MaskedMaps"].to_numpy()
    noise = table["rlnCorrectedFourierShellCorrelationPhaseRandomizedMaskedMaps"].to_numpy()
    start = randomisation_start(table[f"{prefix}UnmaskedMaps"].to_numpy(), 0.8)
    assert np.isclose(table["rlnAngstromResolution"][start], float(general["rlnRandomiseFrom"]), rtol=1e-5)
    found = corrected_fsc(masked, noise, start)
    theirs = table[f"{prefix}Corrected"].to_numpy()
    comparable = masked > noise  # RELION sets the others to 0
    error = np.abs(found - theirs)[comparable].max()
    print(f"largest difference from RELION's corrected curve: {error:.1e}")
    assert error < 2e-5
    first = int(np.flatnonzero(found < 0.143)[0])
    assert table["rlnAngstromResolution"][first - 1] == float(general["rlnFinalResolution"])


def test_maps_that_do_not_fit_together_are_refused(truth: np.ndarray) -> None:
    rng = np.random.default_rng(0)
    with pytest.raises(ValueError, match="one size"):
        fsc_curves(truth, truth[:32, :32, :32], PIXEL_SIZE_A, rng)
    with pytest.raises(ValueError, match="one size"):
        fsc_curves(truth, truth, PIXEL_SIZE_A, rng, mask=truth[:20])


def test_the_automatic_mask_holds_the_particle_however_noisy_the_halves(truth: np.ndarray) -> None:
    inside = low_pass(truth, PIXEL_SIZE_A, 15.0, ndim=3)
    inside = inside > 0.3 * inside.max()
    for noise in (0.5, 6.0):
        a, b = _halves(truth, noise, np.random.default_rng(9))
        mask = automatic_fsc_mask(a, b, fsc_curves(a, b, PIXEL_SIZE_A, np.random.default_rng(1)))
        print(f"noise {noise}: holds {mask[inside].mean():.2f} of the particle, {mask.mean():.2f} of the box")
        assert mask[inside].mean() > 0.95
        assert mask.mean() < 0.5
