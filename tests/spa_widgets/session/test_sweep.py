"""Grids of jobs: every combination once, compared by figures, written as code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.grid import grid_points
from spa_widgets.session.session import Session
from spa_widgets.session.sweep import best_place


@pytest.fixture(scope="module")
def swept(open_session: Callable[..., Session]) -> tuple[Session, Any]:
    session = open_session("swept")
    vectors = session.toy_iterate(size=5, iterations=2)
    return session, session.sweep("toy_scale", vectors, factor=[1.0, 3.0, 2.0, 1.0]).wait(60)


def test_equal_points_are_one_job_and_asking_again_computes_nothing(swept: tuple[Session, Any]) -> None:
    session, sweep = swept
    assert [job.number for job in sweep] == [2, 3, 4, 2] and sweep.statuses == ["finished"] * 4
    count = len(session)
    again = session.sweep("toy_scale", vector=session["J1"], factor=(1.0, 3.0, 2.0, 1.0))
    assert list(again) == list(sweep) and len(session) == count and again.progress == 1.0


def test_results_are_compared_by_a_figure(swept: tuple[Session, Any]) -> None:
    _, sweep = swept
    table = sweep.table()
    assert list(table.columns[:4]) == ["job", "status", "factor", "sum"] and len(table) == 4
    sums = dict(zip(table["factor"], table["sum"], strict=True))
    assert sums[3.0] == pytest.approx(3 * sums[1.0])
    larger = 3 if sums[1.0] > 0 else 1
    assert sweep.best("sum", largest=True).params["factor"] == larger
    with pytest.raises(UserError, match="no figure that says which result is best; choose one of: sum"):
        sweep.best()
    with pytest.raises(UserError, match="Whether a large or a small sum"):
        sweep.best("sum")
    with pytest.raises(UserError, match="No job of this sweep has a figure fsc"):
        sweep.best("fsc", largest=True)


def test_its_code_makes_the_same_sweep(swept: tuple[Session, Any]) -> None:
    session, sweep = swept
    code = sweep.code()
    assert code == (
        "session.sweep('toy_scale', vector=session['J1'].output('vector.npy'), factor=[1.0, 3.0, 2.0, 1.0])"
    )
    assert list(eval(code, {"session": session})) == list(sweep)


def test_inputs_may_be_an_axis_and_a_workspace_has_sweeps(swept: tuple[Session, Any]) -> None:
    session, _ = swept
    workspace = session.workspace("W2")
    vectors = [workspace.toy_iterate(size=4, seed=seed, iterations=1) for seed in (1, 2)]
    sweep = workspace.sweep("toy_scale", vectors, factor=[2.0, 13.0]).wait(60)
    assert {job.workspace for job in sweep} == {"W2"}
    assert sweep.statuses == ["finished", "failed", "finished", "failed"]
    assert [job.inputs["vector"]["job"] for job in sweep] == [v.number for v in vectors for _ in range(2)]
    assert list(sweep.table()["vector"])[::2] == [f"J{v.number} vector.npy" for v in vectors]
    assert "✗" in sweep.static_html() and sweep.table()["sum"].notna().tolist() == [True, False, True, False]
    assert list(eval(sweep.code(), {"session": workspace.session})) != []


def test_a_wrong_value_is_told_before_any_job_is_asked_for(swept: tuple[Session, Any]) -> None:
    session, _ = swept
    count = len(session)
    with pytest.raises(UserError, match="size is 1, but input should be greater than or equal to 2"):
        session.sweep("toy_iterate", size=[40, 1])
    with pytest.raises(UserError, match="toy_iterate has no parameter sizes"):
        session.sweep("toy_iterate", sizes=[40, 1])
    with pytest.raises(UserError, match="several values in a list"):
        session.sweep("toy_iterate", size=40)
    with pytest.raises(UserError, match="list of values for size is empty"):
        session.sweep("toy_iterate", size=[])
    with pytest.raises(UserError, match="more than 400"):
        session.sweep("toy_iterate", size=range(2, 300), seed=[1, 2])
    with pytest.raises(UserError, match="takes 0 inputs"):
        session.sweep("toy_iterate", session["J1"], size=[4, 5])
    assert len(session) == count


def test_a_list_that_is_one_value_is_no_axis(swept: tuple[Session, Any]) -> None:
    session, _ = swept
    with pytest.raises(UserError, match="several values in a list"):
        session.sweep("select_2d", classes=[1, 2])


def test_grid_and_best_place() -> None:
    assert grid_points({"a": [1, 2], "b": "xy"}) == [
        {"a": 1, "b": "x"}, {"a": 1, "b": "y"}, {"a": 2, "b": "x"}, {"a": 2, "b": "y"},
    ]  # fmt: skip
    assert best_place([None, 3.0, float("nan"), 1.0, 3.0], 1) == 1
    assert best_place([None, 3.0, float("nan"), 1.0, 1.0], -1) == 3
    assert best_place([None], 1) is None
