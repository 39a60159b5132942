"""The desk's memory: what is open is found without looking through all, and what was answered long ago is forgotten."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from spa_widgets.service.ledger import Ledger, Ticket
from spa_widgets.service.open_tickets import OpenTickets


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "ledger.sqlite")


def add(ledger: Ledger, name: str, uid: int) -> Ticket:
    assert ledger.add(name, uid, f"user {uid}", {"kind": "ask", "params": {"x": "y" * 100}})
    ticket = ledger.get(name)
    assert ticket is not None
    return ticket


def test_open_tickets_are_found_by_job_and_user(ledger: Ledger) -> None:
    found = OpenTickets()
    tickets = [add(ledger, f"t{number}", number % 2) for number in range(4)]
    for ticket in tickets:
        found.add(ticket)
    assert found.waiting_bytes(0) == tickets[0].size + tickets[2].size > 200
    for ticket in tickets[:3]:
        found.attach(ticket, 7, joined=ticket is not tickets[0])
    assert [ticket.id for ticket in found.of_job(7)] == ["t0", "t1", "t2"] and found.users_of(7) == ("user 0", "user 1")
    assert [ticket.id for ticket in found.without_job()] == ["t3"] and found.waiting_bytes(0) == 0
    assert all(not ticket.request for ticket in found.of_job(7)), "of one with a job only its number is kept"
    for ticket in tickets[:2]:
        found.remove(ticket)
    assert (found.count(0), found.count(1), found.users(), len(found)) == (1, 1, 2, 2)
    found.remove(tickets[0])  # again does no harm
    for ticket in tickets[2:]:
        found.remove(ticket)
    assert (found.users(), len(found), found.of_job(7), found.waiting_bytes(1)) == (0, 0, [], 0)


def test_answered_tickets_are_forgotten_and_open_ones_are_not(ledger: Ledger) -> None:
    for name in ("answered", "open"):
        add(ledger, name, 5)
    ledger.close("answered")
    assert ledger.sweep(time.time() - 60) == []
    assert ledger.sweep(time.time() + 60) == ["answered"]
    assert ledger.get("answered") is None and [ticket.id for ticket in ledger.open()] == ["open"]


def test_the_first_who_asked_pays(ledger: Ledger) -> None:
    for name, uid in (("a", 5), ("b", 6)):
        add(ledger, name, uid)
        ledger.attach(name, 3, joined=uid == 6)
    assert (ledger.first_of(3), ledger.first_of(4)) == (5, None)
