from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.keys import canonical_json, digest, explain, key_pieces
from spa_widgets.session.store import Store

KEY = "ab" * 32


def publish(store: Store, key: str = KEY, text: str = "hello") -> Path:
    out = store.work_folder(key) / "out"
    out.mkdir(exist_ok=True)
    (out / "a.txt").write_text(text, encoding="utf-8")
    (out / "sub").mkdir(exist_ok=True)
    (out / "sub" / "b.bin").write_bytes(b"\0" * 100)
    return store.publish(key, out, {"step": "x"}).path


def test_published_result_lists_every_file_with_its_hash_and_is_read_only(store: Store) -> None:
    path = publish(store)
    result = json.loads((path / "result.json").read_text(encoding="utf-8"))
    assert set(result["files"]) == {"a.txt", "sub/b.bin"}
    # SHA-256 of "hello" as any other program gives it
    assert result["files"]["a.txt"]["sha256"] == "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    assert all(not (path / name).stat().st_mode & 0o222 for name in ("a.txt", "sub/b.bin", "result.json"))
    assert store.keys() == [KEY]


def test_of_two_equal_results_the_first_published_wins(store: Store) -> None:
    publish(store, text="first")
    again = publish(store, text="second")
    assert (again / "a.txt").read_text(encoding="utf-8") == "first"
    assert not (store.work_folder(KEY) / "out").exists()


def test_a_changed_byte_is_found_and_a_truncated_file_is_set_aside(store: Store) -> None:
    path = publish(store)
    assert store.verify() == {}
    (path / "a.txt").chmod(0o644)
    (path / "a.txt").write_text("hellO", encoding="utf-8")
    assert "a.txt has changed" in store.verify()[KEY][0]
    (path / "a.txt").write_text("hell", encoding="utf-8")
    assert store.find(KEY) is None, "a result with a file of another size must not be used"
    assert len(list((store.path / "aside").iterdir())) == 1
    assert publish(store) == path and store.find(KEY) is not None


def test_a_class_store_is_looked_in_and_never_written(tmp_path: Path) -> None:
    teacher = Store.open(tmp_path / "teacher")
    publish(teacher)
    before = sorted(path for path in teacher.path.rglob("*"))
    mine = Store.open(tmp_path / "mine", [teacher.path])
    found = mine.find(KEY)
    assert found is not None and found.read_only_store and found.path.is_relative_to(teacher.path)
    publish(mine, "cd" * 32)
    assert sorted(path for path in teacher.path.rglob("*")) == before
    assert mine.keys() == ["cd" * 32]
    with pytest.raises(UserError, match="is not a store"):
        Store.open(tmp_path / "mine", [tmp_path / "nowhere"])


def test_a_key_that_is_a_path_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match="not a key"):
        store.find("../../etc")


def test_keys_do_not_depend_on_order_or_form() -> None:
    one = key_pieces("s", 1, {"a": 1.0, "b": (1, 2), "c": -0.0}, {})
    two = key_pieces("s", 1, {"c": 0.0, "b": [1, 2], "a": 1.0}, {})
    assert digest(one) == digest(two)
    assert digest(one) != digest(key_pieces("s", 2, {"a": 1.0, "b": (1, 2), "c": 0.0}, {}))
    assert "param    b = [1,2]" in explain(one) and digest(one) in explain(one)
    with pytest.raises(ValueError):
        canonical_json({"a": float("nan")})


def test_raw_files_are_read_once_and_again_when_they_change(store: Store, tmp_path: Path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    from spa_widgets.session import files

    raw = tmp_path / "x.mrc"
    raw.write_bytes(b"1" * 1000)
    os.utime(raw, ns=(10**18, 10**18))
    reads = []
    real = files.file_sha256
    monkeypatch.setattr(files, "file_sha256", lambda path: reads.append(path) or real(path))
    first = store.hashes.sha256(raw)
    assert store.hashes.sha256(raw) == first and len(reads) == 1
    raw.write_bytes(b"2" * 1000)
    os.utime(raw, ns=(10**18 + 5, 10**18 + 5))
    assert store.hashes.sha256(raw) != first and len(reads) == 2


def test_a_file_that_changed_a_moment_ago_is_not_remembered(store: Store, tmp_path: Path) -> None:
    raw = tmp_path / "x.mrc"
    raw.write_bytes(b"1")
    store.hashes.sha256(raw)
    assert store.hashes.known(raw) is None, "it could change again without its time changing"


def test_images_that_a_star_file_names_enter_its_pieces(store: Store, tmp_path: Path) -> None:
    (tmp_path / "Extract").mkdir()
    (tmp_path / "Extract" / "stack.mrcs").write_bytes(b"images")
    (tmp_path / "job").mkdir()
    star = tmp_path / "job" / "particles.star"
    star.write_text(
        "data_\nloop_\n_rlnImageName\n_rlnX\n1@Extract/stack.mrcs 5\n2@Extract/stack.mrcs 6\n", encoding="utf-8"
    )
    before = store.hashes.pieces(star)
    assert [item["name"] for item in before["refers_to"]] == ["stack.mrcs"]
    (tmp_path / "Extract" / "stack.mrcs").write_bytes(b"other images")
    assert store.hashes.pieces(star) != before


def test_content_is_compared_when_a_result_is_first_read(tmp_path: Path) -> None:
    teacher = Store.open(tmp_path / "teacher")
    path = publish(teacher)
    mine = Store.open(tmp_path / "mine", [teacher.path])
    assert mine.get(KEY).path == path
    (path / "a.txt").chmod(0o644)
    (path / "a.txt").write_text("hellO", encoding="utf-8")
    with pytest.raises(UserError, match="is damaged"):
        mine.get(KEY)
    assert (path / "a.txt").exists(), "a store behind one's own is never changed"
    with pytest.raises(UserError, match="is not in the store"):
        teacher.get(KEY)
    assert len(list((teacher.path / "aside").iterdir())) == 1, "one's own is set aside, to be computed again"
