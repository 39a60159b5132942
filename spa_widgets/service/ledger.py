"""The service's memory of who asked for what: it outlives the service, however it dies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_widgets.session.database import Database

_SCHEMA = """
CREATE TABLE IF NOT EXISTS tickets (
    id TEXT PRIMARY KEY, uid INTEGER NOT NULL, user TEXT NOT NULL, request TEXT NOT NULL, job INTEGER,
    state TEXT NOT NULL, joined INTEGER NOT NULL DEFAULT 0, created REAL NOT NULL);
CREATE INDEX IF NOT EXISTS tickets_state ON tickets (state);
CREATE INDEX IF NOT EXISTS tickets_job ON tickets (job);
CREATE TABLE IF NOT EXISTS made (path TEXT PRIMARY KEY, uid INTEGER NOT NULL, bytes INTEGER NOT NULL);
"""
OPEN, CLOSED = "open", "closed"


@dataclass(frozen=True)
class Ticket:
    """One request of one user.

    Attributes
    ----------
    id, uid, user
        Its number, who asked, and the name others are shown.
    request
        What was asked for.
    job
        Number of the service's job that answers it, once it has one; equal requests share one.
    state
        ``open`` until the answer is final.
    joined
        Whether the job was there before: somebody else asked for the same.
    created
        Seconds since 1970.
    size
        Length of the request's text.
    """

    id: str
    uid: int
    user: str
    request: dict[str, Any]
    job: int | None
    state: str
    joined: bool
    created: float
    size: int = 0


class Ledger:
    """Tickets of all users.

    Parameters
    ----------
    path
        The SQLite file, which only the service opens; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self._transaction = Database(path, _SCHEMA).transaction

    def add(self, ticket: str, uid: int, user: str, request: Mapping[str, Any]) -> bool:
        """Write a request down, unless it is known; tell whether it was new."""
        with self._transaction() as database:
            cursor = database.execute(
                "INSERT OR IGNORE INTO tickets (id, uid, user, request, state, created) VALUES (?,?,?,?,?,?)",
                (ticket, uid, user, json.dumps(request), OPEN, time.time()),
            )
            return cursor.rowcount > 0

    def get(self, ticket: str) -> Ticket | None:
        """Return a ticket."""
        with self._transaction() as database:
            found = database.execute("SELECT * FROM tickets WHERE id=?", (ticket,)).fetchone()
        return _ticket(found) if found else None

    def open(self) -> list[Ticket]:
        """Return the tickets that are not answered yet, oldest first."""
        with self._transaction() as database:
            found = database.execute("SELECT * FROM tickets WHERE state=? ORDER BY created, rowid", (OPEN,)).fetchall()
        return [_ticket(item) for item in found]

    def first_of(self, job: int) -> int | None:
        """Return the account of the user who asked for a job first."""
        with self._transaction() as database:
            found = database.execute(
                "SELECT uid FROM tickets WHERE job=? ORDER BY created, rowid LIMIT 1", (job,)
            ).fetchone()
        return found["uid"] if found else None

    def attach(self, ticket: str, job: int, joined: bool) -> None:
        """Note which job answers a ticket."""
        with self._transaction() as database:
            database.execute("UPDATE tickets SET job=?, joined=? WHERE id=?", (job, int(joined), ticket))

    def close(self, ticket: str) -> None:
        """Note that a ticket has its final answer."""
        with self._transaction() as database:
            database.execute("UPDATE tickets SET state=? WHERE id=?", (CLOSED, ticket))

    def sweep(self, before: float) -> list[str]:
        """Forget the answered tickets that were made before a time; return their numbers."""
        with self._transaction() as database:
            found = database.execute("SELECT id FROM tickets WHERE state=? AND created<?", (CLOSED, before)).fetchall()
            database.execute("DELETE FROM tickets WHERE state=? AND created<?", (CLOSED, before))
        return [item["id"] for item in found]

    # -- what fills the disk ---------------------------------------------------------------------------------------

    def made(self) -> list[tuple[str, int, int]]:
        """List what was made for users: path, account, bytes."""
        with self._transaction() as database:
            found = database.execute("SELECT path, uid, bytes FROM made").fetchall()
        return [(item["path"], item["uid"], item["bytes"]) for item in found]

    def note_made(self, path: str, uid: int, size: int) -> bool:
        """Note for whom something was made, the first time; tell whether it is new."""
        with self._transaction() as database:
            cursor = database.execute("INSERT OR IGNORE INTO made VALUES (?,?,?)", (path, uid, size))
            return cursor.rowcount > 0

    def forget_made(self, paths: Iterable[str]) -> None:
        """Forget what is gone."""
        with self._transaction() as database:
            database.executemany("DELETE FROM made WHERE path=?", [(path,) for path in paths])


def _ticket(found: Any) -> Ticket:
    values = dict(found)
    text = values["request"]
    return Ticket(**{**values, "request": json.loads(text), "joined": bool(values["joined"]), "size": len(text)})
