"""Half sets."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.extraction.half_sets import assign_half_sets


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6), max_size=120), st.integers(0, 2**31))
def test_half_sets_are_balanced_within_each_micrograph(micrographs: list[int], seed: int) -> None:
    groups = np.array(micrographs, dtype=np.int64)
    halves = assign_half_sets(groups, np.random.default_rng(seed))
    assert set(halves.tolist()) <= {1, 2}
    for group in np.unique(groups):
        ones = int((halves[groups == group] == 1).sum())
        assert abs(2 * ones - int((groups == group).sum())) <= 1
    assert abs(2 * int((halves == 1).sum()) - len(groups)) <= 1


def test_half_sets_follow_the_seed() -> None:
    groups = np.repeat(np.arange(5), 31)
    first, same, other = (assign_half_sets(groups, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, same)
    assert 0.3 < (first == other).mean() < 0.7
