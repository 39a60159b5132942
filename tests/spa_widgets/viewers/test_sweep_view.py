"""Sweeps on real jobs: pictures, the best by a figure, code; and what a job's picture is drawn from."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spa_widgets import Session, SweepView
from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.viewers.jobs.pictures import result_picture
from tests.support.widget_data import PIXEL_A, ball, make_micrographs


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("sweeps")
    star = make_micrographs(folder / "mics")
    found = Session(folder / "project")
    found.import_micrographs(
        str(star.parent / "*.mrc"), pixel_size_A=PIXEL_A, voltage_kv=300, cs_mm=1.6, dose_e_per_A2=35.0
    )
    yield found
    found.runner.stop()


def test_a_sweep_shows_itself_with_pictures_and_its_best(session: Session) -> None:
    sweep = session.sweep("pick_blobs", session["J1"], diameter_A=[60, 70], low_pass_A=[20, 30, 20])
    view = sweep.view()
    assert isinstance(view, SweepView) and sweep.view() is view
    assert [axis["label"] for axis in view.axes] == ["Particle diameter", "Low-pass"]
    assert [point["values"] for point in view.points][:3] == [["60", "20"], ["60", "30"], ["60", "20"]]
    assert len(view.jobs) == 4, "equal points are one job"
    sweep.wait(120)
    deadline = time.monotonic() + 20  # the view's own thread sees the end; nobody calls refresh here
    while not all(row["settled"] for row in view.jobs.values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert {row["status"] for row in view.jobs.values()} == {"finished"}
    facts, (picture,) = view._ask_picture("J2")
    assert facts["mime"] == "image/webp" and picture[8:12] == b"WEBP"
    assert view.jobs["J2"]["figures"]["picks"] == session["J2"].figures["picks"]
    words = {each["name"]: (each["words"], each["words_ja"]) for each in view.figures}
    assert words["picks_per_micrograph"] == ("picks per micrograph", "一枚あたりのピック数")
    view.compare_by("picks_per_micrograph", largest=True)
    most = max(sweep, key=lambda job: job.figures["picks_per_micrograph"])
    assert session[view.best].figures["picks_per_micrograph"] == most.figures["picks_per_micrograph"]
    assert view.code().endswith("best = sweep.best('picks_per_micrograph', largest=True)")
    variables: dict[str, object] = {"session": session}
    exec(view.code(), variables)
    assert variables["best"] == session[view.best]
    view._ask_select("J3")
    assert view.selected == "J3" and "session.pick_blobs(" in view._ask_details("J3")["code"]
    with pytest.raises(UserError, match="no figure 'nonsense'"):
        view.compare_by("nonsense")
    assert "<td>J2</td>" in view.static_html()
    assert view.jobs == SweepView(sweep).jobs, "a view that is opened later shows what finished meanwhile"
    view.close()


def test_failed_points_are_shown_with_their_reason(session: Session) -> None:
    view = session.sweep("pick_templates", session["J1"], session["J2"].path("picks.star"), low_pass_A=[20, 25]).view()
    view.sweep.wait(60)
    view.refresh()
    assert {row["status"] for row in view.jobs.values()} == {"failed"} and view.best == ""
    assert all(row["error"] for row in view.jobs.values())
    with pytest.raises(UserError, match="has no picture"):
        view._ask_picture(view.points[0]["job"])
    view.close()


def test_maps_are_drawn_as_their_sections(session: Session, tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", ball(), 4.0)
    flipped = session.flip_hand(str(tmp_path / "a.mrc")).wait(60)
    picture = result_picture(flipped)
    assert picture is not None and picture[8:12] == b"WEBP"
    assert result_picture(session["J1"]) is None
