"""Map, add, solve: the one shape of the long iterations, on one worker or on several.

The particles of an iteration are cut into chunks that depend on their number alone. A pure function *maps* each chunk
to what it found of its particles and to partial sums; the sums are *added* as a fixed tree; the caller *solves* for
the new references. Who maps which chunk therefore changes no bit of the result on CPUs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.arrays import is_gpu, to_numpy
from engine.particles import Particles

MOST_CHUNKS = 64
"""Chunks of one set of particles: with more particles chunks grow, so that what must be sent does not."""
GROUP = 4
"""Partial sums that are added in one place, and so on with their sums: a tree, which is short on many workers."""


class Sums(Protocol):
    """Partial sums of a chunk."""

    def add(self, other: Self) -> None:
        """Add those of another chunk, in place."""

    def on(self, xp: Any) -> Self:
        """Return the same sums where an array namespace has its arrays."""


@dataclass
class Workspace:
    """What one worker has of a job between its chunks.

    Attributes
    ----------
    particles : Particles
        All particles of the job; their images are read when a chunk asks for them.
    xp : module
        Array namespace to compute with.
    workers : int
        How many share the job: each may keep so many times its part of what is kept in memory.
    kept : dict
        What the functions keep from one chunk to the next; never needed for a result.
    """

    particles: Particles
    xp: Any = np
    workers: int = 1
    kept: dict[str, Any] = field(default_factory=dict)


Work = Callable[[Workspace, Any, Any], tuple[Any, Any]]
"""Takes workspace, what all chunks share, and a chunk; gives what was found of its particles, and `Sums` or None.

It is a function of a module (other processes find it by name) and changes nothing but ``kept``."""


class MapAdd(Protocol):
    """Maps sets of chunks and adds the sums of each set."""

    @property
    def workers(self) -> int:
        """How many share the work now; chunks whose sums are added must not depend on it."""

    def __call__(self, work: Work, shared: Any, sets: Sequence[Sequence[Any]]) -> list[tuple[list[Any], Any]]:
        """Return for each set what was found in each chunk, in order, and the set's sums."""


class MapHere:
    """Map chunks one after the other in this process.

    Parameters
    ----------
    particles : Particles
    xp : module
        Array namespace to compute with.
    look : callable
        Called before each chunk; the place where a cancelled job stops.
    """

    def __init__(self, particles: Particles, xp: Any = np, look: Callable[[], None] = lambda: None) -> None:
        self.workspace = Workspace(particles, xp)
        self._look = look

    @property
    def workers(self) -> int:
        """One."""
        return 1

    def __call__(self, work: Work, shared: Any, sets: Sequence[Sequence[Any]]) -> list[tuple[list[Any], Any]]:
        """Map and add; the chunks of one set, one group and one chunk at a time."""
        return [self._set(work, shared, chunks) for chunks in sets]

    def _set(self, work: Work, shared: Any, chunks: Sequence[Any]) -> tuple[list[Any], Any]:
        found: list[Any] = []

        def sums_of(chunk: Any) -> Any:
            self._look()
            seen, sums = work(self.workspace, shared, chunk)
            found.append(seen)
            return sums

        return found, as_tree(chunks, sums_of, added)


def added(parts: Iterable[Any]) -> Any:
    """Add partial sums in their order, into the first of them; None where there are none."""
    total = None
    for part in parts:
        if total is None:
            total = part
        elif part is not None:
            total.add(part)
        del part  # its memory is free before the next one takes some
    return total


Item = TypeVar("Item")
Part = TypeVar("Part")


def as_tree(items: Sequence[Item], leaf: Callable[[Item], Part], join: Callable[[Iterable[Part]], Part]) -> Part:
    """Join what belongs to items in groups of `GROUP`, these in groups again, to one.

    Joins may take their parts one after the other: then no more of them exist at once than the tree is deep.
    """
    if len(items) <= GROUP:
        return join(map(leaf, items))
    size = GROUP
    while size * GROUP < len(items):
        size *= GROUP
    return join(as_tree(items[start : start + size], leaf, join) for start in range(0, len(items), size))


def on_host(shared: Any) -> Any:
    """Return what chunks share (a dataclass, or something without device arrays) fit to be sent to other processes."""
    if not is_dataclass(shared) or isinstance(shared, type):
        return shared
    values = {item.name: getattr(shared, item.name) for item in fields(shared)}
    return replace(shared, **{name: to_numpy(value) for name, value in values.items() if is_gpu(value)})


def cut(indices: NDArray[np.intp], least: int) -> list[NDArray[np.intp]]:
    """Cut particles into at most `MOST_CHUNKS` chunks of a multiple of ``least`` (the last may be shorter)."""
    size = least * max(1, -(-len(indices) // (least * MOST_CHUNKS)))
    return [indices[start : start + size] for start in range(0, len(indices), size)]
