"""SQLite as the session uses it: many processes, short transactions, safe when one is killed."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.mounts import is_on_network

_BUSY_SECONDS = 30.0


class Database:
    """A database with a connection for each thread, kept open; transactions are short, so a killed process locks none.

    Parameters
    ----------
    path
        The SQLite file; made when missing.
    schema
        Statements that make its tables where they are missing.
    """

    def __init__(self, path: Path, schema: str) -> None:
        self.path = path
        self._own = threading.local()
        with disk_in_words(path), self.transaction() as connection:
            connection.executescript(schema)

    def connection(self) -> sqlite3.Connection:
        """Return this thread's connection."""
        if getattr(self._own, "pid", None) != os.getpid():  # SQLite connections do not survive a fork
            self._own.connection, self._own.pid = connect(self.path), os.getpid()
        connection: sqlite3.Connection = self._own.connection
        return connection

    def close(self) -> None:
        """Close this thread's connection; it is opened again when it is needed."""
        if getattr(self._own, "pid", None) == os.getpid():
            self._own.connection.close()
            self._own.pid = None

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Commit what is done inside, or nothing of it."""
        with self.connection() as connection:
            yield connection


def connect(path: Path) -> sqlite3.Connection:
    """Open a database for several processes.

    Write-ahead logging lets readers go on while one writes, by memory that the processes of one machine share. On a
    network file system, where other machines may be at the same file, SQLite's older journal is slower and safe.
    """
    connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    with suppress(sqlite3.OperationalError):
        connection.execute(f"PRAGMA journal_mode={'DELETE' if is_on_network(path.parent) else 'WAL'}")
    connection.execute("PRAGMA synchronous=NORMAL")
    return connection
