"""What one participant may take of the machine: memory, disk, room in the spool, and the GPU that was chosen."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import greedy_steps
import pytest
from service_support import ALICE, MALLORY, RunningService
from session_support import wait_until

from spa_widgets.errors import UserError
from spa_widgets.service.ledger import Ledger
from spa_widgets.service.quota import Quota
from spa_widgets.service.spool import Request, Spool
from spa_widgets.service.watch import Watch
from spa_widgets.session import registry
from spa_widgets.session.job import JobFailed
from spa_widgets.session.session import Session
from spa_widgets.session.tickets import ServicePlace, new_ticket
from tests.support.small_disk import fill, small_disk

LONG_S = 240.0  # a limit for a machine that is busy with other tests too

# -- memory, disk and devices of real workers ------------------------------------------------------------------------


@contextmanager
def running(*options: str, folder: Path | None = None, **environment: str) -> Iterator[tuple[RunningService, Any]]:
    """A service with the step that takes, and a session that asks it."""
    folder = Path(tempfile.mkdtemp(prefix="spa-limits-", dir=folder))
    folder.chmod(0o755)
    service = RunningService(folder / "srv", *options)
    names = ",".join(filter(None, (os.environ.get(registry.EXTRA_STEPS_VARIABLE), "greedy_steps")))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry._STEPS, "toy_take", greedy_steps.TAKE)
        for name, value in {"SPA_THREADS": "1", registry.EXTRA_STEPS_VARIABLE: names, **environment}.items():
            patch.setenv(name, value)
        try:
            service.start()
            yield service, Session(folder / "project", service=service.root)
        finally:
            service.stop()
            shutil.rmtree(folder, ignore_errors=True)


def test_a_job_that_takes_too_much_memory_ends_with_a_sentence_and_the_service_goes_on() -> None:
    with running("--memory-gb", "0.7") as (_, session):
        done = session.toy_iterate(iterations=3).wait(LONG_S)
        with pytest.raises(JobFailed, match=r"more than the 0\.7 GB of memory that the engine service gives a job"):
            session.toy_take(memory_mb=4000).wait(LONG_S)
        assert session.toy_take(memory_mb=100).wait(LONG_S).status == "finished"
        # of two jobs in one worker each has another try alone, and the innocent one loses nothing but time
        hog, beside = session.toy_take(memory_mb=4000, mark=1), session.toy_scale(done, factor=5)
        with pytest.raises(JobFailed, match="of memory"):
            hog.wait(LONG_S)
        assert beside.wait(LONG_S).status == "finished"


def test_a_gpu_is_chosen_by_hand_or_is_any_free_one() -> None:
    pretended = {"CUDA_VISIBLE_DEVICES": "GPU-first,GPU-second", greedy_steps.PRETEND_VARIABLE: "1"}
    with running(**pretended) as (_, session):

        def where(job: Any) -> dict[str, Any]:
            return dict(json.loads(job.wait(LONG_S).path("where").read_text(encoding="utf-8")))

        second = session.toy_take(seconds=3600, mark=1, device="gpu:1")
        wait_until(lambda: second.status == "running", LONG_S)
        waiting = session.toy_take(mark=2, device="gpu:1")
        wait_until(lambda: waiting.position == 1, LONG_S)
        anywhere = [session.toy_take(mark=mark, device="gpu") for mark in (3, 4)]
        assert [where(job)["visible"] for job in anywhere] == ["GPU-first"] * 2, "the free one, one after the other"
        assert second.status == "running" and waiting.status == "queued", "who chose a card waits for it"
        second.cancel()
        assert where(waiting) == {"device": "gpu", "visible": "GPU-second", "mark": 2}
        assert where(session.toy_take(mark=5))["device"] == "gpu", "auto takes a card where there is one"
        on_cpu = where(session.toy_take(mark=6, device="cpu"))
        assert on_cpu["device"] == "cpu", "who does not want to wait computes in a runner of his own"
        with pytest.raises(JobFailed, match=r"gpu:0 to gpu:1"):
            session.toy_take(device="gpu:2").wait(LONG_S)


def test_the_job_that_fills_the_disk_is_the_one_that_ends(tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "large").mkdir()
    (tmp_path / "small" / "a").write_bytes(bytes(1000))
    (tmp_path / "large" / "b").write_bytes(bytes(9000))
    folders = {1: tmp_path / "small", 2: tmp_path / "large", 3: None}
    (excess,) = Watch(0, lambda: False).look({os.getpid(): [1, 2, 3]}, folders.__getitem__)
    assert excess.jobs == (2,) and excess.process is None and "almost full" in excess.sentence
    assert Watch(0, lambda: True).look({os.getpid(): [1, 2]}, folders.__getitem__) == []


def test_a_job_that_would_fill_the_disk_is_ended_and_its_files_go(as_root: None, tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 400_000_000) as disk,
        running("--min-free-gb", "0.1", folder=disk) as (service, session),
    ):
        with pytest.raises(JobFailed, match="almost full"):
            session.toy_take(disk_mb=2000, mark=1).wait(LONG_S)
        wait_until(lambda: not list(service.place.store.glob("work/*/out-*/part*")), LONG_S)
        assert session.toy_take(disk_mb=10, mark=2).wait(LONG_S).status == "finished"
        fill(disk, but=50_000_000)
        with pytest.raises(JobFailed, match=r"disk has less than 0\.1 GB left"):
            session.toy_take(mark=3).wait(LONG_S)


def test_who_has_too_many_open_jobs_is_told() -> None:
    with running("--max-open-jobs", "2") as (_, session):
        jobs = [session.toy_take(seconds=3600, mark=mark) for mark in range(3)]
        wait_until(lambda: any(job.status == "failed" for job in jobs), LONG_S)
        (refused,) = [job for job in jobs if job.status == "failed"]
        assert "more than 2 open jobs" in refused.error
        for job in jobs:
            job.cancel()


# -- shares of users -------------------------------------------------------------------------------------------------


def quota(folder: Path, user_bytes: int, free_bytes: int = 0) -> Quota:
    return Quota(Ledger(folder / "ledger.sqlite"), folder, user_bytes, free_bytes)


def test_each_user_fills_a_share_of_the_disk_and_no_more(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    (made / "a").write_bytes(bytes(600))
    shares = quota(tmp_path, 1000)
    for _ in range(3):
        shares.charge(made, MALLORY)  # the same thing counts once
    shares.require(MALLORY)
    (tmp_path / "raw").write_bytes(bytes(500))
    shares.charge(tmp_path / "raw", MALLORY)
    with pytest.raises(UserError, match="Your requests fill"):
        shares.require(MALLORY)
    shares.require(ALICE)
    with pytest.raises(UserError, match="Your requests fill"):
        quota(tmp_path, 1000).require(MALLORY)  # after a restart too
    shutil.rmtree(made)
    quota(tmp_path, 1000).require(MALLORY)  # what is gone no longer counts
    with pytest.raises(UserError, match="less than"):
        quota(tmp_path, 0, free_bytes=1 << 62).require(ALICE)


class Counter:
    """A spool that only counts what it hands in."""

    def __init__(self, folder: Path, an_hour: int = 2000) -> None:
        self.place = ServicePlace(folder)
        self.place.spool.mkdir()
        self.spool = Spool(self.place.spool, 1000, an_hour)
        self.seen: list[int] = []

    def ask(self, count: int, uid: int) -> None:
        for _ in range(count):
            ticket = new_ticket()
            self.place.submit(ticket, {"kind": "ask"})
            os.chown(self.place.spool / f"{ticket}.json", uid, uid)

    def look(self, accepts: bool = True) -> bool:
        def note(uid: int, request: Request) -> None:
            self.seen.append(uid)

        return self.spool.take(lambda uid: accepts, note)


def test_a_flood_of_one_delays_nobody(as_root: None, tmp_path: Path) -> None:
    found = Counter(tmp_path)
    found.ask(1500, MALLORY)
    found.ask(3, ALICE)
    assert found.look()
    assert found.seen.count(ALICE) == 3 and found.seen.count(MALLORY) == 50
    assert len(list(found.place.spool.iterdir())) == 950, "of a thousand that may lie there; the others are gone"


def test_requests_beyond_the_limit_of_an_hour_stay_where_they_are(as_root: None, tmp_path: Path) -> None:
    found = Counter(tmp_path, an_hour=60)
    found.ask(100, MALLORY)
    for _ in range(3):
        found.spool._changed = 0  # as if something new had come
        found.look()
    found.ask(1, ALICE)
    found.spool._changed = 0
    found.look()
    assert found.seen.count(MALLORY) == 60 and found.seen.count(ALICE) == 1
    assert len(list(found.place.spool.iterdir())) == 40


def test_a_request_that_is_not_accepted_now_is_taken_later(as_root: None, tmp_path: Path) -> None:
    found = Counter(tmp_path)
    found.ask(2, MALLORY)
    found.look(accepts=False)
    assert found.seen == [] and len(list(found.place.spool.iterdir())) == 2
    found.spool._looked = 0.0  # a second later
    found.look()
    assert len(found.seen) == 2 and not list(found.place.spool.iterdir())
    assert not found.look(), "nothing changed, so nobody looks"
