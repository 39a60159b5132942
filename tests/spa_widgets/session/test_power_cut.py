"""A power cut at any moment: what is opened afterwards is the old or the new, never half of something."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from toy_steps import IterateParams

from spa_widgets.session.context import simple_context
from spa_widgets.session.decisions import Decisions
from spa_widgets.session.execute import execute
from spa_widgets.session.project import Project
from spa_widgets.session.queue import Queue
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from tests.support.power_cut import Disk, State, lay_out

States = Callable[[Path, Callable[[], object]], list[State]]


@pytest.fixture
def states() -> Iterator[States]:
    """Do something in a folder, and return every state that a power cut could leave meanwhile."""

    def states_of(folder: Path, act: Callable[[], object]) -> list[State]:
        disk = Disk(folder)
        with pytest.MonkeyPatch.context() as patch:
            disk.watch(patch)
            act()
        disk.cut()
        disk.close()
        return disk.cuts

    yield states_of


def test_the_double_loses_what_was_not_synced(states: States, tmp_path: Path) -> None:
    folder = tmp_path / "careless"
    folder.mkdir()

    def write_carelessly() -> None:
        (folder / "part").write_bytes(b"content")
        (folder / "part").replace(folder / "name")

    found = states(folder, write_carelessly)
    assert {state.get("name") for state in found} == {None, b"", b"con", b"content"}


def test_a_result_is_whole_or_not_there(states: States, tmp_path: Path) -> None:
    spec, store = JobSpec("toy_iterate", {"iterations": 2, "size": 4}), Store.open(tmp_path / "store")
    found = states(store.path, lambda: execute(spec, store, "cpu"))
    (key,) = store.keys()
    expected = store.get(key).files["vector.npy"].read_bytes()
    assert len(found) > 40
    seen = set()
    for state in found:
        left = Store(lay_out({name: held for name, held in state.items() if "sqlite" not in name}, tmp_path / "left"))
        made = left.find(key, content=True)
        seen.add(made is not None)
        assert made is None or made.files["vector.npy"].read_bytes() == expected
        assert not (left.path / "aside").exists(), "something half-written had a key"
    assert seen == {False, True}


def test_a_job_goes_on_from_whatever_is_left_of_its_checkpoints(states: States, tmp_path: Path) -> None:
    spec, store = JobSpec("toy_iterate", {"iterations": 2, "size": 4}), Store.open(tmp_path / "store")
    found = states(store.path, lambda: execute(spec, store, "cpu"))
    (key,) = store.keys()
    expected = store.get(key).files["vector.npy"].read_bytes()
    for state in found[:: len(found) // 8]:
        lay_out({name: held for name, held in state.items() if "sqlite" not in name}, tmp_path / "left")
        left = Store.open(tmp_path / "left")
        assert execute(spec, left, "cpu") == key
        assert left.get(key).files["vector.npy"].read_bytes() == expected


def test_a_checkpoint_is_the_last_or_the_one_before(states: States, tmp_path: Path) -> None:
    context = simple_context("toy_iterate", IterateParams(), {}, tmp_path)

    def work() -> None:
        for number in range(3):
            context.save_checkpoint({"number": number, "array": np.full(100, number)})

    order = []
    for state in states(context.work, work):
        again = simple_context("toy_iterate", IterateParams(), {}, lay_out({}, tmp_path / "left"))
        lay_out(state, again.work)
        kept = again.load_checkpoint()
        order.append(-1 if kept is None else int(kept["number"]))
        assert kept is None or set(kept["array"]) == {order[-1]}
    assert set(order) == {-1, 0, 1, 2} and order[-1] == 2
    assert all(after >= before - 1 for before, after in pairwise(order))


def test_a_damaged_checkpoint_starts_over(tmp_path: Path) -> None:
    context = simple_context("toy_iterate", IterateParams(), {}, tmp_path)
    context.save_checkpoint({"number": 5})
    whole = (context.work / "checkpoint.npz").read_bytes()
    for damaged in (b"", whole[:40], whole[:-30], whole[:80] + bytes(20) + whole[100:], b"\0" * len(whole)):
        (context.work / "checkpoint.npz").write_bytes(damaged)
        assert context.load_checkpoint() is None
        assert not (context.work / "checkpoint.npz").exists()


def test_a_decision_that_was_kept_stays(states: States, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    log, kept_at = Decisions(folder / "decisions.jsonl"), []

    def decide() -> None:
        for number in range(4):
            log.decide("picks", number)
            kept_at.append(len(disk.cuts))

    disk = Disk(folder)
    with pytest.MonkeyPatch.context() as patch:
        disk.watch(patch)
        decide()
    for index, state in enumerate(disk.cuts):
        left = Decisions(lay_out(state, tmp_path / "left") / "decisions.jsonl")
        promised = sum(index >= at for at in kept_at)
        assert left.history("picks")[:promised] == list(range(promised))
        left.decide("picks", "after")
        assert left["picks"] == "after" and len(left.history("picks")) >= promised + 1
    disk.close()


def test_a_project_opens_with_its_old_or_new_settings(states: States, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    Project.open(folder, title="old")
    found = states(folder, lambda: Project.open(folder, title="new"))
    titles = [Project.open(lay_out(state, tmp_path / "left")).settings["title"] for state in found]
    assert set(titles) == {"old", "new"} and titles[-1] == "new"


def test_the_queue_opens_with_whatever_is_left_of_its_log(tmp_path: Path) -> None:
    """SQLite's own log is cut at any byte, or ends in rubbish: the transactions before are there, in order."""
    queue = Queue(tmp_path / "queue.sqlite")
    for number in range(5):
        queue.add("W1", "toy_iterate", {"step": "toy_iterate", "params": {}, "inputs": {}}, f"{number}", "cpu")
    log = (tmp_path / "queue.sqlite-wal").read_bytes()
    assert len(log) > 10_000
    counts = []
    for end in np.linspace(0, len(log), 30).astype(int):
        for tail in (b"", bytes(min(4096, len(log) - end))):
            left = tmp_path / f"left-{end}-{len(tail)}"
            left.mkdir(exist_ok=True)
            shutil.copy(tmp_path / "queue.sqlite", left / "queue.sqlite")
            (left / "queue.sqlite-wal").write_bytes(log[:end] + tail)
            numbers = [row.number for row in Queue(left / "queue.sqlite").jobs()]
            assert numbers == list(range(1, len(numbers) + 1))
            checked = sqlite3.connect(left / "queue.sqlite").execute("PRAGMA integrity_check").fetchone()
            assert checked == ("ok",)
            counts.append(len(numbers))
    assert counts[0] == 0 and counts[-1] == 5


def test_what_a_later_attempt_keeps_of_figures_and_warnings(tmp_path: Path) -> None:
    first = simple_context("toy_iterate", IterateParams(), {}, tmp_path)
    first.figure("symmetry_score", 0.5)
    first.warn("The axes are unsure.")
    first.save_checkpoint({"iteration": 1})
    second = simple_context("toy_iterate", IterateParams(), {}, tmp_path)
    second.warn("The axes are unsure.")
    assert second.load_checkpoint() == {"iteration": 1}
    assert second.figures == {"symmetry_score": 0.5} and second.warnings == ["The axes are unsure."]
    assert json.dumps(second.figures)
