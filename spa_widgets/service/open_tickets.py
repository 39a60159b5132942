"""The requests that are not answered yet, found by number, by job and by user without looking through all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace

from spa_widgets.service.ledger import Ticket


class OpenTickets:
    """Tickets without a final answer.

    Parameters
    ----------
    tickets
        Those that there are, oldest first.
    """

    def __init__(self, tickets: Iterable[Ticket] = ()) -> None:
        self._by_id: dict[str, Ticket] = {}
        self._of_job: dict[int, dict[str, Ticket]] = defaultdict(dict)
        self._counts: Counter[int] = Counter()
        self._bytes: Counter[int] = Counter()
        for ticket in tickets:
            self.add(ticket)

    def __len__(self) -> int:
        """Count all."""
        return len(self._by_id)

    def get(self, ticket: object) -> Ticket | None:
        """Return a ticket by its number."""
        return self._by_id.get(ticket) if isinstance(ticket, str) else None

    def all(self) -> list[Ticket]:
        """List all, oldest first."""
        return list(self._by_id.values())

    def without_job(self) -> list[Ticket]:
        """List those whose files are still looked at, or that wait for another request, oldest first."""
        return list(self._of_job.get(0, {}).values())

    def of_job(self, number: int) -> list[Ticket]:
        """List those that a job answers."""
        return list(self._of_job.get(number, {}).values())

    def users_of(self, number: int) -> tuple[str, ...]:
        """Return who waits for a job."""
        return tuple(sorted({ticket.user for ticket in self._of_job.get(number, {}).values()}))

    def count(self, uid: int) -> int:
        """Return how many a user has."""
        return self._counts[uid]

    def waiting_bytes(self, uid: int) -> int:
        """Return the size of a user's requests that have no job yet: those are kept in memory."""
        return self._bytes[uid]

    def users(self) -> int:
        """Return how many users wait for something."""
        return len(self._counts)

    def add(self, ticket: Ticket) -> None:
        """Add one; of one that has a job nothing but its number is needed any more."""
        kept = ticket if ticket.job is None else replace(ticket, request={})
        self._by_id[ticket.id] = kept
        self._of_job[ticket.job or 0][ticket.id] = kept
        self._counts[ticket.uid] += 1
        if ticket.job is None:
            self._bytes[ticket.uid] += ticket.size

    def attach(self, ticket: Ticket, job: int, joined: bool) -> None:
        """Note which job answers one."""
        self.remove(ticket)
        self.add(replace(ticket, job=job, joined=joined))

    def remove(self, ticket: Ticket) -> None:
        """Take one out, if it is there."""
        found = self._by_id.pop(ticket.id, None)
        if found is None:
            return
        same = self._of_job[found.job or 0]
        del same[found.id]
        if not same:
            del self._of_job[found.job or 0]
        if found.job is None:
            self._bytes[found.uid] -= found.size
        self._counts[found.uid] -= 1
        if not self._counts[found.uid]:
            del self._counts[found.uid], self._bytes[found.uid]
