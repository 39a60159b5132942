"""Lookers-on of a class: results of the class store are there, nothing is computed or queued."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.keys import file_sha256
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


def contents(folder: Path) -> dict[Path, str]:
    """Every file with its content, but for those that an open session of the owner touches by itself."""
    own = ("kernel.json", "queue.sqlite-shm", "runner.log")
    return {path: file_sha256(path) for path in folder.rglob("*") if path.is_file() and path.name not in own}


def test_anothers_project_is_looked_at_and_never_touched(open_session: Callable[..., Session]) -> None:
    other = open_session("looked_at", title="Theirs")
    made = other.toy_iterate(iterations=3).wait()
    other.decide("picks/mic_1", [[1, 2]])
    with pytest.raises(UserError):
        other.toy_scale(made, factor=13.0).wait()
    other.runner.stop()
    before = contents(other.path)

    looker = Session.look_at(other.path)
    assert looker.title == "Theirs"
    assert [repr(job) for job in looker] == [repr(job) for job in other]
    seen = looker["J1"]
    assert seen.path("vector").read_bytes() == made.path("vector").read_bytes()
    assert (seen.figures, len(seen.events()), seen.pictures.keys()) == (
        made.figures, len(made.events()), made.pictures.keys()
    )  # fmt: skip
    assert seen.origin.startswith("from the class store, ")
    assert looker.toy_iterate(iterations=3) == seen
    looker.decide("picks/mic_1", [])
    assert other.decisions["picks/mic_1"] == [[1, 2]]
    with pytest.raises(UserError, match="here results are only looked at"):
        looker.toy_iterate(iterations=4)
    with pytest.raises(UserError, match="here results are only looked at"):
        looker["J2"].clone()
    assert contents(other.path) == before

    other.toy_scale(made, factor=3.0).wait()
    looker.refresh()
    assert [job.status for job in looker] == ["finished", "failed", "finished"]
    folder = looker.path
    del looker, seen
    gc.collect()
    assert not folder.exists()


def test_a_bundle_is_looked_at(open_session: Callable[..., Session], tmp_path: Path) -> None:
    other = open_session("bundled")
    made = other.toy_iterate(iterations=3).wait()
    other.export(tmp_path / "a.spa")
    looker = Session.look_at(tmp_path / "a.spa")
    looker.refresh()
    assert looker["J1"].path("table").read_text(encoding="utf-8") == made.path("table").read_text(encoding="utf-8")
    with pytest.raises(UserError, match="here results are only looked at"):
        looker.toy_iterate(iterations=4)
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(UserError, match="is neither a project nor a bundle"):
            Session.look_at(path)


def test_a_project_that_may_only_be_read_is_told(
    open_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = open_session("theirs")
    may = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK and may(path, mode))
    with pytest.raises(UserError, match=r"you may only read; look at it with Session\.look_at"):
        Session(other.path)
