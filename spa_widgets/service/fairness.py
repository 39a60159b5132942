"""Who is next: fair between users by the seconds they used, short jobs first, long ones never forgotten."""

from __future__ import annotations

import heapq
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

SHORT_S = 20.0
PATIENCE_S = 120.0
_DEBT_LIMIT_S = 3600.0
_SEEN = 20


@dataclass(frozen=True)
class Waiting:
    """A job that could start now.

    Attributes
    ----------
    number
        Its number.
    users
        Who asked for it; its seconds are shared among them.
    expected_s
        Seconds that it is expected to take.
    """

    number: int
    users: tuple[str, ...]
    expected_s: float

    @property
    def is_short(self) -> bool:
        """Whether somebody may sit and wait for it."""
        return self.expected_s <= SHORT_S


class FairQueue:
    """Deficit round robin over users by measured seconds.

    Every user has a balance. What ran is taken off it, shared among those who asked for the same; the user with the
    highest balance is served next. Idle time earns nothing, and a debt is forgiven beyond a limit, so that nobody is
    shut out by what he used hours ago. Jobs that are expected to be short go before long ones, within bounds: the long
    one starts when its user is `patience_s` seconds behind the one whose short job would be next, or is not ahead of
    him and short jobs have held up a long one for `patience_s` seconds.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self.patience_s = patience_s
        self.balances: dict[str, float] = {}
        self._held_up_s = 0.0

    def started(self, job: Waiting) -> None:
        """Note that a job starts."""
        if not job.is_short:
            self._held_up_s = 0.0

    def ended(self, job: Waiting, seconds: float, long_ones_wait: bool) -> None:
        """Note what a job took."""
        _pay(self.balances, job, seconds)
        if job.is_short and long_ones_wait:
            self._held_up_s += seconds

    def order(self, waiting: Sequence[Waiting], running: Iterable[tuple[Waiting, float]] = ()) -> list[Waiting]:
        """Return the jobs in the order in which they will start, as far as can be told now.

        Parameters
        ----------
        waiting
            Jobs that could start, oldest first.
        running
            Running jobs with the seconds they have taken so far.
        """
        running = list(running)
        self._settle({user for job in [*waiting, *(job for job, _ in running)] for user in job.users})
        balances = dict(self.balances)
        for job, seconds in running:
            _pay(balances, job, seconds)
        short, long = (_Line([job for job in waiting if job.is_short is kind], balances) for kind in (True, False))
        order: list[Waiting] = []
        held_up_s = self._held_up_s
        while short or long:
            turn_of_long = bool(long) and (not short or self._is_due(long.best(), short.best(), held_up_s))
            job = (long if turn_of_long else short).take()
            held_up_s = 0.0 if turn_of_long else held_up_s + job.expected_s
            order.append(job)
        return order

    def _is_due(self, long_balance: float, short_balance: float, held_up_s: float) -> bool:
        ahead_s = long_balance - short_balance
        return ahead_s >= self.patience_s or (ahead_s >= 0 and held_up_s >= self.patience_s)

    def _settle(self, active: set[str]) -> None:
        """Let the best of the active users stand at 0, newcomers beside him, and debts within the limit."""
        best = max((self.balances[user] for user in active if user in self.balances), default=0.0)
        for user in self.balances:  # those who are away come nearer too: what the others use meanwhile is theirs
            self.balances[user] = max(min(self.balances[user] - best, 0.0), -_DEBT_LIMIT_S)
        for user in active:
            self.balances.setdefault(user, 0.0)


class _Line:
    """Jobs of one kind, taken from the user with the highest balance."""

    def __init__(self, jobs: Sequence[Waiting], balances: dict[str, float]) -> None:
        self._balances = balances
        self._of_user: dict[str, deque[Waiting]] = defaultdict(deque)
        for job in jobs:
            self._of_user[max(job.users, key=lambda user: balances[user])].append(job)
        self._heap = [(-balances[user], own[0].number, user) for user, own in self._of_user.items()]
        heapq.heapify(self._heap)

    def __bool__(self) -> bool:
        return bool(self._heap)

    def best(self) -> float:
        """Return the balance of the user who is next."""
        while -self._heap[0][0] > self._balances[self._heap[0][2]]:  # he paid for another job meanwhile
            _, number, user = self._heap[0]
            heapq.heapreplace(self._heap, (-self._balances[user], number, user))
        return -self._heap[0][0]

    def take(self) -> Waiting:
        """Return the next job, and let those who asked for it pay."""
        self.best()
        _, _, user = heapq.heappop(self._heap)
        job = self._of_user[user].popleft()
        _pay(self._balances, job, job.expected_s)
        if self._of_user[user]:
            heapq.heappush(self._heap, (-self._balances[user], self._of_user[user][0].number, user))
        return job


def _pay(balances: dict[str, float], job: Waiting, seconds: float) -> None:
    for user in job.users:
        balances[user] = balances.get(user, 0.0) - seconds / len(job.users)


class History:
    """What jobs of each step took, to tell what the next one will take."""

    def __init__(self, unknown_s: float = 60.0, quick_s: float = 2.0) -> None:
        self._seconds: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=_SEEN))
        self._unknown_s = unknown_s
        self._quick_s = quick_s

    def note(self, step: str, seconds: float) -> None:
        """Keep what a job took."""
        self._seconds[step].append(seconds)

    def expected_s(self, step: str, quick: bool) -> float:
        """Return the median of the last jobs of a step, or a guess where there are none."""
        seen = self._seconds.get(step)
        return median(seen) if seen else self._quick_s if quick else self._unknown_s
