"""Local resolution of a map whose two sides were made with different resolutions."""

from __future__ import annotations

import numpy as np
import pytest

from engine.fourier.filters import low_pass
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.comparison import HalfMapComparison
from engine.validation.local_resolution import local_resolution

BOX_PX, PIXEL_SIZE_A = 72, 2.4


def _halves(volume: np.ndarray, noise: float) -> list[np.ndarray]:
    rng = np.random.default_rng(1)
    return [(volume + noise * rng.standard_normal(volume.shape)).astype(np.float32) for _ in range(2)]


def test_each_side_has_the_resolution_that_a_whole_map_of_its_kind_has() -> None:
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    noise = 0.5 * float(truth.std())
    sides = [low_pass(truth, PIXEL_SIZE_A, resolution_A, ndim=3) for resolution_A in (7.0, 13.0)]
    whole = []
    for side in sides:
        compared = HalfMapComparison(*_halves(side, noise), PIXEL_SIZE_A, np.random.default_rng(2))
        whole.append(compared.curves(loose=False).resolution("corrected", 0.5))
    x = np.arange(BOX_PX) - BOX_PX // 2
    halves = _halves(np.where(x < 0, sides[0], sides[1]), noise)
    found = local_resolution(halves[0], halves[1], PIXEL_SIZE_A, window_A=22.0)
    inside = truth > 0.25 * truth.max()
    here = [float(np.median(found[inside & side])) for side in (x < -7, x > 7)]
    empty = float(np.median(found[:8, :8, :8]))
    print(
        f"whole maps {whole[0]:.1f} and {whole[1]:.1f} Å; sides {here[0]:.1f} and {here[1]:.1f} Å; empty {empty:.1f} Å"
    )
    assert all(abs(local / known - 1) < 0.12 for local, known in zip(here, whole, strict=True))
    assert empty > 20.0 and found.dtype == np.float32 and found.shape == truth.shape


def test_halves_that_agree_reach_nyquist_and_a_window_must_fit(rng: np.random.Generator) -> None:
    volume = rng.standard_normal((48, 48, 48)).astype(np.float32)
    assert np.allclose(local_resolution(volume, volume, 3.0), 6.0)
    with pytest.raises(ValueError, match="window"):
        local_resolution(volume, volume, 3.0, window_A=100.0)
