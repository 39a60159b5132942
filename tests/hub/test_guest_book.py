"""Pass phrases: what opens an account, what does not, and who can read the files."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest


@pytest.fixture
def book(tmp_path: Path):  # type: ignore[no-untyped-def]
    from spa_hub.guests import GuestBook

    return GuestBook(tmp_path / "etc" / "guests.json")


def test_only_the_newest_phrase_of_a_name_opens_it(book) -> None:  # type: ignore[no-untyped-def]
    first = book.give_phrases(["guest01", "guest02"], "guests", days=1)
    assert len(set(first.values())) == 2
    assert book.enter("guest01", first["guest01"]).role == "guests"
    assert book.enter("guest01", first["guest01"].upper().replace("-", " ")) is not None, "as people type it"
    assert book.enter("guest01", first["guest02"]) is None
    assert book.enter("nobody", first["guest01"]) is None
    second = book.give_phrases(["guest01"], "guests", days=1)
    assert book.enter("guest01", first["guest01"]) is None
    assert book.enter("guest01", second["guest01"]) is not None


def test_a_phrase_ends_with_its_days_and_with_its_guest(book) -> None:  # type: ignore[no-untyped-def]
    phrase = book.give_phrases(["guest01"], "guests", days=-1e-9)["guest01"]
    assert book.enter("guest01", phrase) is None
    phrase = book.give_phrases(["guest01"], "guests", days=1)["guest01"]
    assert not book.read()["guest01"].accepts(phrase, time.time() + 90000)
    book.remove(["guest01"])
    assert book.enter("guest01", phrase) is None
    with pytest.raises(ValueError, match="no guest 'guest01'"):
        book.remove(["guest01"])


def test_a_phrase_for_once_lets_one_of_many_in(book) -> None:  # type: ignore[no-untyped-def]
    phrase = book.give_phrases(["guest01"], "guests", days=1, once=True)["guest01"]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: book.enter("guest01", phrase), range(4)))
    assert sum(answer is not None for answer in answers) == 1
    assert book.enter("guest01", phrase) is None


def test_files_hold_no_phrase_that_others_can_read(book, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    from spa_hub.guests import write_slips

    phrases = book.give_phrases(["guest01"], "guests", days=1)
    write_slips(tmp_path / "phrases.txt", phrases, "https://hub.example.org")
    assert "https://hub.example.org\tguest01\t" + phrases["guest01"] in (tmp_path / "phrases.txt").read_text(
        encoding="utf-8"
    )
    for file in (*book.path.parent.iterdir(), tmp_path / "phrases.txt"):
        assert file.stat().st_mode & 0o077 == 0, file
    kept = book.path.read_text(encoding="utf-8").replace("-", "")
    assert phrases["guest01"].replace("-", "") not in kept
    book.path.chmod(0o644)
    with pytest.raises(ValueError, match="can be read or changed by others"):
        book.enter("guest01", phrases["guest01"])


def test_a_damaged_book_lets_nobody_in(book) -> None:  # type: ignore[no-untyped-def]
    phrase = book.give_phrases(["guest01"], "guests", days=1)["guest01"]
    book.path.write_text('{"guest01": {"role": "guests"}}', encoding="utf-8")
    with pytest.raises(ValueError, match="damaged"):
        book.enter("guest01", phrase)
