"""A thread pool for kernels and transforms that release the interpreter lock.

Tasks are fixed ranges, independent of the number of threads, and each writes its own part of the output: the result is
the same with one thread or many. (Numba's own parallel loops share one scheduler that several Python threads must not
enter at once; a worker of a task graph is such a thread.)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

_MANY_SLABS = 8


def split_range(count: int, size: int) -> list[tuple[int, int]]:
    """Ranges (start, stop) of at most ``size`` elements that cover ``count``."""
    return [(start, min(start + size, count)) for start in range(0, count, size)]


def kernel_threads() -> int:
    """Return how many threads may be used: ``NUMBA_NUM_THREADS``, else one for each core that this process may use.

    These are Numba's own rules; it is not asked, as importing it takes longer than most transforms.
    """
    wanted = os.environ.get("NUMBA_NUM_THREADS")
    if wanted:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def slabs(planes: int) -> list[tuple[int, int]]:
    """Cut the planes of a volume into a part for each task: each looks at every sample, so fewer are less work."""
    count = kernel_threads() if kernel_threads() <= 2 else _MANY_SLABS
    return split_range(planes, -(-planes // count))


@cache
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="kernel")


def run_tasks(function: Callable[[int, int], None], ranges: Sequence[tuple[int, int]]) -> None:
    """Call ``function(start, stop)`` for every range, on as many threads as `kernel_threads` says."""
    threads = kernel_threads()
    if threads <= 1 or len(ranges) <= 1:
        for start, stop in ranges:
            function(start, stop)
        return
    list(_pool(threads).map(lambda bounds: function(*bounds), ranges))
