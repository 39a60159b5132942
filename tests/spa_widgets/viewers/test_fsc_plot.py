"""The FSC plot."""

from __future__ import annotations

from pathlib import Path

import pytest

from spa_widgets.errors import UserError
from spa_widgets.steps.fsc.widget import FSCPlot
from tests.support.widget_data import make_fsc


def test_resolution_is_where_a_straight_line_crosses(tmp_path: Path) -> None:
    plot = FSCPlot(make_fsc(tmp_path / "fsc.csv"), labels=["J5"])
    # curve 1 - k/22 falls to 0.143 at shell 22 * (1 - 0.143) of a box of 128 Å
    assert plot.resolutions["J5"]["corrected"] == pytest.approx(128 / (22 * (1 - 0.143)), rel=1e-4)
    assert plot.resolutions["J5"]["tight"] < plot.resolutions["J5"]["no_mask"]


def test_five_curves_each_with_its_resolution(tmp_path: Path) -> None:
    plot = FSCPlot(make_fsc(tmp_path / "fsc.csv"))
    names = [trace.name for trace in plot.data]
    assert len(names) == 5 and names[-1] == "Corrected (6.79 Å)"
    assert plot.layout.shapes[0].y0 == 0.143


def test_several_jobs_are_compared(tmp_path: Path) -> None:
    paths = [make_fsc(tmp_path / "a.csv"), make_fsc(tmp_path / "b.csv", pixel_A=1.0)]
    plot = FSCPlot(*paths, labels=["a", "b"], curves=["corrected"])
    assert len(plot.data) == 2 and plot.data[0].line.dash != plot.data[1].line.dash
    assert plot.resolutions["b"]["corrected"] == pytest.approx(plot.resolutions["a"]["corrected"] / 2)
    assert plot.code() == "FSCPlot(refined, curves=['corrected'])"


def test_the_report_gets_an_svg(tmp_path: Path) -> None:
    data, _ = FSCPlot(make_fsc(tmp_path / "fsc.csv"))._repr_mimebundle_()
    assert data["text/html"].startswith("<svg") and "Corrected 6.79 Å" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="expected resolution_A"):
        FSCPlot(tmp_path / "x.csv")
    with pytest.raises(UserError, match="no curve 'medium'"):
        FSCPlot(make_fsc(tmp_path / "fsc.csv"), curves=["medium"])
