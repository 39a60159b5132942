"""Files that are the old one or the new one, and lines that are there or not, whatever dies in between.

A write reaches the disk when it is synced, and a name when its folder is: so content is synced before its name points
to it, and the folder after.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it is either the old one or the new one, even after a power cut."""
    with new_file(path) as stream:
        stream.write(content)


def write_json(path: Path, value: Any, synced: bool = True) -> None:
    """Write a JSON file that is either the old one or the new one, never half of it.

    Without `synced` that holds for a killed process, not for a power cut: for what is written often and soon again.
    """
    with new_file(path, synced) as stream:
        stream.write(json.dumps(value, indent=1, ensure_ascii=False).encode())


@contextmanager
def new_file(path: Path, synced: bool = True) -> Iterator[IO[bytes]]:
    """Open a file for writing that takes its name when all went well, and is gone otherwise."""
    part = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with part.open("wb") as stream:
            yield stream
            stream.flush()
            if synced:
                os.fsync(stream.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if synced:
        sync(path.parent)


def append_line(path: Path, text: str, synced: bool = True) -> None:
    """Append a line that is whole or not there, also with several writers, half a line before it, or a full disk.

    Parameters
    ----------
    path
        The file; made when missing.
    text
        The line, without its end.
    synced
        Return only when it is on the disk.

    Raises
    ------
    OSError
        If it could not be written; nothing of it is left then.
    """
    is_new = synced and not path.exists()
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    try:
        with _alone(handle):
            size = os.fstat(handle).st_size
            line = (_line_start(handle, size) + text + "\n").encode()
            _write_or_take_back(handle, line, size)
        if synced:
            os.fsync(handle)
    finally:
        os.close(handle)
    if is_new:
        sync(path.parent)


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _alone(handle: int) -> Iterator[None]:
    """Hold the lock of an open file, where the file system has locks; elsewhere one write is one line anyway."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        yield
        return
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)


def _line_start(handle: int, size: int) -> str:
    """Return a line break when the file ends in half a line."""
    return "" if size == 0 or os.pread(handle, 1, size - 1) == b"\n" else "\n"


def _write_or_take_back(handle: int, line: bytes, size: int) -> None:
    written = os.write(handle, line)
    if written < len(line):  # the disk took a part of it
        os.ftruncate(handle, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
