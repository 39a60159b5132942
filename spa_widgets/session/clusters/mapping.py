"""One job spread over the workers of a Dask cluster: they map chunks of its particles and add their sums in groups.

What is mapped, and in which order sums are added, is the engine's affair (`engine.mapping`); here is only who does it.
A chunk goes to the same worker in each iteration while it lives, so that it finds its images there. When a worker dies,
Dask gives its chunks to others: the iteration costs a little more and its result is the same.
"""

from __future__ import annotations

import time
import uuid
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from engine.arrays import namespace
from engine.mapping import MapHere, Work, Workspace, added, as_tree, on_host
from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.session.context import JobContext

if TYPE_CHECKING:
    from distributed import Client, Future

MAP_SLOT, GPU_SLOT = "MAP", "GPU"
_POLL_S = 0.2
_JOBS_KEPT = 2
_ATTEMPTS = 3
_LOOK_EVERY_S = 2.0
_MOST_DEATHS = 8
_DEADLY = (
    "Worker after worker died in one iteration; the memory may not suffice: use a smaller box or fewer classes, or "
    "give workers more memory."
)


@dataclass(frozen=True)
class Source:
    """Where a worker finds a job's particles.

    Attributes
    ----------
    token : str
        Names the job, and no other one.
    star : str
        Its particles, on a folder that all workers see.
    device : str
        ``"cpu"`` or ``"gpu"``.
    workers : int
        How many share the job.
    """

    token: str
    star: str
    device: str
    workers: int = field(compare=False)  # when one dies, the others keep what they have


_workspaces: OrderedDict[Source, Workspace] = OrderedDict()
_lock = Lock()


def _workspace(source: Source) -> Workspace:
    """Return what this process has of a job; of older jobs it forgets what it has."""
    with _lock:
        if source not in _workspaces:
            particles = ParticleSet.read(source.star).to_engine()
            _workspaces[source] = Workspace(particles, namespace(source.device), source.workers)
        _workspaces.move_to_end(source)
        while len(_workspaces) > _JOBS_KEPT:
            _workspaces.popitem(last=False)
        return _workspaces[source]


async def forget(token: str) -> None:
    """Free what this process has of a job (a coroutine: Dask waits for no answer of such)."""
    with _lock:
        for source in [source for source in _workspaces if source.token == token]:
            del _workspaces[source]


def map_chunk(source: Source, work: Work, shared: Any, chunk: Any) -> tuple[list[Any], Any]:
    """Map one chunk on a worker (a task)."""
    found, sums = work(_workspace(source), shared, chunk)
    return [found], None if sums is None else sums.on(np)


def add_group(*results: tuple[list[Any], Any]) -> tuple[list[Any], Any]:
    """Put together what the chunks of a group gave (a task)."""
    # Dask may need what it gave once more, when a worker dies: the first is copied before others are added to it
    found = [item for parts, _ in results for item in parts]
    return found, added(_own_first([sums for _, sums in results]))


def _own_first(sums: Sequence[Any]) -> Iterator[Any]:
    for number, item in enumerate(sums):
        yield deepcopy(item) if number == 0 and len(sums) > 1 else item


@contextmanager
def spread(ctx: JobContext, particles: Particles, star: Path) -> Iterator[DaskMapper]:
    """Let a job that is a task of a cluster map over its workers; they free what they kept of it at the end."""
    mapper = DaskMapper(ctx, particles, star)
    try:
        yield mapper
    finally:
        mapper.close()


class DaskMapper:
    """Map over the workers of a cluster from a task of its own, or here while there is no second worker.

    Parameters
    ----------
    ctx : JobContext
        Only workers that compute on its device take part; asked a few times a second whether it is cancelled.
    particles : Particles
    star : Path
        Where other workers find the same particles.
    """

    def __init__(self, ctx: JobContext, particles: Particles, star: Path) -> None:
        from distributed import get_client, get_worker, secede

        self._ctx, self._star = ctx, str(star)
        self._here = MapHere(particles, ctx.xp, ctx.check_cancelled)
        self._token = uuid.uuid4().hex
        self._client: Client = get_client()
        self._address: str = get_worker().address
        self._workers_used = 1
        self._known: list[str] = []
        self._looked = -np.inf
        secede()  # this thread only waits from now on: the worker may map meanwhile

    def close(self) -> None:
        """Let the workers free what they have of the job."""
        with suppress(Exception):  # a worker that just died has freed it
            self._client.run(forget, self._token, wait=False)

    @property
    def workers(self) -> int:
        """How many workers of the cluster can take part."""
        return len(self._workers())

    def __call__(self, work: Work, shared: Any, sets: Sequence[Sequence[Any]]) -> list[tuple[list[Any], Any]]:
        """Map and add (see `engine.mapping.MapAdd`)."""
        from distributed import CancelledError, KilledWorker

        for attempt in range(1, _ATTEMPTS + 1):
            workers = self._workers(_LOOK_EVERY_S if attempt == 1 else 0.0)
            if len(workers) < 2 or sum(len(chunks) for chunks in sets) < 2:
                break
            try:
                return self._spread(work, shared, sets, workers)
            except KilledWorker as error:
                raise UserError(_DEADLY) from error
            except (CancelledError, OSError, TimeoutError):
                if attempt == _ATTEMPTS:
                    raise
        return self._here(work, shared, sets)

    def _workers(self, age_s: float = _LOOK_EVERY_S) -> list[str]:
        """Addresses of the workers that can take part, in a fixed order; the scheduler is asked when they are old.

        How many share the work changes no bit of its result, and of one that died meanwhile others take the chunks.
        """
        if time.monotonic() - self._looked <= age_s:
            return self._known
        known = self._client.sync(self._client.scheduler.identity)["workers"]
        on_gpu = self._ctx.device == "gpu"
        slots = {address: worker["resources"] for address, worker in known.items()}
        self._known = sorted(a for a, have in slots.items() if have.get(MAP_SLOT) and (GPU_SLOT in have) == on_gpu)
        self._looked = time.monotonic()
        return self._known

    def _spread(
        self, work: Work, shared: Any, sets: Sequence[Sequence[Any]], workers: list[str]
    ) -> list[tuple[list[Any], Any]]:
        if len(workers) != self._workers_used:
            self._workers_used = len(workers)
            self._ctx.event("spread", workers=len(workers))
        source = Source(self._token, self._star, self._ctx.device, len(workers))
        # on the job's own worker, from where the others fetch it: sent to all at once it would wait for one that died
        seen = self._client.scatter(on_host(shared), workers=[self._address], hash=False)
        chunks = [chunk for chosen in sets for chunk in chosen]
        mapped = [
            self._client.submit(
                map_chunk,
                source,
                work,
                seen,
                chunk,
                # neighbours go to one worker, which then adds them without sending them about
                workers=[workers[number * len(workers) // len(chunks)]],
                allow_other_workers=True,
                resources={MAP_SLOT: 1},
                pure=False,
            )
            for number, chunk in enumerate(chunks)
        ]
        left = iter(mapped)
        totals = [as_tree(chosen, lambda chunk: next(left), self._join) for chosen in sets]
        try:
            self._wait([*mapped, *totals], workers)
            return [total.result() for total in totals]
        except BaseException:
            self._client.cancel([*mapped, *totals])
            raise

    def _join(self, parts: Iterable[Future]) -> Future:
        return self._client.submit(add_group, *parts, pure=False)

    def _wait(self, futures: list[Future], workers: list[str]) -> None:
        from distributed import wait

        alive, dead, looked = set(workers), 0, time.monotonic()
        while pending := [future for future in futures if not future.done()]:
            self._ctx.check_cancelled()
            with suppress(TimeoutError):
                wait(pending, timeout=_POLL_S, return_when="FIRST_COMPLETED")
            _raise_first(futures)
            if time.monotonic() - looked > _LOOK_EVERY_S:
                before, alive, looked = alive, set(self._workers(0.0)), time.monotonic()
                dead += len(before - alive)
                if dead > _MOST_DEATHS:
                    raise UserError(_DEADLY)


def _raise_first(futures: list[Future]) -> None:
    for future in futures:
        if future.status in ("error", "cancelled", "lost"):
            future.result()  # raises what went wrong
