"""A real service and real sessions: equal requests, kills, cancelling, one's own runner, hostile neighbours."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from service_support import MALLORY, RunningService, as_user
from session_support import wait_until

from spa_widgets.errors import UserError
from spa_widgets.session.context import Cancelled
from spa_widgets.session.execute import execute
from spa_widgets.session.job import Job, JobFailed
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import new_ticket

Participants = Callable[[str], Any]  # sessions, whose steps are attached when they are opened
VALUES = {"iterations": 40, "noise": 0.3}


def iterations_done(job: Job) -> int:
    return sum(event["kind"] == "progress" for event in job.events())


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    store = Store.open(tmp_path_factory.mktemp("undisturbed"))
    return store.get(execute(JobSpec("toy_iterate", VALUES), store, "cpu")).files["vector.npy"].read_bytes()


def test_equal_requests_are_one_computation_that_both_follow(participant: Participants) -> None:
    one, two = participant("one"), participant("two")
    jobs = [session.toy_iterate(**VALUES, pause_s=0.06) for session in (one, two)]
    after = two.toy_scale(jobs[1], factor=3.0)  # asked for before what it needs is there
    wait_until(lambda: all(job.status == "running" and 0 < job.progress < 1 for job in jobs))
    for job in jobs:
        job.wait(60)
    after.wait(60)
    assert jobs[0].key == jobs[1].key and jobs[0].events() == jobs[1].events()
    assert len(jobs[0].events(kind="started")) == 1
    assert np.array_equal(np.load(after.path("scaled")), 3 * np.load(jobs[0].path("vector")))
    assert one.store.keys() == two.store.keys() == [], "only the service computed"
    # whichever request the service took first had it computed; the other found it there
    saved = _saved(jobs[0])
    assert sorted(job.origin for job in jobs) == ["computed for you", f"from the class store, {saved} saved"]
    third = participant("three").toy_iterate(**VALUES, pause_s=0.06)
    assert third.status == "finished" and third.origin.startswith("from the class store"), "there at once"


def _saved(job: Job) -> str:
    from spa_widgets.session.display import duration

    return duration(job.session.store.get(job.key).result["seconds"])


def test_a_killed_worker_and_a_killed_service_cost_nothing_but_time(
    service: RunningService, participant: Participants, undisturbed: bytes
) -> None:
    session = participant("one")
    job, waiting = session.toy_iterate(**VALUES, pause_s=0.051), session.toy_iterate(iterations=3)
    wait_until(lambda: iterations_done(job) > 5)
    service.worker().kill()
    wait_until(lambda: len(job.events(kind="resumed")) == 1)
    before = iterations_done(job)
    wait_until(lambda: iterations_done(job) > before + 3)
    service.kill()
    late = session.toy_iterate(iterations=4)  # asked for while nobody is there
    assert late.status == "queued"
    assert all("the engine service does not answer" in repr(each) for each in (job, waiting, late))
    assert late.position is None, "what was said of the line is no longer true"
    service.start()
    for each in (job, waiting, late):
        each.wait(60)
    assert job.path("vector").read_bytes() == undisturbed
    assert len(job.events(kind="resumed")) == 2 and Store(service.place.store).verify() == {}


def test_cancelling_leaves_the_others_their_job(service: RunningService, participant: Participants) -> None:
    one, two = participant("one"), participant("two")
    jobs = [session.toy_iterate(iterations=400, pause_s=0.02) for session in (one, two)]
    wait_until(lambda: all(job.status == "running" for job in jobs))
    behind = two.toy_iterate(iterations=401, pause_s=0.02)
    wait_until(lambda: behind.position == 1)
    assert behind.expected_wait_s is not None and behind.expected_wait_s >= 0
    assert behind.waiting_text.startswith("number 1 in the line, starts in about")
    assert two.toy_scale(behind).waiting_text == f"waits for {behind.name}"
    board = service.place.board()
    assert [job["step"] for job in board["running"] + board["waiting"]] == ["toy_iterate", "toy_iterate"]
    assert "401" not in json.dumps(board), "nobody sees what another one asks for"
    jobs[0].cancel()
    with pytest.raises(Cancelled):
        jobs[0].wait(20)
    before = iterations_done(jobs[1])
    wait_until(lambda: iterations_done(jobs[1]) > before + 3)
    for job in (jobs[1], behind):
        job.cancel()
        with pytest.raises(Cancelled):
            job.wait(20)
    wait_until(lambda: not service.queue.jobs(states=("queued", "running")))


def test_one_who_does_not_want_to_wait_computes_himself_and_the_service_takes_no_ones_word(
    service: RunningService, participant: Participants
) -> None:
    session = participant("four")
    mine = session.toy_iterate(iterations=7, device="cpu").wait(60)
    assert session.store.keys() == [mine.key] and mine.origin == "computed by you"
    shared = Store(service.place.store)
    assert shared.find(mine.key) is None
    after = session.toy_scale(mine, factor=4.0).wait(60)
    assert shared.find(mine.key) is not None and shared.find(after.key) is not None


def test_a_damaged_result_of_the_class_store_is_computed_again(
    service: RunningService, participant: Participants
) -> None:
    job = participant("one").toy_iterate(iterations=8).wait(60)
    shared = Store(service.place.store)
    file = shared.get(job.key).files["vector.npy"]
    good = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(good[:-1] + b"x")
    with pytest.raises(UserError, match=r"is damaged .vector\.npy has changed .* run its job again"):
        job.path("vector")
    again = participant("five").toy_iterate(iterations=8).wait(60)
    assert again.key == job.key and again.path("vector").read_bytes() == good
    assert list((shared.path / "aside").iterdir())


def test_failures_and_refusals_come_back_as_sentences(participant: Participants, tmp_path: Path) -> None:
    session = participant("one")
    done = session.toy_iterate(iterations=3).wait(60)
    with pytest.raises(JobFailed, match="13 is an unlucky factor"):
        session.toy_scale(done, factor=13).wait(60)
    with pytest.raises(JobFailed, match="this machine has none"):
        session.toy_scale(done, factor=5, device="gpu:7").wait(60)
    np.save(tmp_path / "v.npy", np.arange(3.0))
    assert session.toy_scale(tmp_path / "v.npy").wait(60).status == "finished"


def test_hostile_neighbours(as_root: None, service: RunningService, participant: Participants) -> None:
    """Another account fills the spool with everything but honest requests; its files are not read, others go on."""
    secret = service.root.parent / "secret.npy"
    np.save(secret, np.arange(9.0))
    secret.chmod(0o600)
    alien = service.root.parent / "alien.npy"
    theirs = participant("one").toy_iterate(iterations=300, pause_s=0.02)
    wait_until(lambda: theirs.status == "running")
    their_ticket = theirs._row().ticket
    tickets: dict[str, str] = {name: new_ticket() for name in ("secret", "dots", "key", "file", "step", "params",
                               "number", "other's", "honest", "inputs", "device", "nul")}  # fmt: skip
    contents: dict[str, dict[str, object]] = {
        "secret": {"inputs": {"vector": {"files": [str(secret)]}}},
        "dots": {"inputs": {"vector": {"files": [f"{service.root}/raw/../../secret.npy"]}}},
        "nul": {"inputs": {"vector": {"files": ["/tmp/\0"]}}},
        "key": {"inputs": {"vector": {"key": "../../../etc", "file": "passwd"}}},
        "file": {"inputs": {"vector": {"key": theirs.key, "file": "../../../../secret.npy"}}},
        "step": {"step": "os.system", "inputs": {}},
        "params": {"params": [1], "inputs": {}},
        "number": {"inputs": {"vector": {"files": 7}}},
        "inputs": {"inputs": {"vector": None}},
        "device": {"device": {"a": 1}, "inputs": {"vector": {"files": [str(alien)]}}},
        "other's": {"inputs": {"vector": {"ticket": their_ticket, "file": "vector.npy"}}},
        "honest": {"inputs": {"vector": {"files": [str(alien)]}}, "params": {"factor": 6.0}},
    }
    place = service.place

    def attack() -> None:
        for name, content in contents.items():
            place.submit(tickets[name], {"kind": "ask", "step": "toy_scale", "params": {}, "device": "auto", **content})
        place.cancel(their_ticket)
        (place.spool / f"{new_ticket()}.json").symlink_to("/etc/shadow")
        os.mkfifo(place.spool / f"{new_ticket()}.json")
        folder = place.spool / f"{new_ticket()}.json"
        folder.mkdir()
        (folder / "kept").write_text("", encoding="utf-8")
        (place.spool / "rubbish.json").write_bytes(os.urandom(1000))
        for path in (place.store / "objects" / "planted", place.root / "board.json", place.tickets / "x"):
            with pytest.raises(PermissionError):
                path.write_text("planted", encoding="utf-8")

    np.save(alien, np.arange(3.0))
    os.chown(alien, MALLORY, MALLORY)
    as_user(MALLORY, attack)
    answers = {}
    for name, ticket in tickets.items():
        wait_until(lambda ticket=ticket: (place.status(ticket) or {}).get("state") in ("failed", "finished"))
        answers[name] = place.status(ticket) or {}
    honest = answers.pop("honest")
    assert honest["state"] == "finished", honest
    assert np.array_equal(np.load(Store(place.store).get(honest["key"]).files["scaled.npy"]), 6 * np.arange(3.0))
    assert {name: answer["state"] for name, answer in answers.items()} == dict.fromkeys(answers, "failed")
    assert all(answer["error"] and "Error" not in answer["error"] for answer in answers.values()), answers
    assert not list((service.root / "raw").rglob("secret*")) and theirs.status == "running"
    wait_until(lambda: not any(place.spool.iterdir()))
    theirs.cancel()
    with pytest.raises(Cancelled):
        theirs.wait(20)
