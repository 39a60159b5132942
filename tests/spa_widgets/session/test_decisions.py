from __future__ import annotations

from pathlib import Path

import pytest

from spa_widgets.session.decisions import Decisions


def test_undo_and_redo_walk_through_the_history(tmp_path: Path) -> None:
    log = Decisions(tmp_path / "d.jsonl")
    assert log.undo("picks") is None and log.get("picks", "none") == "none"
    for value in ([1], [1, 2], [1, 2, 3]):
        log.decide("picks", value)
    log.decide("other", {"a": 1})
    assert log.undo("picks") == [1, 2] and log.undo("picks") == [1]
    assert log.redo("picks") == [1, 2] and log.history("picks") == [[1], [1, 2]]
    log.decide("picks", [9])
    assert not log.can_redo("picks") and log["picks"] == [9]
    assert sorted(log) == ["other", "picks"] and len(log) == 2 and "picks" in log
    with pytest.raises(KeyError):
        log["nothing"]
    reopened = Decisions(tmp_path / "d.jsonl")
    assert reopened.history("picks") == [[1], [1, 2], [9]] and reopened["other"] == {"a": 1}


def test_a_line_cut_short_loses_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "d.jsonl"
    Decisions(path).decide("a", 1)
    with path.open("a") as stream:
        stream.write('{"key": "a", "val')
    log = Decisions(path)
    assert log["a"] == 1
    log.decide("a", 2)
    assert log["a"] == 2 and Decisions(path)["a"] == 2
