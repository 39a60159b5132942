"""One process at a time makes a result; when it dies, the next one takes over."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from spa_widgets.session.context import Cancelled, EventSink

_POLL_S = 0.1


@contextmanager
def lease(
    folder: Path, is_cancelled: Callable[[], bool], is_done: Callable[[], bool], on_event: EventSink
) -> Iterator[None]:
    """Hold the right to work in a folder, waiting for another process that has it.

    The system takes the lock back from a process that dies, however it dies, so nobody waits for the dead.

    Parameters
    ----------
    folder
        Work folder of one key.
    is_cancelled
        Ends the waiting with `Cancelled`.
    is_done
        Ends the waiting because the result is there.
    on_event
        Is told once that the job waits.
    """
    told = False
    while True:
        handle = try_lock(folder / "lock")
        if handle is not None or is_done():
            break
        if not told:
            on_event({"kind": "waiting", "time": time.time(), "message": "the same job runs in another process"})
            told = True
        if is_cancelled():
            raise Cancelled("The job was cancelled while it waited.")
        time.sleep(_POLL_S)
    try:
        yield
    finally:
        if handle is not None:
            os.close(handle)


def try_lock(path: Path) -> int | None:
    """Take the lock on a file, or return None when another process has it.

    Returns
    -------
    int or None
        A file descriptor; closing it gives the lock back.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    if not _is_still_there(handle, path):  # its folder was cleared away between opening and locking
        os.close(handle)
        return None
    return handle


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
