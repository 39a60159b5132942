"""Figures of merit are read in words and units, and stay a dictionary for code."""

from __future__ import annotations

import pytest

from spa_widgets.session.figures import Figures, figure_text, readable_name


@pytest.mark.parametrize(
    ("name", "words", "unit"),
    [
        ("last_pose_change_deg", "last pose change", "°"),
        ("resolution_tight_A", "resolution in a tight mask", "Å"),
        ("b_factor_A2", "B-factor", "Å²"),
        ("particle_snr", "particle SNR", ""),
        ("particles", "particles", ""),
        ("half_fsc_resolution_A", "half FSC resolution", "Å"),
    ],
)
def test_names_become_words_and_units(name: str, words: str, unit: str) -> None:
    assert readable_name(name) == (words, unit)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.7565317, "0.7565"),
        (24976, "24,976"),
        (13751.2, "13,751"),
        (True, "yes"),
        ([2, 3], "2, 3"),
        (float("nan"), "nan"),
    ],
)
def test_values_have_the_digits_that_say_something(value: object, text: str) -> None:
    assert figure_text(value) == text


def test_a_table_escapes_what_it_shows_and_leaves_long_lists_out() -> None:
    figures = Figures(resolution_A=6.3313, note="<img src=x onerror=alert(1)>", counts=list(range(100)))
    html = figures._repr_html_()
    assert "6.331" in html and "Å" in html and "<img" not in html and "counts" not in html
    assert figures == {**figures} and figures["resolution_A"] == 6.3313
    assert Figures()._repr_html_() == ""
