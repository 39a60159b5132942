"""The project's queue: jobs and workspaces in one SQLite file that sessions write and the runner works off."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from spa_widgets.session.database import Database

QUEUED, RUNNING, FINISHED, FAILED, CANCELLED = "queued", "running", "finished", "failed", "cancelled"
ENDED = (FINISHED, FAILED, CANCELLED)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS workspaces (name TEXT PRIMARY KEY, title TEXT NOT NULL, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    number INTEGER PRIMARY KEY AUTOINCREMENT, workspace TEXT NOT NULL, step TEXT NOT NULL, spec TEXT NOT NULL,
    fingerprint TEXT NOT NULL, device TEXT NOT NULL, state TEXT NOT NULL, key TEXT, error TEXT NOT NULL DEFAULT '',
    attempts INTEGER NOT NULL DEFAULT 0, reused INTEGER NOT NULL DEFAULT 0, cancel INTEGER NOT NULL DEFAULT 0,
    created REAL NOT NULL, started REAL, ended REAL, ticket TEXT NOT NULL DEFAULT '',
    kept TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS jobs_fingerprint ON jobs (fingerprint);
CREATE INDEX IF NOT EXISTS jobs_state ON jobs (state);
CREATE TABLE IF NOT EXISTS runner (
    id INTEGER PRIMARY KEY CHECK (id = 1), host TEXT NOT NULL, pid INTEGER NOT NULL, heartbeat REAL NOT NULL);
"""
_UPDATABLE = frozenset(
    {"state", "key", "error", "attempts", "reused", "cancel", "started", "ended", "device", "ticket", "kept"}
)


@dataclass(frozen=True)
class JobRow:
    """One job as the queue knows it (the fields of the table `jobs`).

    Attributes
    ----------
    ticket
        Its number with an engine service; empty where none was asked.
    kept
        Digest of what earlier attempts had kept when the last one began.
    """

    number: int
    workspace: str
    step: str
    spec: dict[str, Any]
    fingerprint: str
    device: str
    state: str
    key: str | None
    error: str
    attempts: int
    reused: bool
    cancel: bool
    created: float
    started: float | None
    ended: float | None
    ticket: str = ""
    kept: str = ""

    @property
    def name(self) -> str:
        """Short name, such as ``J12``."""
        return f"J{self.number}"

    @property
    def folder_name(self) -> str:
        """Name of its folder under ``jobs``, such as ``J12-classify_2d``."""
        return f"{self.name}-{self.step}"


class Queue:
    """Jobs of one project.

    Parameters
    ----------
    path
        The SQLite file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, _SCHEMA)
        self._transaction = self._database.transaction
        self._add_missing_columns()

    def _add_missing_columns(self) -> None:
        """Let a queue of an earlier version of the program go on."""
        with self._transaction() as database:
            names = {row["name"] for row in database.execute("PRAGMA table_info(jobs)")}
            for missing in {"ticket", "kept"} - names:
                with suppress(sqlite3.OperationalError):  # another process was faster
                    database.execute(f"ALTER TABLE jobs ADD COLUMN {missing} TEXT NOT NULL DEFAULT ''")

    def version(self) -> int:
        """Return a number that changes when another process or thread changed the queue."""
        return int(self._database.connection().execute("PRAGMA data_version").fetchone()[0])

    def add(
        self, workspace: str, step: str, spec: Mapping[str, Any], fingerprint: str, device: str, **fields: Any
    ) -> tuple[JobRow, bool]:
        """Add a job, unless the same one is in the workspace and neither failed nor was cancelled.

        Parameters
        ----------
        workspace, step, spec, fingerprint, device
            The job; two jobs with one fingerprint are the same.
        **fields
            Other fields that a new job starts with, such as the state ``finished`` of one whose result is there.

        Returns
        -------
        row, is_new
            The job, and whether it was added or taken up again by this call.
        """
        with self._transaction() as database:
            database.execute("BEGIN IMMEDIATE")  # two kernels that ask at once get one job
            found = database.execute(
                "SELECT * FROM jobs WHERE fingerprint=? AND workspace=? ORDER BY number DESC", (fingerprint, workspace)
            ).fetchone()
            if found is not None and found["state"] not in (FAILED, CANCELLED):
                return _row(found), False
            if found is not None:
                number = found["number"]
                database.execute(
                    "UPDATE jobs SET error='', attempts=0, cancel=0, started=NULL, ended=NULL, state=?, device=?"
                    " WHERE number=?",
                    (QUEUED, device, number),
                )
            else:
                number = database.execute(
                    "INSERT INTO jobs (workspace, step, spec, fingerprint, device, state, created)"
                    " VALUES (?,?,?,?,?,?,?)",
                    (workspace, step, json.dumps(spec), fingerprint, device, QUEUED, time.time()),
                ).lastrowid
            _update(database, number, fields)
            return _row(database.execute("SELECT * FROM jobs WHERE number=?", (number,)).fetchone()), True

    def restore(self, row: JobRow) -> None:
        """Add a job of another project under the number that it has there."""
        values = {**asdict(row), "spec": json.dumps(row.spec)}
        names, places = ", ".join(values), ", ".join("?" * len(values))
        with self._transaction() as database:
            database.execute(f"INSERT INTO jobs ({names}) VALUES ({places})", tuple(values.values()))

    def close(self) -> None:
        """Close this thread's connection; it is opened again when it is needed."""
        self._database.close()

    def same(self, workspace: str, fingerprint: str) -> JobRow | None:
        """Return the job of a workspace that has this fingerprint."""
        with self._transaction() as database:
            found = database.execute(
                "SELECT * FROM jobs WHERE fingerprint=? AND workspace=? ORDER BY number DESC", (fingerprint, workspace)
            ).fetchone()
        return _row(found) if found else None

    def get(self, number: int) -> JobRow | None:
        """Return a job by number."""
        with self._transaction() as database:
            found = database.execute("SELECT * FROM jobs WHERE number=?", (number,)).fetchone()
        return _row(found) if found else None

    def jobs(
        self, workspace: str | None = None, states: tuple[str, ...] = (), remote: bool | None = None
    ) -> list[JobRow]:
        """List jobs by number, all or those of a workspace, in some states, or (`remote`) with a ticket or without."""
        clauses, values = [], []
        if remote is not None:
            clauses.append("ticket<>''" if remote else "ticket=''")
        if workspace is not None:
            clauses.append("workspace=?")
            values.append(workspace)
        if states:
            clauses.append(f"state IN ({','.join('?' * len(states))})")
            values += list(states)
        where = f" WHERE {' AND '.join(clauses)}" if clauses else ""
        with self._transaction() as database:
            found = database.execute(f"SELECT * FROM jobs{where} ORDER BY number", values).fetchall()
        return [_row(item) for item in found]

    def update(self, number: int, *, only_if: tuple[str, ...] = (), **fields: Any) -> bool:
        """Change fields of a job; with `only_if` only while it is in one of these states. Tell whether it changed."""
        with self._transaction() as database:
            return _update(database, number, fields, only_if)

    def workspaces(self) -> list[str]:
        """Names of the workspaces, oldest first."""
        with self._transaction() as database:
            return [row["name"] for row in database.execute("SELECT name FROM workspaces ORDER BY created, name")]

    def add_workspace(self, name: str, title: str = "") -> None:
        """Add a workspace; nothing happens when it is there."""
        with self._transaction() as database:
            database.execute("INSERT OR IGNORE INTO workspaces VALUES (?,?,?)", (name, title or name, time.time()))

    def beat(self, host: str, pid: int) -> None:
        """Note that the runner is alive."""
        with self._transaction() as database:
            database.execute("INSERT OR REPLACE INTO runner VALUES (1,?,?,?)", (host, pid, time.time()))

    def runner(self) -> dict[str, Any] | None:
        """Return host, pid and heartbeat (seconds since 1970) of the last runner."""
        with self._transaction() as database:
            found = database.execute("SELECT host, pid, heartbeat FROM runner WHERE id=1").fetchone()
        return dict(found) if found else None


def _update(
    database: sqlite3.Connection, number: int, fields: Mapping[str, Any], only_if: tuple[str, ...] = ()
) -> bool:
    if not fields:
        return False
    if unknown := set(fields) - _UPDATABLE:
        raise ValueError(f"The queue has no fields {sorted(unknown)} that may change.")
    guard = f" AND state IN ({','.join('?' * len(only_if))})" if only_if else ""
    names = ", ".join(f"{name}=?" for name in fields)
    cursor = database.execute(f"UPDATE jobs SET {names} WHERE number=?{guard}", (*fields.values(), number, *only_if))
    return cursor.rowcount > 0


def _row(found: sqlite3.Row) -> JobRow:
    values = dict(found)
    values["spec"] = json.loads(values["spec"])
    values["reused"], values["cancel"] = bool(values["reused"]), bool(values["cancel"])
    return JobRow(**values)
