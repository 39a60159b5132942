"""The FSC plot."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.steps.fsc.style import ticks_A
from spa_widgets.steps.fsc.widget import FSCPlot
from tests.support.widget_data import make_fsc, make_refinement


@pytest.fixture(scope="module")
def refined(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a refinement leaves it: half maps, curves, mask and particles with poses."""
    return make_refinement(tmp_path_factory.mktemp("refined"))


def _named(plot: FSCPlot, tab: str = "fsc", language: str = "en") -> list[str]:
    figure, _ = plot._figure(tab, language, False)
    return [trace["name"] for trace in figure["data"] if "name" in trace]


def test_resolution_is_where_a_straight_line_crosses(tmp_path: Path) -> None:
    plot = FSCPlot(make_fsc(tmp_path / "fsc.csv"), labels=["J5"])
    # curve 1 - k/22 falls to 0.143 at shell 22 * (1 - 0.143) of a box of 128 Å
    assert plot.resolutions["J5"]["corrected"] == pytest.approx(128 / (22 * (1 - 0.143)), rel=1e-4)
    assert plot.resolutions["J5"]["tight"] < plot.resolutions["J5"]["no_mask"]


def test_five_curves_each_with_its_resolution_in_both_languages(tmp_path: Path) -> None:
    plot = FSCPlot(make_fsc(tmp_path / "fsc.csv"))
    assert len(_named(plot)) == 5 and _named(plot)[-1] == "Corrected (6.79 Å)"
    assert _named(plot, language="ja")[-1] == "補正済み (6.79 Å)"
    assert [tab for tab in plot.tabs] == ["fsc"] and not plot.can_mask
    figure = plot.figure()
    assert {shape.y0 for shape in figure.layout.shapes} >= {0.143, 0.5}
    assert figure.layout.width is None, "as wide as the cell"


def test_several_jobs_are_compared(tmp_path: Path) -> None:
    paths = [make_fsc(tmp_path / "a.csv"), make_fsc(tmp_path / "b.csv", pixel_A=1.0)]
    plot = FSCPlot(*paths, labels=["a", "<b>"], curves=["corrected"])
    lines = [trace for trace in plot._figure("fsc", "en", False)[0]["data"] if "name" in trace]
    assert len(lines) == 2 and lines[0]["line"]["dash"] != lines[1]["line"]["dash"]
    assert lines[1]["name"].startswith("&lt;b&gt; · "), "a name stays text"
    assert plot.resolutions["<b>"]["corrected"] == pytest.approx(plot.resolutions["a"]["corrected"] / 2)
    assert plot.code() == "FSCPlot(refined, curves=['corrected'])"


def test_a_job_is_named_in_the_language_of_the_page(tmp_path: Path) -> None:
    job = SimpleNamespace(name="J5", step=SimpleNamespace(title="Homogeneous refinement"),
                          status="finished", wait=lambda: None, parents=[], params={})  # fmt: skip
    job.path = lambda name: make_fsc(tmp_path / "fsc.csv") if name == "fsc" else _no_path(name)
    plot = FSCPlot(job)
    assert list(plot.resolutions) == ["J5 Homogeneous refinement"], "a key, whatever the language"
    text = plot._figure("fsc", "ja", False)[1]
    assert "J5 均一精密化: 6.79 Å" in text and "Homogeneous" not in text


def _no_path(name: str) -> Path:
    raise UserError(f"there is no {name}")


def test_a_mask_is_tried_and_taken_back(refined: Path, tmp_path: Path) -> None:
    plot = FSCPlot(refined, labels=["J1"])
    before = plot.resolutions["J1"]
    assert (
        plot.tabs == ["fsc", "guinier", "directions", "orientations"]
        and plot.intervals["J1"][0] < plot.intervals["J1"][1]
    )
    tried = plot.set_mask(threshold=0.4, dilation_A=12.0, soft_edge_A=8.0)
    assert plot.own_mask and plot.resolutions["J1"]["corrected"] == pytest.approx(tried.resolution())
    assert plot.code() == "FSCPlot(refined, mask_threshold=0.4, dilation_A=12, soft_edge_A=8)"
    assert _named(plot)[-1].startswith("Mask of the job · Corrected")
    saved, _ = read_mrc(plot.save_mask(tmp_path / "mask.mrc"))
    assert np.array_equal(saved, tried.masks["tight"])
    again = FSCPlot(refined, labels=["J1"], mask_threshold=0.4, dilation_A=12.0, soft_edge_A=8.0)
    assert again.resolutions == plot.resolutions
    plot.reset_mask()
    assert plot.resolutions["J1"] == before and plot.code() == "FSCPlot(refined)"


def test_an_over_tight_mask_is_named(refined: Path) -> None:
    plot = FSCPlot(refined)
    plot.set_mask(threshold=0.75, dilation_A=0.0, soft_edge_A=0.0)
    assert "too tight" in plot._ask_figure("fsc", "en", False)["warning"]
    assert "マスクがきつすぎるか" in plot._ask_figure("fsc", "ja", False)["warning"]
    plot.set_mask(threshold=0.3, dilation_A=10.0, soft_edge_A=12.0)
    assert plot._ask_figure("fsc", "en", False)["warning"] == ""


def test_every_tab_has_a_figure_and_words_for_it(refined: Path) -> None:
    plot = FSCPlot(refined)
    for tab, word in (
        ("fsc", "Resolution"),
        ("guinier", "B-factor"),
        ("directions", "cones"),
        ("orientations", "300 particles"),
    ):
        plot.show(tab)
        reply = plot._ask_figure(tab, "en", True)
        assert plot.tab == tab and word in reply["text"] and len(plot.figure(tab).data) >= 1
    body, pictures = plot._ask_sections()
    assert body["mime"] == "image/png" and pictures[0].startswith(b"\x89PNG")


def test_the_report_gets_an_svg(tmp_path: Path) -> None:
    data, _ = FSCPlot(make_fsc(tmp_path / "fsc.csv"))._repr_mimebundle_()
    assert data["text/html"].startswith("<svg") and "Corrected 6.79 Å" in data["text/html"]
    assert "application/vnd.jupyter.widget-view+json" in data


def test_plotly_is_imported_for_its_own_figures_only(tmp_path: Path) -> None:
    path = make_fsc(tmp_path / "fsc.csv")
    code = (
        f"import sys; from spa_widgets import FSCPlot; plot = FSCPlot({str(path)!r})\n"
        "plot._ask_figure('fsc', 'en', False); assert 'plotly' not in sys.modules\n"
        "assert type(plot.figure()).__module__.startswith('plotly')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)


def test_mistakes_are_told(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(UserError, match="expected resolution_A"):
        FSCPlot(tmp_path / "x.csv")
    plot = FSCPlot(make_fsc(tmp_path / "fsc.csv"))
    with pytest.raises(UserError, match="no curve 'medium'"):
        FSCPlot(tmp_path / "fsc.csv", curves=["medium"])
    with pytest.raises(UserError, match="no half maps"):
        plot.set_mask(0.3)
    with pytest.raises(UserError, match="no tab 'guinier'"):
        plot.show("guinier")


def test_labels_of_resolutions_keep_apart() -> None:
    for last in (0.1, 0.2, 0.4):
        places = 1 / np.array(ticks_A(last)) / last
        assert len(places) > 4 and np.diff(places).min() > 0.04 and places.max() <= 1.01
