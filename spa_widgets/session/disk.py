"""One sentence for a disk that is full, read-only, failing, gone from its server or not for this user."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.whole import new_file

_PROBE_BYTES = 4096
_FULL, _FORBIDDEN, _READ_ONLY, _FAILS, _GONE = "full", "forbidden", "read-only", "fails", "gone"
_BY_ERRNO = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: _READ_ONLY,
    errno.EIO: _FAILS,
    errno.ESTALE: _GONE,
}
_BY_SQLITE = {
    sqlite3.SQLITE_FULL: _FULL,
    sqlite3.SQLITE_READONLY: _FORBIDDEN,
    sqlite3.SQLITE_CANTOPEN: _FORBIDDEN,
    sqlite3.SQLITE_IOERR: _FAILS,
}
_SENTENCES = {
    _FULL: "The disk of {place} is full; free some space and run the job again: it goes on where it was.",
    _FORBIDDEN: "{place} may not be opened or written by you; ask for the right to, or choose a folder of yours.",
    _FAILS: "The disk of {place} is full or fails; free some space or have it checked, and run the job again.",
    _GONE: "The server of {place} knows it no more (stale handle: it was moved or exported anew); mount the folder "
    "again, and run the job again: it goes on where it was.",
    _READ_ONLY: "{place} is on a disk that is read-only; make it writable, or choose another folder.",
}


@contextmanager
def disk_in_words(place: Path) -> Iterator[None]:
    """Raise `UserError` for what a disk refuses inside; other errors pass.

    Parameters
    ----------
    place
        What the sentence names where the error itself names no file.
    """
    try:
        yield
    except (OSError, sqlite3.OperationalError) as error:
        if (sentence := _sentence(error, place)) is None:
            raise
        raise UserError(sentence) from error


def require_writable(folder: Path) -> None:
    """Write a small file into a folder, made when missing, and remove it.

    Raises
    ------
    UserError
        If the disk refuses, or a file is in its place.
    """
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is a file; expected a folder: move it away.")
    with disk_in_words(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with new_file(folder / "probe", synced=False) as stream:
            stream.write(bytes(_PROBE_BYTES))
        (folder / "probe").unlink(missing_ok=True)


def is_full(error: BaseException) -> bool:
    """Tell whether an error says that a disk, or somebody's share of it, is full."""
    return isinstance(error, OSError | sqlite3.OperationalError) and _kind(error) == _FULL


def _kind(error: OSError | sqlite3.OperationalError) -> str | None:
    if isinstance(error, OSError):
        return _BY_ERRNO.get(error.errno or 0)
    return _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)


def _sentence(error: OSError | sqlite3.OperationalError, place: Path) -> str | None:
    if (kind := _kind(error)) is None:
        return None
    named = error.filename if isinstance(error, OSError) else None
    return _SENTENCES[kind].format(place=place if kind == _FULL or named is None else named)
