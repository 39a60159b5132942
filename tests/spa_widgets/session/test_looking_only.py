"""Lookers-on of a class: results of the class store are there, nothing is computed or queued."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.session import Session


def test_lookers_see_the_class_store_and_ask_for_nothing(
    open_session: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instructor = open_session("instructor", store=tmp_path / "store")
    made = instructor.toy_iterate(iterations=3).wait()
    instructor.toy_scale(made, factor=3.0).wait()

    monkeypatch.setenv("SPA_CLASS_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("SPA_READ_ONLY", "1")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npy")}
    looker = Session(tmp_path / "looker", device="cpu")
    seen = looker.toy_iterate(iterations=3)
    assert seen.status == "finished"
    assert looker.toy_scale(seen, factor=3.0).status == "finished"
    with pytest.raises(UserError, match="has not been computed by the class"):
        looker.toy_iterate(iterations=4)
    with pytest.raises(UserError, match="has not been computed by the class"):
        looker.toy_scale(seen, factor=4.0)
    assert len(looker) == 2
    assert not looker.runner.is_running()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "store").rglob("*.npy")} == before

    monkeypatch.delenv("SPA_READ_ONLY")
    assert looker.project.settings["class_store"] == str(tmp_path / "store")
