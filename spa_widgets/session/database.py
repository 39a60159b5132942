"""SQLite as the session uses it: many processes, short transactions, safe when one is killed."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from pathlib import Path

_BUSY_SECONDS = 30.0


def connect(path: Path) -> sqlite3.Connection:
    """Open a database for several processes.

    Write-ahead logging lets readers go on while one writes. Where the file system cannot map shared memory
    (some network ones) SQLite keeps its older journal, which is slower and as safe.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    with suppress(sqlite3.OperationalError):
        connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection
