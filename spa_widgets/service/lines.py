"""Which slot of which worker a job takes, and when the jobs that wait will have theirs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

CPU, QUICK, GPU = "CPU", "QUICK", "GPU"


def all_slots(gpus: int) -> list[str]:
    """List the slots of a machine: one for long jobs on the CPU, one for quick ones, one for each GPU."""
    return [CPU, QUICK, *(f"{GPU}{number}" for number in range(gpus))]


def fitting(wanted: str, gpus: int) -> list[str]:
    """List the slots that suit a job which asks for one, or for any GPU."""
    return [f"{GPU}{number}" for number in range(gpus)] if wanted == GPU else [wanted]


def first_free(wanted: str, gpus: int, busy: Iterable[str]) -> str | None:
    """Return the first slot that suits and is free, if any."""
    taken = set(busy)
    return next((slot for slot in fitting(wanted, gpus) if slot not in taken), None)


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
