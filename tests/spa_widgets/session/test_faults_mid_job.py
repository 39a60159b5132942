"""Files and disks that fail in the middle of a job: one sentence that names them, nothing lost, nothing wrong kept."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets.cli import EXIT_INTERRUPTED, main
from spa_widgets.errors import UserError
from spa_widgets.io import mrc
from spa_widgets.io.mrc import read_mrc, read_mrc_slices
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import JobContext
from spa_widgets.session.execute import execute
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from tests.support.killing import forked
from tests.support.tiny_chain import content, movies_of, spec

TOY = JobSpec("toy_iterate", {"iterations": 6, "size": 12, "noise": 0.3})


def vanish(path: Path) -> None:
    path.rename(path.with_suffix(".away"))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:5000])


def replace_by_another(path: Path) -> None:
    image = read_mrc(path)[0]
    write_mrc(path, image[::-1], 1.0, is_stack=True)


@pytest.mark.parametrize(
    ("fault", "sentence", "left_out"),
    [
        (vanish, r"movie_1\.mrcs vanished while the job ran; put it back", "movie_1.mrcs does not exist"),
        (cut_short, r"movie_1\.mrcs changed while the job ran, so the result would mix", "movie_1.mrcs"),
        (replace_by_another, r"movie_1\.mrcs changed while the job ran, so the result would mix", ""),
    ],
)
def test_a_movie_that_fails_mid_job(
    tmp_path: Path, fault: Callable[[Path], None], sentence: str, left_out: str
) -> None:
    store = Store.open(tmp_path / "store")
    movies = movies_of(store)
    whole, said = movies[1].read_bytes(), []

    def watch(event: dict[str, Any]) -> None:
        if event["kind"] == "progress" and event["message"] == "movie_1.mrcs" and not said:
            said.append("")
            fault(movies[1])
        if event["kind"] == "warning":
            said.append(event["message"])

    job = spec("correct_motion", {}, store)
    with pytest.raises(UserError, match=sentence):
        execute(job, store, "cpu", watch)
    assert store.keys() == [], "what was made of other files has no key"
    assert any("Left out" in text and left_out in text for text in said) == bool(left_out), said
    before = movies[1].stat() if movies[1].exists() else None
    movies[1].write_bytes(whole)
    if before is not None:
        os.utime(movies[1], ns=(before.st_atime_ns, before.st_mtime_ns + 10**9))
    events: list[dict[str, Any]] = []
    found = store.get(execute(job, store, "cpu", events.append))
    assert found.result["figures"]["micrographs"] == 3 and not found.result["warnings"]
    kept = any(event["kind"] == "resumed" for event in events)
    assert kept == (fault is vanish), "what was done is kept, unless it was made of other content"
    if fault is replace_by_another:
        other = Store.open(tmp_path / "other", [])
        (other.path / "movies").symlink_to(store.path / "movies")
        undisturbed = other.get(execute(spec("correct_motion", {}, other), other, "cpu"))
        assert content(undisturbed, other.path, store.path) == content(found, other.path, store.path)


@pytest.mark.parametrize("read", [read_mrc, lambda path: read_mrc_slices(path, [0, 5, 6, 2])], ids=["all", "some"])
def test_a_file_cut_short_while_it_is_read_ends_no_process(
    tmp_path: Path, read: Callable[[Path], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stack.mrcs"
    write_mrc(path, np.ones((8, 64, 64), np.float32), 1.0, is_stack=True)
    check = mrc._checked_header

    def check_and_cut(stream: Any, file: Path) -> Any:
        found = check(stream, file)
        os.truncate(file, 20_000)
        return found

    def act() -> None:
        monkeypatch.setattr(mrc, "_checked_header", check_and_cut)
        with pytest.raises(UserError, match=r"stack\.mrcs cannot be read \(it was cut short while it was read\)"):
            read(path)

    assert forked(act)  # a mapped file would end it with a signal


FAULTS = {
    errno.EDQUOT: r"The disk of .* is full; free some space and run the job again",
    errno.EIO: r"The disk of .* is full or fails; free some space or have it checked, and run the job again",
    errno.ESTALE: r"The server of .* mount the folder again, and run the job again: it goes on where it was",
    errno.EROFS: r".* is on a disk that is read-only; make it writable",
}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    """What the toy job gives on a sound disk, and how often it waits for the disk."""
    store, count, real = Store.open(tmp_path_factory.mktemp("sound") / "store"), 0, os.fsync

    def counting(handle: int) -> None:
        nonlocal count
        count += 1
        real(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", counting)
        key = execute(TOY, store, "cpu")
    return content(store.get(key), store.path), count


@pytest.mark.parametrize("number", FAULTS, ids=[errno.errorcode[number] for number in FAULTS])
@pytest.mark.parametrize("at", [0.05, 0.5, 0.8, 0.97], ids=["checkpoint", "later", "object", "publishing"])
def test_a_disk_that_begins_to_fail(
    tmp_path: Path, undisturbed: tuple[dict[str, str], int], number: int, at: float
) -> None:
    store, real = Store.open(tmp_path / "store"), os.fsync
    expected, count = undisturbed
    left = round(at * count)

    def failing(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(number, os.strerror(number))
        real(handle)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(UserError, match=FAULTS[number]) as caught:
            execute(TOY, store, "cpu")
    assert "\n" not in str(caught.value) and store.verify() == {}
    events: list[dict[str, Any]] = []
    key = execute(TOY, store, "cpu", events.append)
    assert content(store.get(key), store.path) == expected
    assert any(event["kind"] in ("resumed", "reused") for event in events) == (at > 0.1), "it began anew"


def test_a_log_of_events_on_a_full_disk_ends_the_job_in_words(tmp_path: Path) -> None:
    store, events = Store.open(tmp_path / "store"), 0

    def full(event: dict[str, Any]) -> None:
        nonlocal events
        events += 1
        if events > 4:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(tmp_path / "events.jsonl"))

    with pytest.raises(UserError, match=r"The disk of .* is full; free some space"):
        execute(TOY, store, "cpu", full)
    assert store.keys() == []
    key = execute(TOY, store, "cpu")
    assert store.keys() == [key]


@pytest.fixture
def signals_are_heard() -> Iterator[None]:
    """The tests themselves may run under nohup or in a shell's background, which a command respects."""
    hang_up = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    interrupt = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGHUP, hang_up)
    signal.signal(signal.SIGINT, interrupt)


@pytest.mark.usefixtures("signals_are_heard")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=["INT", "TERM", "HUP"])
def test_a_command_that_is_told_to_end_keeps_what_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    keep, kept = JobContext.keep, []

    def keep_and_signal(context: JobContext, name: str, state: Any) -> None:
        keep(context, name, state)
        kept.append(int(state["done"]))
        if kept == [1]:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(JobContext, "keep", keep_and_signal)
    command = ["simulate", "--micrographs", "2", "--size-px", "256", "--objects-per-micrograph", "2", "--device", "cpu"]
    command += ["--out", str(tmp_path / "out"), "--store", str(tmp_path / "store")]
    before = [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]

    assert main(command) == EXIT_INTERRUPTED
    assert before == [signal.getsignal(each) for each in (signal.SIGTERM, signal.SIGHUP)]
    assert main(command) == 0
    assert kept == [1, 2], "it began anew"
