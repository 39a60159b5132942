"""Thresholds: bounds, decoys, power, calibration."""

from __future__ import annotations

import numpy as np
import pytest

from engine.picking.decoys import Scored, noise_weights
from engine.picking.scores import (
    ScoreSample,
    Thresholds,
    automatic_thresholds,
    calibrate_to_defocus,
    decoy_threshold,
    defocus_trend,
    power_bound,
)


def test_bounds_on_both_scores() -> None:
    ncc, power = np.array([0.2, 0.4, 0.6, 0.8]), np.array([1.0, 2.0, 3.0, 9.0])
    assert Thresholds().accept(ncc, power).all()
    assert Thresholds(min_ncc=0.4, max_ncc=0.6).accept(ncc, power).tolist() == [False, True, True, False]
    assert Thresholds(min_power=2.0, max_power=3.0).accept(ncc, power).tolist() == [False, True, True, False]


@pytest.mark.parametrize("stands_for", [1, 6])
def test_threshold_has_nearly_the_best_f1(rng: np.random.Generator, stands_for: int) -> None:
    """Also where only one of several candidates of noise has a decoy, which then counts for all of them."""
    noise, decoys = rng.normal(0.25, 0.05, 6000), rng.normal(0.25, 0.05, 6000 // stands_for)
    signal = rng.normal(0.45, 0.06, 600)
    scores = np.sort(np.concatenate([noise, signal]))

    def f1(threshold: float) -> float:
        false, true = (noise >= threshold).sum(), (signal >= threshold).sum()
        return float(2 * true / (false + true + 600))

    weight = np.full(len(decoys), float(stands_for))
    threshold = decoy_threshold(scores, decoys, weight)
    best = max(f1(t) for t in scores[-1500:])
    print(f"threshold {threshold:.3f}: F1 {f1(threshold):.3f}, best {best:.3f}")
    assert f1(threshold) > best - 0.03  # decoys are a sample


def test_nothing_is_kept_where_nothing_stands_out(rng: np.random.Generator) -> None:
    noise = rng.normal(0.25, 0.04, 3000)
    threshold = decoy_threshold(noise, np.append(rng.normal(0.25, 0.04, 3000), 1.0))
    assert (noise >= threshold).mean() < 0.01
    assert decoy_threshold(np.zeros(0), noise) == 0.0


def test_decoys_beside_a_better_candidate_are_fringes_and_others_stand_for_the_area_there() -> None:
    area = (0.0, 0.0, 200.0, 200.0)
    decoys = Scored(np.array([[0.0, 0.0], [10.0, 0.0], [100.0, 0.0]]), np.array([0.3, 0.45, 0.3]))
    candidates = Scored(np.array([[5.0, 0.0], [60.0, 0.0]]), np.array([0.48, 0.9]))
    assert (noise_weights(decoys, candidates, area, 20.0, 12.0) > 0).tolist() == [False, True, True]
    alone = noise_weights(decoys, Scored(np.zeros((0, 2)), np.zeros(0)), area, 20.0, 12.0)
    assert alone == pytest.approx([1.0, 1.0, 1.0], rel=0.02)
    # one particle in the middle: noise may lie 40 px from it, decoys count from 80 px on
    single = Scored(np.array([[100.0, 100.0]]), np.array([0.9]))
    corner = noise_weights(Scored(np.array([[5.0, 5.0]]), np.array([0.3])), single, area, 80.0, 40.0)
    assert corner[0] == pytest.approx((200**2 - np.pi * 40**2) / (200**2 - np.pi * 80**2), rel=0.1)


def test_decoys_count_where_next_to_nothing_is_out_of_reach_of_fringes() -> None:
    x, y = np.meshgrid(np.arange(10.0, 200.0, 20.0), np.arange(10.0, 200.0, 20.0))
    crowd = Scored(np.stack([x.ravel(), y.ravel()], axis=1), np.full(x.size, 0.9))
    weights = noise_weights(Scored(np.array([[20.0, 20.0]]), np.array([0.3])), crowd, (0.0, 0.0, 200.0, 200.0), 20.0, 8)
    assert 0 < weights[0] < 1


def test_a_flood_of_fringes_does_not_hide_the_noise(rng: np.random.Generator) -> None:
    """Far below the particles' scores decoys may be few again: the threshold stays above the noise."""
    candidates = np.concatenate([rng.normal(0.5, 0.05, 300), rng.uniform(0.1, 0.25, 4000)])
    threshold = decoy_threshold(candidates, rng.uniform(0.2, 0.25, 200), np.full(200, 4.0))
    assert threshold > 0.235


def test_ice_is_left_out_by_its_power(rng: np.random.Generator) -> None:
    noise = ScoreSample(rng.normal(0.25, 0.04, 3000), rng.lognormal(0.1, 0.1, 3000))
    decoys = ScoreSample(rng.normal(0.25, 0.04, 3000), rng.lognormal(0.1, 0.1, 3000))
    particles = ScoreSample(rng.normal(0.5, 0.06, 400), rng.lognormal(0.8, 0.2, 400))
    ice = ScoreSample(rng.normal(0.45, 0.1, 40), rng.lognormal(3.0, 0.3, 40))
    together = ScoreSample(
        *(np.concatenate([getattr(s, f) for s in (noise, particles, ice)]) for f in ("ncc", "power"))
    )
    bounds = automatic_thresholds(together, decoys, Thresholds())
    assert bounds.accept(ice.ncc, ice.power).sum() == 0
    assert bounds.accept(particles.ncc, particles.power).mean() > 0.95
    kept = automatic_thresholds(together, decoys, Thresholds(min_ncc=0.1, max_power=99.0))
    assert kept == Thresholds(min_ncc=0.1, max_power=99.0)
    assert power_bound(np.zeros(0)) is None


def test_calibration_takes_the_trend_away(rng: np.random.Generator) -> None:
    group = np.repeat(np.arange(12), 50)
    defocus_A = np.linspace(8000, 22000, 12)[group]
    score = 0.3 + 1e-5 * defocus_A + rng.normal(0, 0.02, len(group))
    trend = defocus_trend(score, group, defocus_A)
    assert trend[0] == pytest.approx(1e-5, rel=0.1)
    flat = calibrate_to_defocus(score, defocus_A, trend)
    assert abs(np.corrcoef(flat, defocus_A)[0, 1]) < 0.1
    assert np.median(flat) == pytest.approx(np.median(score), abs=0.005)
    assert defocus_trend(score[:50], group[:50], defocus_A[:50])[0] == 0.0
