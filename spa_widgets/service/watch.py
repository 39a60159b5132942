"""What a job may take of the machine: it is ended with a sentence when it takes too much memory or disk."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from spa_widgets.service.quota import tree_bytes

_LOOK_EVERY_S = 0.25


@dataclass(frozen=True)
class Excess:
    """A worker, or jobs, that took too much.

    Attributes
    ----------
    jobs
        Numbers of the jobs that may have done it.
    sentence
        What their users are told.
    process
        The worker that has to end with them, or None when ending the jobs is enough.
    """

    jobs: tuple[int, ...]
    sentence: str
    process: psutil.Process | None


class Watch:
    """Look at what running jobs take.

    Parameters
    ----------
    memory_bytes
        What a worker may use; 0 for no limit.
    has_room
        Tells whether the part of the disk that stays free is free.
    """

    def __init__(self, memory_bytes: int, has_room: Callable[[], bool]) -> None:
        self.memory_bytes = memory_bytes
        self._has_room = has_room
        self._looked = 0.0

    def look(self, workers: Mapping[int, Iterable[int]], work: Callable[[int], Path | None]) -> list[Excess]:
        """Return what takes too much now.

        Parameters
        ----------
        workers
            Numbers of the jobs in each worker, by process number.
        work
            Gives the folder in which a job writes, if it is known.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY_S:
            return []
        self._looked = now
        found = [excess for pid, jobs in workers.items() if (excess := self._memory(pid, tuple(jobs)))]
        return found or self._disk([number for jobs in workers.values() for number in jobs], work)

    def _memory(self, pid: int, jobs: tuple[int, ...]) -> Excess | None:
        if not self.memory_bytes or not jobs:
            return None
        try:
            process = psutil.Process(pid)
            used = process.memory_info().rss
        except psutil.NoSuchProcess:
            return None
        if used <= self.memory_bytes:
            return None
        sentence = (
            f"The job was ended because it needed more than the {self.memory_bytes / 1e9:.3g} GB of memory that the "
            "engine service gives a job; use a smaller box or fewer classes, then run it again."
        )
        return Excess(jobs, sentence, process)

    def _disk(self, jobs: list[int], work: Callable[[int], Path | None]) -> list[Excess]:
        if not jobs or self._has_room():
            return []
        sizes = {number: tree_bytes(folder) for number in jobs if (folder := work(number)) is not None}
        if not sizes:
            return []
        largest = max(sizes, key=sizes.__getitem__)
        sentence = (
            f"The job was ended because it had written {sizes[largest] / 1e9:.3g} GB and the engine service's disk is "
            "almost full; ask for less, or tell who runs the service."
        )
        return [Excess((largest,), sentence, None)]
