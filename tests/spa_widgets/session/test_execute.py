from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.context import Cancelled
from spa_widgets.session.execute import execute
from spa_widgets.session.spec import JobSpec, RawFiles, StoredFile, resolve
from spa_widgets.session.store import Store


def test_the_second_time_nothing_is_computed(store: Store) -> None:
    events: list[dict[str, Any]] = []
    spec = JobSpec("toy_iterate", {"iterations": 5})
    key = execute(spec, store, "cpu", events.append)
    assert [event["kind"] for event in events][-1] == "published"
    events.clear()
    assert execute(JobSpec("toy_iterate", {"iterations": 5, "seed": 0}), store, "cpu", events.append) == key
    assert [event["kind"] for event in events] == ["reused"]
    assert execute(JobSpec("toy_iterate", {"iterations": 5, "seed": 1}), store, "cpu") != key


def test_report_and_result_tell_how_it_was_made(store: Store) -> None:
    found = store.get(execute(JobSpec("toy_iterate", {"iterations": 3}), store, "cpu"))
    result = found.result
    assert result["parameters"]["iterations"] == 3 and result["parameters"]["seed"] == 0
    assert result["device"]["kind"] == "cpu" and "numpy" in result["versions"]
    assert 0 < result["figures"]["norm"] <= 1
    assert set(result["stages_s"]) == {"iterate"}
    assert result["pieces"]["step"] == "toy_iterate"
    assert {"vector.npy", "report.json"} <= set(found.files)
    assert not (store.path / "work" / found.key).exists()


def test_cancelled_in_the_middle_it_resumes_and_ends_bit_identical(store: Store, tmp_path: Path) -> None:
    spec = JobSpec("toy_iterate", {"iterations": 30, "noise": 0.3})
    whole = Store.open(tmp_path / "whole")
    expected = whole.get(execute(spec, whole, "cpu")).files["vector.npy"].read_bytes()
    steps: list[dict[str, Any]] = []

    def stop_at_ten() -> bool:
        return sum(event["kind"] == "progress" for event in steps) >= 10

    with pytest.raises(Cancelled):
        execute(spec, store, "cpu", steps.append, stop_at_ten)
    assert store.keys() == []
    events: list[dict[str, Any]] = []
    found = store.get(execute(spec, store, "cpu", events.append))
    assert events[0]["kind"] == "resumed"
    assert sum(event["kind"] == "progress" for event in events) < 25
    assert found.files["vector.npy"].read_bytes() == expected


def test_two_at_once_give_one_computation(store: Store) -> None:
    spec = JobSpec("toy_iterate", {"iterations": 20, "pause_s": 0.02})
    logs: list[list[str]] = [[], []]
    threads = [
        threading.Thread(target=execute, args=(spec, store, "cpu", lambda event, log=log: log.append(event["kind"])))
        for log in logs
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum("published" in log for log in logs) == 1
    assert sum("reused" in log for log in logs) == 1


def test_tables_name_files_where_they_are_published(store: Store) -> None:
    first = execute(JobSpec("toy_iterate", {"iterations": 2}), store, "cpu")
    spec = JobSpec("toy_scale", {}, {"vector": StoredFile(first, "vector.npy")})
    found = store.get(execute(spec, store, "cpu"))
    named = found.files["where.star"].read_text(encoding="utf-8").split("@")[1].strip()
    assert Path(named) == found.files["scaled.npy"] and Path(named).is_file()


def test_raw_input_enters_by_content_and_name(store: Store, tmp_path: Path) -> None:
    raw = tmp_path / "v.npy"
    np.save(raw, np.arange(4.0))
    spec = JobSpec("toy_scale", {}, {"vector": RawFiles((raw,))})
    key = resolve(spec, store).key
    (tmp_path / "elsewhere").mkdir()
    copy = tmp_path / "elsewhere" / "v.npy"
    copy.write_bytes(raw.read_bytes())
    assert resolve(JobSpec("toy_scale", {}, {"vector": RawFiles((copy,))}), store).key == key
    np.save(raw, np.arange(5.0))
    assert resolve(spec, store).key != key


def test_a_result_whose_raw_files_are_gone_is_computed_anew(store: Store, tmp_path: Path) -> None:
    raw = tmp_path / "v.npy"
    np.save(raw, np.arange(4.0))
    key = execute(JobSpec("toy_scale", {}, {"vector": RawFiles((raw,))}), store, "cpu")
    (tmp_path / "moved").mkdir()
    moved = raw.rename(tmp_path / "moved" / "v.npy")
    again = JobSpec("toy_scale", {}, {"vector": RawFiles((moved,))})
    other = execute(again, store, "cpu")
    assert other != key, "its tables may name files that are gone"
    assert execute(again, store, "cpu") == other


@pytest.mark.parametrize(
    ("spec", "sentence"),
    [
        (JobSpec("toy_nothing"), "There is no step 'toy_nothing'"),
        (JobSpec("toy_iterate", {"iterations": 0}), "iterations is 0, but input should be greater than or equal to 1"),
        (JobSpec("toy_iterate", {"iteration": 3}), "has no parameter iteration"),
        (JobSpec("toy_scale"), "needs vector"),
        (JobSpec("toy_scale", {}, {"x": RawFiles((Path("a"),))}), "has no input x"),
        (JobSpec("toy_scale", {}, {"vector": StoredFile("ab" * 32, "v.npy")}), "is not in the store"),
        (JobSpec("toy_scale", {}, {"vector": RawFiles((Path("/nowhere/v.npy"),))}), "Cannot read /nowhere/v.npy"),
    ],
)
def test_a_wrong_specification_gets_one_sentence(store: Store, spec: JobSpec, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        execute(spec, store, "cpu")


def test_an_unlucky_job_leaves_nothing_published(store: Store, tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.arange(4.0))
    with pytest.raises(UserError, match="unlucky"):
        execute(JobSpec("toy_scale", {"factor": 13}, {"vector": RawFiles((tmp_path / "v.npy",))}), store, "cpu")
    assert store.keys() == []
