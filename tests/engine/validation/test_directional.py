"""Cones of Fourier space: a map with a blunt direction shows it, one without does not."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fourier.grids import rfft_frequencies_px
from engine.fourier.shells import fourier_shell_correlation
from engine.fourier.transforms import irfft3, rfft3
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.directional import conical_fsc

BOX_PX, PIXEL_SIZE_A = 56, 3.0


def _halves(volume: np.ndarray) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    noise = 0.7 * volume.std()
    return [(volume + noise * rng.standard_normal(volume.shape)).astype(np.float32) for _ in range(2)]


def test_a_blunt_direction_shows() -> None:
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    kz = rfft_frequencies_px(truth.shape)[0] / PIXEL_SIZE_A
    blunt = irfft3(rfft3(truth) * np.exp(-0.25 * 500.0 * kz**2), truth.shape)
    even, uneven = (conical_fsc(*_halves(each), PIXEL_SIZE_A) for each in (truth, blunt))
    along = np.abs(uneven.directions[:, 2])
    z_A, side_A = (float(np.median(uneven.resolutions_A[some])) for some in (along > 0.9, along < 0.4))
    print(
        f"even map {even.area_ratio:.2f}, blunt in z {uneven.area_ratio:.2f}: {z_A:.1f} Å in z, {side_A:.1f} Å across"
    )
    assert z_A > 1.3 * side_A
    assert uneven.area_ratio < even.area_ratio - 0.1


def test_a_cone_of_90_degrees_is_the_whole_shell(rng: np.random.Generator) -> None:
    a, b = _halves(density(channel(), BOX_PX, PIXEL_SIZE_A))
    found = conical_fsc(a, b, PIXEL_SIZE_A, half_angle_deg=90.0, directions=3)
    assert np.abs(found.curves - fourier_shell_correlation(a, b)).max() < 1e-4
    with pytest.raises(ValueError, match="half angle"):
        conical_fsc(a, b, PIXEL_SIZE_A, half_angle_deg=0.0)
