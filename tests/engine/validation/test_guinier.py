"""The B-factor that a map gets: judged by the true map's own amplitudes, for structures that the method never saw."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.shells import radial_average
from engine.fourier.transforms import rfft3
from engine.simulation.phantom import channel, channel_in_nanodisc
from engine.simulation.projection import density
from engine.validation.comparison import HalfMapComparison
from engine.validation.guinier import guinier_b_factor, protein_fall, sharpening_b_factor
from engine.validation.sharpening import sharpen

BOX_PX, PIXEL_SIZE_A = 80, 2.2


def _compared(truth: NDArray[Any], blur_A2: float, noise: float, seed: int) -> HalfMapComparison:
    rng = np.random.default_rng(seed)
    blurred = sharpen(truth / truth.std(), PIXEL_SIZE_A, blur_A2)
    halves = [blurred + noise * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2)]
    return HalfMapComparison(halves[0], halves[1], PIXEL_SIZE_A, rng)


@pytest.mark.parametrize("atoms", [channel, channel_in_nanodisc])
@pytest.mark.parametrize(("blur_A2", "noise"), [(100.0, 2.0), (200.0, 1.5), (60.0, 5.0)])
def test_a_map_is_sharpened_by_what_blurred_it_and_not_by_more(atoms: Any, blur_A2: float, noise: float) -> None:
    compared = _compared(density(atoms(), BOX_PX, PIXEL_SIZE_A), blur_A2, noise, 5)
    found = compared.curves(loose=False)
    resolution_A, fsc, mask = found.resolution(), found.curves["corrected"], found.masks["tight"]
    plain = guinier_b_factor(compared.mean_map(), PIXEL_SIZE_A, resolution_A, fsc, mask=mask)
    fit = sharpening_b_factor(compared.mean_map(), PIXEL_SIZE_A, resolution_A, fsc, mask=mask)
    used_A2 = fit.cautious_b_factor_A2
    print(
        f"blurred by {blur_A2:.0f} Å², {resolution_A:.2f} Å: straight line {plain.b_factor_A2:.0f}, without the "
        f"protein's own fall {fit.b_factor_A2:.0f} ± {fit.error_A2:.0f}, used {used_A2:.0f} Å²"
    )
    assert plain.b_factor_A2 < fit.b_factor_A2 + 5
    assert -blur_A2 - 80 < used_A2 < -blur_A2 + 80
    assert abs(used_A2 + blur_A2) < abs(plain.b_factor_A2 + blur_A2)


def test_the_sharpened_map_falls_off_as_the_true_one() -> None:
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    compared = _compared(truth, 150.0, 1.5, 6)
    found = compared.curves(loose=False)
    resolution_A, fsc, mask = found.resolution(), found.curves["corrected"], found.masks["tight"]
    fit = sharpening_b_factor(compared.mean_map(), PIXEL_SIZE_A, resolution_A, fsc, mask=mask)
    sharp = sharpen(compared.mean_map(), PIXEL_SIZE_A, fit.cautious_b_factor_A2, fsc, resolution_A)

    def amplitude(volume: NDArray[Any]) -> NDArray[np.float64]:
        return np.sqrt(radial_average(np.abs(rfft3(volume * mask)) ** 2, volume.shape))

    box_A = BOX_PX * PIXEL_SIZE_A
    shells = np.arange(int(box_A / 20), int(box_A / (resolution_A + 1)))
    change = {
        name: np.log(amplitude(volume) / amplitude(truth))[shells]
        for name, volume in (("before", compared.mean_map()), ("after", sharp))
    }
    fall = {name: float(np.ptp(values)) for name, values in change.items()}
    print(f"{resolution_A:.2f} Å; amplitudes relative to the true map's vary by a factor of e to the {fall}")
    assert fall["after"] < 0.6 * fall["before"]


def test_a_coarse_map_is_not_sharpened() -> None:
    truth = density(channel(), 48, 3.5)
    fit = sharpening_b_factor(truth, 3.5, 9.0)
    assert fit.cautious_b_factor_A2 == 0.0 and not fit.fitted.any()
    assert sharpening_b_factor(truth, 3.5, 7.9).fitted.any()


def test_the_fall_of_proteins_goes_on_beyond_its_table() -> None:
    k2 = np.linspace(0, 0.25, 400)
    values = protein_fall(k2)
    assert np.all(np.isfinite(values)) and values[-1] < -3.0
    assert np.abs(np.diff(values)).max() < 0.1 and abs(protein_fall(np.array([0.01]))[0]) < 1e-12
