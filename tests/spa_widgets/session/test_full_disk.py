"""A full disk, a forbidden one, files that vanish: one sentence each, nothing half-written, and the job goes on."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import MrcStackWriter
from spa_widgets.session.decisions import Decisions
from spa_widgets.session.execute import execute
from spa_widgets.session.session import Session
from spa_widgets.session.spec import JobSpec, RawFiles
from spa_widgets.session.store import Store
from tests.support.killing import forked
from tests.support.small_disk import fill, small_disk

SPEC = JobSpec("toy_iterate", {"iterations": 12, "size": 60})


@pytest.fixture(name="small_disk")
def disk_of_a_megabyte(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 1 << 20) as place:
        yield place


@pytest.mark.parametrize("left", [0, 4096, 8192, 12288])
def test_a_job_on_a_full_disk_goes_on_when_there_is_space(small_disk: Path, tmp_path: Path, left: int) -> None:
    reference = Store.open(tmp_path / "reference")
    key = execute(SPEC, reference, "cpu")
    store = Store.open(small_disk / "store")
    store.hashes  # its database is there before the disk is full  # noqa: B018
    filler = fill(small_disk, left)
    with pytest.raises(UserError, match=r"The disk of .* is full; free some space and run the job again"):
        execute(SPEC, store, "cpu")
    assert store.keys() == [] and store.verify() == {}
    filler.unlink()
    assert execute(SPEC, store, "cpu") == key
    assert store.get(key).files["vector.npy"].read_bytes() == reference.get(key).files["vector.npy"].read_bytes()
    assert not list(store.path.rglob("*.tmp"))


def test_a_stack_on_a_full_disk_is_an_error_and_no_dead_process(small_disk: Path) -> None:
    fill(small_disk, 100_000)

    def write() -> None:
        with pytest.raises(OSError, match="No space"), MrcStackWriter(small_disk / "stack.mrcs", 50, 64, 1.0) as stack:
            stack.append(np.ones((50, 64, 64), "float32"))

    assert forked(write)  # a mapped file would end it with a signal


def test_a_decision_on_a_full_disk_is_refused_whole(small_disk: Path) -> None:
    log = Decisions(small_disk / "decisions.jsonl")
    log.decide("picks", list(range(100)))
    filler = fill(small_disk)
    with pytest.raises(UserError, match="is full"):
        log.decide("picks", list(range(5000)))
    assert log["picks"] == list(range(100))
    filler.unlink()
    log.decide("picks", [1])
    assert Decisions(log.path).history("picks") == [list(range(100)), [1]]


def test_a_session_on_a_full_disk(small_disk: Path, open_session: Callable[..., Session], tmp_path: Path) -> None:
    session = open_session("roomy", store=small_disk / "store")
    session.store.hashes  # noqa: B018
    filler = fill(small_disk, 20_000)
    job = session.toy_iterate(iterations=12, size=61)
    with pytest.raises(UserError, match="is full; free some space"):
        job.wait(120)
    assert session.store.keys() == []
    filler.unlink()
    again = session.toy_iterate(iterations=12, size=61).wait(120)
    assert again.number == job.number and again.status == "finished"


NOBODY = 65534


@pytest.fixture
def as_nobody() -> Iterator[Callable[[Callable[[], object]], None]]:
    """Do something with the rights of an account that owns nothing."""
    if os.geteuid() != 0:
        pytest.skip("needs root, to be another user")

    def run(act: Callable[[], object]) -> None:
        def act_as_nobody() -> None:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            act()

        assert forked(act_as_nobody)

    yield run


@pytest.mark.parametrize("place", ["project", "store", "queue", "decisions", "work"])
def test_no_permission_is_one_sentence(as_nobody: Callable[..., None], place: str) -> None:
    folder = Path(tempfile.mkdtemp(prefix="spa-forbidden-"))
    try:
        session = Session(folder / "project", device="cpu")
        session.decide("picks", 1)
        session.store.hashes  # noqa: B018
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o777 if path.is_dir() else 0o666)
        spa = folder / "project" / ".spa"
        forbidden = {
            "project": [folder / "project"],
            "store": [spa / "store"],
            "queue": [spa, *spa.glob("queue*")],
            "decisions": [folder / "project" / "decisions.jsonl"],
            "work": [spa / "store" / "work"],
        }[place]
        for path in forbidden:
            path.chmod(0o000 if path.is_dir() and place in ("project", "store") else 0o555 if path.is_dir() else 0o444)
        as_nobody(lambda: expect_a_sentence(folder / "project"))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def expect_a_sentence(project: Path) -> None:
    """Open, decide and compute; one of these must be refused in words."""
    with pytest.raises(UserError) as caught:
        session = Session(project, device="cpu")
        session.take_over()
        session.decide("picks", 2)
        execute(SPEC, session.store, "cpu")
    sentence = str(caught.value)
    assert str(project) in sentence and "\n" not in sentence, sentence
    assert "choose" in sentence or "look at it" in sentence, sentence


def test_a_file_that_vanishes_while_the_job_waits(tmp_path: Path) -> None:
    raw = tmp_path / "vector.npy"
    shutil.copy(_vector(tmp_path), raw)
    spec = JobSpec("toy_scale", {"factor": 2.0}, {"vector": RawFiles((raw,))})
    store = Store.open(tmp_path / "store")
    raw.unlink()
    with pytest.raises(UserError, match=r"vector\.npy: No such file"):
        execute(spec, store, "cpu")


def _vector(folder: Path) -> Path:
    store = Store.open(folder / "made")
    key = execute(JobSpec("toy_iterate", {"iterations": 2}), store, "cpu")
    return store.get(key).files["vector.npy"]
