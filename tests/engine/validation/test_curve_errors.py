"""The stated error of an FSC curve and of its crossing is the one seen when the noise is drawn again."""

from __future__ import annotations

import numpy as np

from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.comparison import HalfMapComparison
from engine.validation.curves import FSCCurves, resolution_interval
from engine.validation.masks import soft_mask_from_map

BOX_PX, PIXEL_SIZE_A, DRAWS = 48, 3.0, 24


def _drawn() -> list[FSCCurves]:
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    mask = soft_mask_from_map(truth, PIXEL_SIZE_A, 0.3, 6.0, 12.0)
    found = []
    for seed in range(DRAWS):
        rng = np.random.default_rng(seed)
        halves = [truth + 3 * truth.std() * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2)]
        found.append(HalfMapComparison(halves[0], halves[1], PIXEL_SIZE_A, rng).curves(mask, loose=False))
    return found


def test_errors_are_those_of_repeated_measurements() -> None:
    drawn = _drawn()
    for name in ("no_mask", "tight", "corrected"):
        curves = np.array([each.curves[name] for each in drawn])
        # where the curve ends: at high FSC the signal, which is the same each time, makes the error seen smaller
        end = np.abs(curves.mean(axis=0)) < 0.4
        stated = np.mean([each.errors[name] for each in drawn], axis=0)
        ratio = float(np.sqrt(np.mean(np.square(stated[end] / curves.std(axis=0, ddof=1)[end]))))
        print(f"{name}: stated error over the one seen on {end.sum()} shells {ratio:.2f}")
        assert end.sum() > 4 and 0.75 < ratio < 1.4
    ends = np.array([each.resolution("no_mask") for each in drawn])
    inside = [low <= np.median(ends) <= high for low, high in (each.interval("no_mask") for each in drawn)]
    print(f"resolution {np.median(ends):.2f} ± {ends.std():.2f} Å; within the interval in {np.mean(inside):.0%}")
    assert 0.5 < np.mean(inside) <= 1.0


def test_the_interval_lies_about_the_crossing() -> None:
    curve = np.clip(1.0 - np.arange(33) / 20.0, 0, 1)
    finer, coarser = resolution_interval(curve, np.full(33, 0.05), 64, 2.0)
    assert finer < 128 / (20 * (1 - 0.143)) < coarser
    assert np.isclose(128 / finer - 128 / coarser, 2 * 0.05 * 20)
