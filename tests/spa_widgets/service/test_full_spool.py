"""A service whose disk is full: one sentence for who asks, no request lost or read by half, and all goes on after."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from session_support import wait_until

from spa_widgets.errors import UserError
from spa_widgets.service.engine_service import EngineService
from spa_widgets.service.folder import ServiceSettings
from spa_widgets.session.session import Session
from spa_widgets.session.tickets import ASK, ServicePlace, new_ticket
from tests.support.small_disk import fill, small_disk

REQUEST = {"kind": ASK, "step": "toy_iterate", "params": {"iterations": 3}, "inputs": {}, "device": "cpu"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 4 << 20) as place:
        yield place


@pytest.fixture
def service(disk: Path, tmp_path: Path) -> EngineService:
    """A service without workers, whose loop the test goes through itself."""
    return EngineService(ServiceSettings(disk / "srv", store=tmp_path / "store", min_free_gb=0.0))


@pytest.mark.parametrize("left", [0, 4096])
def test_a_request_on_a_full_disk_is_refused_whole_and_handed_over_later(
    service: EngineService, disk: Path, tmp_path: Path, left: int
) -> None:
    place = ServicePlace.open(service.place.root)
    session = Session(tmp_path / "project", service=place.root)
    filler = fill(disk, left)
    long = [float(index) for index in range(2000)]
    with pytest.raises(UserError, match=r"takes nothing now: its disk is full; ask who runs it, or choose device"):
        place.submit(new_ticket(), {**REQUEST, "params": {"long": long}})
    if not left:
        with pytest.raises(UserError, match="its disk is full"):
            session.toy_iterate(iterations=3)
    assert not list(place.spool.iterdir())
    filler.unlink()
    job = session.toy_iterate(iterations=3)
    (request,) = place.spool.iterdir()
    assert request.name == f"{session.project.queue.jobs()[0].ticket}.json" and len(session.project.queue.jobs()) == 1

    def is_taken() -> bool:
        service._tick()
        return bool(service.project.queue.jobs())

    wait_until(is_taken)
    assert not list(place.spool.iterdir()) and job.status == "queued"


def test_a_full_disk_is_waited_for_and_nobody_is_refused(service: EngineService, disk: Path) -> None:
    place = service.place
    first, second = new_ticket(), new_ticket()
    place.submit(first, REQUEST)
    service.desk.look()  # it is written down; its files are looked at in a thread
    place.submit(second, {**REQUEST, "params": {"iterations": 4}})
    filler = fill(disk)
    for _ in range(2):
        assert service._tick(), "it tries again"
        assert not service.project.queue.jobs() and place.is_spooled(second)
    filler.unlink()

    def is_queued() -> bool:
        service._tick()
        return len(service.project.queue.jobs()) == 2

    wait_until(is_queued)
    service._answer()
    assert [place.status(ticket)["state"] for ticket in (first, second)] == ["queued", "queued"]


def test_a_service_that_is_started_on_a_full_disk(disk: Path, tmp_path: Path) -> None:
    filler = fill(disk)
    settings = ServiceSettings(disk / "srv", store=tmp_path / "store")
    with pytest.raises(UserError, match=r"The disk of .* is full"):
        EngineService(settings)
    filler.unlink()
    assert EngineService(settings).place.store == tmp_path / "store"
