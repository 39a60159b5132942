"""A GPU whose memory does not suffice: smaller batches with the same result, then a clear word."""

from __future__ import annotations

from typing import Any

import cupy_on_cpu
import numpy as np
import pytest

from engine.batches import in_batches
from engine.poses.search import _score_chunk


class SmallCard:
    """Refuse device arrays above a size, as a card without room for them does."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, most_bytes: int) -> None:
        self.refused, self.largest = 0, 0
        make = cupy_on_cpu.ndarray.__init__

        def make_if_it_fits(array: Any, values: np.ndarray) -> None:
            self.largest = max(self.largest, values.nbytes)
            if values.nbytes > most_bytes:
                self.refused += 1
                raise MemoryError(f"Out of memory allocating {values.nbytes} bytes")
            make(array, values)

        monkeypatch.setattr(cupy_on_cpu.ndarray, "__init__", make_if_it_fits)


@pytest.mark.parametrize("fits", [1, 3, 7, 100])
def test_batches_shrink_until_they_fit(fits: int) -> None:
    sizes: list[int] = []

    def work(part: slice) -> list[int]:
        if part.stop - part.start > fits:
            raise MemoryError
        sizes.append(part.stop - part.start)
        return list(range(part.start, part.stop))

    assert [item for part in in_batches(work, 30, 16) for item in part] == list(range(30))
    assert max(sizes) <= fits
    with pytest.raises(MemoryError):
        in_batches(lambda part: work(slice(0, 1000)), 3, 2)


@pytest.fixture
def stand_in(xp: Any, request: pytest.FixtureRequest) -> Any:
    if request.config.getoption("--gpu"):
        pytest.skip("a card is not made small; the stand-in is")
    return xp


def best_poses(xp: Any) -> list[np.ndarray]:
    """Score 40 random images against 300 slices at 9 shifts; the best orientations, shifts and scores of each."""
    rng = np.random.default_rng(3)

    def waves(count: int) -> Any:
        values = rng.standard_normal((count, 50)) + 1j * rng.standard_normal((count, 50))
        return xp.asarray(values.astype(np.complex64))

    images, slices, ramps = waves(40), waves(300), waves(9)
    ctf2 = xp.asarray(rng.random((40, 50)).astype(np.float32))
    return list(_score_chunk(images, ctf2, slices, ramps, 5, False))


def test_a_search_on_a_small_card_finds_the_same_poses(stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    roomy = SmallCard(monkeypatch, 1 << 40)
    expected = best_poses(stand_in)
    small = SmallCard(monkeypatch, roomy.largest // 4)
    found = best_poses(stand_in)
    assert small.refused > 0
    assert np.array_equal(np.sort(found[0]), np.sort(expected[0]))
    assert np.allclose(np.sort(found[2]), np.sort(expected[2]), rtol=1e-4)


def test_a_card_that_is_much_too_small_is_an_error(stand_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    SmallCard(monkeypatch, 4096)
    with pytest.raises(MemoryError, match="Out of memory allocating"):
        best_poses(stand_in)
