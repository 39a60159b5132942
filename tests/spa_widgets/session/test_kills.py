"""kill -9 at operations on files all along a job: the next attempt gives the same result, nothing half-made shows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spa_widgets.session.execute import execute
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from tests.support.killing import forked

SPEC = JobSpec("toy_iterate", {"iterations": 12, "size": 12, "noise": 0.3})
KILLS = 12


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    """Hashes of the files of the result when nothing dies, and how many operations on files it takes."""
    folder = tmp_path_factory.mktemp("undisturbed")
    assert forked(lambda: execute(SPEC, Store.open(folder / "store"), "cpu"), note=folder / "note")
    return hashes(Store.open(folder / "store")), int((folder / "note").read_text(encoding="utf-8").split()[0])


def hashes(store: Store) -> dict[str, str]:
    (key,) = store.keys()
    facts = store.get(key).result["files"]
    return {name: fact["sha256"] for name, fact in facts.items() if name != "report.json"}


def test_a_kill_at_any_operation_costs_nothing(undisturbed: tuple[dict[str, str], int], tmp_path: Path) -> None:
    expected, operations = undisturbed
    assert "live/vector.webp" in expected and operations > 3 * KILLS
    for at in np.linspace(1, operations - 5, KILLS).astype(int):
        store = Store.open(tmp_path / str(at))
        assert not forked(lambda store=store: execute(SPEC, store, "cpu"), at_operation=int(at))  # type: ignore[misc]
        assert store.verify() == {}
        assert forked(lambda store=store: execute(SPEC, store, "cpu"))  # type: ignore[misc]
        assert hashes(store) == expected
        assert not any((store.path / "work").iterdir()), "what a killed attempt left is still there"


def test_one_job_killed_again_and_again(undisturbed: tuple[dict[str, str], int], tmp_path: Path) -> None:
    expected, operations = undisturbed
    store = Store.open(tmp_path / "store")
    kills = 0
    while not forked(lambda: execute(SPEC, store, "cpu"), at_operation=operations // 4 + 5 * kills):
        kills += 1
        assert kills < 20, "it does not get further"
    assert kills >= 2 and hashes(store) == expected
