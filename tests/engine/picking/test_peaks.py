"""Peaks, their spacing and their matching with known positions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.picking.match import match_picks
from engine.picking.peaks import find_peaks, suppress_neighbours


def bumps(shape: tuple[int, int], positions: list[tuple[float, float]], heights: list[float]) -> np.ndarray:
    y, x = np.mgrid[: shape[0], : shape[1]]
    total = sum(
        h * np.exp(-((x - px) ** 2 + (y - py) ** 2) / 8) for (px, py), h in zip(positions, heights, strict=True)
    )
    return np.asarray(total, np.float32)


def test_peaks_are_found_at_sub_pixel_positions_in_order() -> None:
    positions = [(20.3, 30.7), (60.45, 12.1), (80.0, 40.0)]
    peaks = find_peaks(bumps((60, 100), positions, [0.5, 1.0, 0.8]), 5.0, 0.1)
    assert peaks.scores == pytest.approx([1.0, 0.8, 0.5], abs=0.05)
    assert np.abs(peaks.positions_px - np.array([positions[i] for i in (1, 2, 0)])).max() < 0.03


def test_distance_edge_floor_and_limit() -> None:
    score = bumps((60, 100), [(20, 30), (28, 30), (60, 30), (97, 30), (80, 50)], [1.0, 0.9, 0.7, 0.6, 0.05])
    assert len(find_peaks(score, 0.0, 0.1).scores) == 4
    near = find_peaks(score, 10.0, 0.1, edge_px=5.0)
    assert near.pixels.tolist() == [[20, 30], [60, 30]]
    assert len(find_peaks(score, 0.0, 0.1, limit=2).scores) == 2
    assert len(find_peaks(np.zeros((30, 30), np.float32), 3.0, 0.1).scores) == 0


def test_suppressed_neighbour_suppresses_nobody() -> None:
    line = np.array([[0.0, 0.0], [8.0, 0.0], [16.0, 0.0]])
    assert suppress_neighbours(line, 10.0).tolist() == [0, 2]
    assert suppress_neighbours(line[[1, 0, 2]], 10.0).tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31), st.integers(0, 80), st.floats(1, 40))
def test_what_is_kept_is_apart_and_what_is_dropped_is_near_a_better_one(seed: int, count: int, distance: float) -> None:
    points = np.random.default_rng(seed).uniform(0, 100, (count, 2))
    kept = suppress_neighbours(points, distance)
    apart = np.hypot(*(points[:, None] - points[None]).transpose(2, 0, 1)) if count else np.zeros((0, 0))
    assert all(apart[i, j] >= distance * (1 - 1e-6) for i in kept for j in kept if i != j)
    for i in set(range(count)) - set(kept.tolist()):
        assert min(apart[i, j] for j in kept if j < i) <= distance


def test_matching_uses_each_position_once() -> None:
    truth = np.array([[10.0, 10.0], [50.0, 50.0], [90.0, 20.0]])
    picks = np.array([[11.0, 10.0], [13.0, 10.0], [52.0, 50.0], [70.0, 70.0]])
    match = match_picks(picks, truth, 5.0)
    assert match.truth_of_pick.tolist() == [0, -1, 1, -1]
    assert match.recall == pytest.approx(2 / 3) and match.precision == 0.5
    assert match.median_error_px == pytest.approx(1.5)
    empty = match_picks(np.zeros((0, 2)), truth, 5.0)
    assert empty.recall == 0 and np.isnan(empty.precision)
