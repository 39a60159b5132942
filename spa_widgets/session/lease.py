"""One process at a time makes a result; when it dies, the next one takes over, on one machine or on several.

Two signs mark a folder as taken. A lock of the system, which it takes back at once from a process that dies, tells
processes on one machine apart. Beside it the file ``owner.json`` names machine and process, and is touched every few
seconds: on shared file systems whose locks do not reach other machines, a fresh one means that somebody is at work
there, and one that has not been touched for a while that he is dead.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from spa_widgets.session.context import Cancelled, EventSink
from spa_widgets.session.heartbeat import BEAT_EVERY_S, was_touched_lately

LOCK_FILE = "lock"
OWNER_FILE = "owner.json"
_POLL_S = 0.1
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


@dataclass(frozen=True)
class Lease:
    """The right to work in a folder.

    Attributes
    ----------
    folder
        The folder.
    token
        Names this holder, and no other one.
    is_lost
        Set when another process took the folder over.
    """

    folder: Path
    token: str = ""
    is_lost: threading.Event = field(default_factory=threading.Event)

    def is_ours(self) -> bool:
        """Tell whether nobody took the folder over, as happens to a process that was silent for long."""
        return _owner(self.folder).get("token") == self.token


@contextmanager
def lease(
    folder: Path, is_cancelled: Callable[[], bool], is_done: Callable[[], bool], on_event: EventSink
) -> Iterator[Lease]:
    """Hold the right to work in a folder, waiting for another process that has it.

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
    while (held := acquire(folder)) is None:
        if is_done():
            yield Lease(folder)
            return
        if not told:
            on_event({"kind": "waiting", "time": time.time(), "message": "the same job runs in another process"})
            told = True
        if is_cancelled():
            raise Cancelled("The job was cancelled while it waited.")
        time.sleep(_POLL_S)
    with held as taken:
        yield taken


def acquire(folder: Path) -> _Held | None:
    """Take a folder, or return None when a live process has it; use what is returned as a context."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        handle = try_lock(folder / LOCK_FILE)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        handle = -1  # no locks here at all: the owner's file alone decides
    if handle is None:
        return None
    token, is_ours = uuid.uuid4().hex, False
    try:
        before = _owner(folder)
        is_alive = _others_are_alive(folder, before, locked=handle >= 0)
        is_ours = not is_alive and _become_owner(folder, token, before)
    finally:
        if not is_ours:
            _release(handle)
    return _Held(folder, token, handle) if is_ours else None


class _Held:
    """A lease with its heartbeat, given back at the end of the context."""

    def __init__(self, folder: Path, token: str, handle: int) -> None:
        self._lease = Lease(folder, token)
        self._handle = handle
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat, name="lease", daemon=True)

    def __enter__(self) -> Lease:
        self._heart.start()
        return self._lease

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._heart.join()
        if self._lease.is_ours():
            (self._lease.folder / OWNER_FILE).unlink(missing_ok=True)
        _release(self._handle)

    def _beat(self) -> None:
        while not self._ended.wait(BEAT_EVERY_S):
            with suppress(OSError):
                if self._lease.is_ours():
                    os.utime(self._lease.folder / OWNER_FILE)
                elif self._lease.folder.is_dir():
                    self._lease.is_lost.set()


def _release(handle: int) -> None:
    if handle >= 0:
        os.close(handle)


def _owner(folder: Path) -> dict[str, object]:
    try:
        return _facts(folder / OWNER_FILE)
    except OSError:
        return {}


def _facts(path: Path) -> dict[str, object]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        return {}  # cut off by a power failure
    return found if isinstance(found, dict) else {}


def _others_are_alive(folder: Path, owner: dict[str, object], locked: bool) -> bool:
    """Tell whether the owner's file speaks of a live process that the lock does not tell us of."""
    if locked and owner.get("host") == socket.gethostname():
        return False  # on this machine the lock, which we hold, says that it is dead
    return was_touched_lately(folder / OWNER_FILE)


def _become_owner(folder: Path, token: str, before: dict[str, object]) -> bool:
    """Put our name into the owner's file, in place of a dead one's; tell whether no other one was faster."""
    if _owner(folder) != before:
        return False
    owner = folder / OWNER_FILE
    with suppress(FileNotFoundError):
        dead = folder / f".dead.{token}"
        owner.rename(dead)
        if _facts(dead) != before:  # another one came between the look and the renaming
            dead.replace(owner)
            return False
        dead.unlink()
    mine = folder / f".mine.{token}"
    facts = {"host": socket.gethostname(), "pid": os.getpid(), "token": token, "since": time.time()}
    try:
        mine.write_text(json.dumps(facts), encoding="utf-8")
        os.link(mine, owner)  # fails when it is there: of two that come at once one wins
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        return _create(owner, json.dumps(facts))  # a file system without hard links
    finally:
        mine.unlink(missing_ok=True)
    return True


def _create(path: Path, text: str) -> bool:
    try:
        with path.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except FileExistsError:
        return False
    except OSError:
        path.unlink(missing_ok=True)  # an empty one would pass for another process
        raise
    return True


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
    except OSError:
        os.close(handle)
        raise
    if not _is_still_there(handle, path):  # its folder was cleared away between opening and locking
        os.close(handle)
        return None
    return handle


def _is_still_there(handle: int, path: Path) -> bool:
    try:
        return os.fstat(handle).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False
