"""Bundles at an engine service: what a participant opened, and what the service's keeper published for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service_support import RunningService

from spa_widgets.cli import main
from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleFile
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.bundle.publish import publish_bundle
from spa_widgets.session.job import JobFailed
from spa_widgets.session.registry import get_step
from spa_widgets.session.session import Session
from spa_widgets.session.store import Store
from tests.support.widget_data import ball

Participants = Callable[[str], Any]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workshop") / "workshop.spa"


@pytest.fixture(scope="module")
def teacher(participant: Participants, workshop: Path) -> Any:
    """A project whose results no service made, and its bundle: a map turned over twice, whose file is gone now."""
    session = participant("teacher")
    write_mrc(file := workshop.with_name("a.mrc"), ball(), 4.0)
    once = session.flip_hand(str(file), device="cpu").wait(60)
    session.flip_hand(once, device="cpu").wait(60)
    session.export(workshop)
    file.unlink()
    return session


def test_what_is_in_a_bundle_is_computed_again_by_a_service_that_did_not_make_it(
    teacher: Any, workshop: Path, service: RunningService, tmp_path: Path
) -> None:
    learner: Any = Session.open_bundle(workshop, tmp_path / "learner", service=service.root)
    shared = Store(service.place.store)
    assert shared.find(learner["J2"].key) is None and learner["J2"].origin.startswith("from the bundle, ")
    after = learner.flip_hand(learner["J2"]).wait(60)  # its raw file comes out of the bundle
    assert np.array_equal(after.read("volume"), teacher["J1"].read("volume"))
    assert shared.find(learner["J1"].key) is not None and shared.find(learner["J2"].key) is not None


def test_what_the_keeper_takes_from_a_bundle_is_there_for_all(
    teacher: Any, service: RunningService, participant: Participants, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = teacher.toy_iterate(iterations=5, seed=6, device="cpu")
    given = teacher.toy_scale(made, factor=4.0, device="cpu").wait(60)
    teacher.export(bundle := tmp_path / "results.spa", [given])
    shared = Store(service.place.store)
    assert shared.find(given.key) is None
    assert main(["service", "take", str(bundle), str(service.root), "--quiet"]) == 0
    assert "2 results published" in capsys.readouterr().out
    assert shared.verify() == {} and main(["service", "take", str(bundle), str(service.root), "--quiet"]) == 0
    assert "0 results published, 2 were there" in capsys.readouterr().out
    session = participant("six")
    found = session.toy_scale(session.toy_iterate(iterations=5, seed=6), factor=4.0).wait(60)
    assert found.key == given.key and found.origin.startswith("from the class store")
    named = found.table("where")["rlnImageName"].iloc[0].partition("@")[2]
    assert str(teacher.path) not in named
    computed = len(service.queue.jobs())
    learner: Any = Session.open_bundle(bundle, tmp_path / "learner", service=service.root)
    learner.toy_scale(learner[made.name], factor=7.0).wait(60)
    assert len(service.queue.jobs()) == computed + 1, "what it goes on from was not computed again"


def test_what_lacks_files_is_not_published_and_a_forged_result_is_refused(
    teacher: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher.export(bundle := tmp_path / "workshop.spa", [teacher.toy_iterate(iterations=4, device="cpu").wait(60)])
    file, store = BundleFile.open(bundle), Store.open(tmp_path / "store")
    member = next(name for name in file.manifest.members if name.endswith("vector.npy"))
    file.manifest.left_out[member] = file.manifest.members.pop(member).bytes
    assert str(publish_bundle(file, store)) == "0 results published, 1 lack files that were left out of the bundle"
    monkeypatch.setattr("spa_widgets.session.bundle.publish.digest", lambda _: 64 * "0")
    with pytest.raises(UserError, match="another result under the key"):
        publish_bundle(file, store)
    assert store.keys() == []


def test_what_the_service_would_compute_otherwise_is_refused(
    teacher: Any, service: RunningService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = teacher.toy_iterate(iterations=4, seed=7, device="cpu").wait(60)
    teacher.export(bundle := tmp_path / "old.spa", [made])
    learner: Any = Session.open_bundle(bundle, tmp_path / "learner", service=service.root)
    later = replace(get_step("toy_iterate"), version=2)
    monkeypatch.setattr("spa_widgets.session.service_requests.get_step", lambda name: later)
    with pytest.raises(JobFailed, match=f"{made.name} was made by another version of its step"):
        learner.toy_scale(learner[made.name], factor=2.5).wait(60)


def test_a_reason_is_told_by_the_name_that_the_job_has_here(participant: Participants, tmp_path: Path) -> None:
    session = participant("seven")
    write_mrc(file := tmp_path / "a.mrc", ball(), 3.0)
    mine = session.flip_hand(str(file), device="cpu").wait(60)
    after = session.flip_hand(mine, device="cpu").wait(60)
    file.unlink()
    with pytest.raises(JobFailed, match=r"J1 was not made by the engine service.*a\.mrc is not there or not for every"):
        session.flip_hand(after).wait(60)
    (other := tmp_path / "b.mrc").write_bytes(b"no map")
    failing = session.flip_hand(str(other))
    with pytest.raises(JobFailed, match=f": {failing.name}, whose result is needed, failed"):
        session.flip_hand(failing).wait(60)
