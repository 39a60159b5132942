"""Windows, the edge rule, duplicates and boxes."""

from __future__ import annotations

import numpy as np
import pytest

from engine.extraction.boxes import default_box_px
from engine.extraction.duplicates import without_duplicates
from engine.extraction.windows import cut_windows, window_centres, windows_fit


def test_centre_of_a_window_is_the_pixel_named() -> None:
    micrograph = np.arange(60 * 80, dtype=np.float32).reshape(60, 80)
    centres = window_centres(np.array([[30.4, 20.6], [8.0, 8.0]]))
    windows = cut_windows(micrograph, centres, 16)
    assert windows[0, 8, 8] == micrograph[21, 30]
    assert np.array_equal(windows[1], micrograph[:16, :16])


def test_windows_over_the_edge_are_told_and_can_be_mirrored() -> None:
    micrograph = np.arange(60 * 80, dtype=np.float32).reshape(60, 80)
    centres = np.array([[8, 8], [7, 8], [72, 52], [73, 52], [72, 53]])
    assert windows_fit(centres, 16, (60, 80)).tolist() == [True, False, True, False, False]
    mirrored = cut_windows(micrograph, np.array([[3, 20]]), 16)[0]
    assert np.array_equal(mirrored[:, 5:], micrograph[12:28, :11])
    assert np.array_equal(mirrored[:, :5], micrograph[12:28, 5:0:-1])
    with pytest.raises(ValueError, match="does not fit"):
        cut_windows(micrograph, centres, 64)


def test_the_better_of_two_near_picks_is_kept() -> None:
    positions = np.array([[10.0, 10.0], [14.0, 10.0], [40.0, 40.0]])
    assert without_duplicates(positions, np.array([0.3, 0.5, 0.1]), 5.0).tolist() == [1, 2]
    assert without_duplicates(positions, None, 5.0).tolist() == [0, 2]
    assert without_duplicates(positions, None, 0.0).tolist() == [0, 1, 2]


def test_default_box_is_even_and_large_enough() -> None:
    assert default_box_px(160.0, 1.232) == 192
    for pixel_size_A in (0.65, 1.06, 2.464, 3.1):
        box = default_box_px(160.0, pixel_size_A)
        assert box % 2 == 0 and 1.4 * 160 <= box * pixel_size_A < 1.6 * 160
