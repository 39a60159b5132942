"""One sentence for a disk that is full, read-only, failing, gone from its server or not for this user."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from spa_widgets.errors import UserError

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


def _sentence(error: OSError | sqlite3.OperationalError, place: Path) -> str | None:
    if isinstance(error, OSError):
        kind, named = _BY_ERRNO.get(error.errno or 0), error.filename
    else:
        kind, named = _BY_SQLITE.get(getattr(error, "sqlite_errorcode", 0) & 0xFF), None
    if kind is None:
        return None
    return _SENTENCES[kind].format(place=place if kind == _FULL or named is None else named)
