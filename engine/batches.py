"""Work through many images a few at a time: fewer when the memory of the device does not suffice."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from engine.arrays import free_reserved_memory

Result = TypeVar("Result")


def in_batches(work: Callable[[slice], Result], count: int, at_once: int) -> list[Result]:
    """Return the results of a function for consecutive slices of ``count`` items, in order.

    Where one does not fit into memory, the batches from there on are half as large, and so on down to one item.

    Parameters
    ----------
    work
        Takes a slice; what it gives for an item does not depend on the items beside it.
    count
        Number of items.
    at_once
        How many are taken together at first.

    Raises
    ------
    MemoryError
        If even one item does not fit.
    """
    found, start = [], 0
    while start < count:
        try:
            found.append(work(slice(start, min(start + at_once, count))))
            start += at_once
        except MemoryError:
            if at_once == 1:
                raise
            at_once //= 2
            free_reserved_memory()
    return found
