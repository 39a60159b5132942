"""Which slot of which worker a job takes, and when the jobs that wait will have theirs."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from spa_widgets.service.fairness import Waiting

CPU, QUICK, GPU = "CPU", "QUICK", "GPU"


def all_slots(gpus: int) -> list[str]:
    """List the slots of a machine: one for long jobs on the CPU, one for quick ones, one for each GPU."""
    return [CPU, QUICK, *(f"{GPU}{number}" for number in range(gpus))]


def fitting(wanted: str, gpus: int) -> list[str]:
    """List the slots that suit a job which asks for one, or for any GPU."""
    return [f"{GPU}{number}" for number in range(gpus)] if wanted == GPU else [wanted]


@dataclass(frozen=True)
class Started:
    """A job that a worker is at: the slots that it takes, and since when (`time.monotonic`)."""

    slots: tuple[str, ...]
    job: Waiting
    since: float

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self.since


class Slots:
    """The slots of a machine and the jobs that have them."""

    def __init__(self) -> None:
        self.started: dict[int, Started] = {}

    def take(self, job: Waiting, wanted: str, gpus: int, alone: bool) -> str | None:
        """Give a job the first free slot that suits it, or None; one on the CPU may need to be alone in its process."""
        busy = {slot for started in self.started.values() for slot in started.slots}
        slot = next((slot for slot in fitting(wanted, gpus) if slot not in busy), None)
        if slot is None:
            return None
        slots = (CPU, QUICK) if alone and slot in (CPU, QUICK) else (slot,)
        if busy & set(slots):
            return None
        self.started[job.number] = Started(slots, job, time.monotonic())
        return slot

    def running(self) -> list[tuple[Waiting, float]]:
        """List the running jobs with the seconds that they have taken so far."""
        return [(started.job, started.seconds) for started in self.started.values()]

    def left_s(self) -> dict[str, float]:
        """Return for each busy slot the seconds until it is expected to be free."""
        return {
            slot: max(started.job.expected_s - started.seconds, 0.0)
            for started in self.started.values()
            for slot in started.slots
        }


def waits(
    line: Sequence[tuple[int, str, float]], left_s: Mapping[str, float], gpus: int
) -> dict[int, tuple[int, float]]:
    """Return position and expected wait of each job in a line, as each takes the first slot that will suit it.

    Parameters
    ----------
    line
        Number, wanted slot and expected seconds of the jobs, in the order in which they start.
    left_s
        Seconds until each busy slot is free.
    gpus
        How many GPUs there are.
    """
    free_at = {slot: left_s.get(slot, 0.0) for slot in all_slots(gpus)}
    found = {}
    for position, (number, wanted, seconds) in enumerate(line, 1):
        slot = min(fitting(wanted, gpus), key=lambda name: free_at.setdefault(name, 0.0))
        found[number] = position, _rounded(free_at[slot])
        free_at[slot] += seconds
    return found


def _rounded(seconds: float) -> float:
    """Round an expectation to what it is worth, so that it stays the same for a while."""
    step = 1.0 if seconds < 10 else 5.0 if seconds < 60 else 30.0 if seconds < 600 else 60.0
    return round(seconds / step) * step
