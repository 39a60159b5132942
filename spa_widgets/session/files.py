"""Content hashes of raw files, remembered so that gigabytes are not read twice."""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import bring
from spa_widgets.io.named_images import TABLES, named_images
from spa_widgets.session.database import Database
from spa_widgets.session.keys import file_sha256

_SCHEMA = """CREATE TABLE IF NOT EXISTS files (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
    sha256 TEXT NOT NULL)"""
# A file changed again within the clock's tick of its hash would keep its size and time: such a hash is not remembered.
_SETTLED_NS = 2_000_000_000
_REFERENCE = re.compile(rb"(?:\d+@)?([^\s@\"']+\.(?:mrcs?|tiff?|eer|st|map))(?=[\s\"']|$)", re.IGNORECASE)


def stat_signature(path: Path) -> tuple[int, int, int]:
    """Size, time of change and inode: a file that keeps all three is taken to keep its content.

    A file of a bundle is laid where its path says first.
    """
    try:
        stat = path.stat()
    except FileNotFoundError:
        if bring(path) is None:
            raise
        stat = path.stat()
    return stat.st_size, stat.st_mtime_ns, stat.st_ino


class ContentHashes:
    """SHA-256 of raw files, remembered by (path, size, mtime_ns, inode) in a small SQLite file.

    Parameters
    ----------
    path
        The SQLite file; made when missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path, _SCHEMA)

    def known(self, path: Path) -> str | None:
        """Return the remembered hash of an unchanged file, else None."""
        path = _real(path)
        try:
            signature = stat_signature(path)
        except OSError as error:
            raise UserError(f"Cannot read {path}: {error.strerror}; check the path and its permissions.") from error
        row = (
            self._database.connection()
            .execute(
                "SELECT sha256 FROM files WHERE path=? AND size=? AND mtime_ns=? AND inode=?", (str(path), *signature)
            )
            .fetchone()
        )
        return row[0] if row else None

    def sha256(self, path: Path) -> str:
        """Return the hash of a file's content, reading it only when it is new or changed."""
        path = _real(path)
        if (known := self.known(path)) is not None:
            return known
        if not path.is_file():  # a pipe would be waited for without end
            found = "a folder" if path.is_dir() else "no plain file"
            raise UserError(f"{path} is {found}; expected a file: name the file itself.")
        before = stat_signature(path)
        sha = _hash_or_explain(path)
        if stat_signature(path) != before:
            raise UserError(f"{path} changed while it was read; wait until it is complete and run again.")
        if time.time_ns() - before[1] > _SETTLED_NS:
            self._remember(path, before, sha)
        return sha

    def _remember(self, path: Path, signature: tuple[int, int, int], sha: str) -> None:
        try:
            with self._database.transaction() as database:
                database.execute("INSERT OR REPLACE INTO files VALUES (?,?,?,?,?)", (str(path), *signature, sha))
        except sqlite3.OperationalError:
            pass  # a memory that cannot be written (read-only store, full disk) costs time, never a result

    def pieces(
        self, path: Path, on_file: Callable[[Path], None] | None = None, read: dict[str, str] | None = None
    ) -> dict[str, Any]:
        """Return what a raw file contributes to a key: base name, content, and the content of files it refers to.

        The base name counts because results mention it (a micrograph's name in a table of picks).

        Parameters
        ----------
        path
            The file.
        on_file
            Told each file before it is read.
        read
            Takes the SHA-256 of each file by its path.
        """

        def noted(file: Path) -> str:
            if on_file:
                on_file(file)
            sha = self.sha256(file)
            if read is not None:
                read[str(_real(file))] = sha
            return sha

        pieces: dict[str, Any] = {"name": path.name, "sha256": noted(path)}
        if path.suffix in TABLES:
            pieces["refers_to"] = [{"name": name, "sha256": noted(target)} for name, target in _referred(path)]
        return pieces

    def unknown_bytes(self, paths: Iterable[Path]) -> int:
        """Return how many bytes of these files would have to be read to know their hashes."""
        return sum(path.stat().st_size for path in paths if self.known(path) is None)


def _real(path: Path) -> Path:
    """Follow links to the file itself, there or not."""
    try:
        return path.resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return path.resolve()
    except (OSError, RuntimeError) as error:  # the second until Python 3.12
        raise UserError(f"{path} is a link that leads back to itself; expected a file: make the link again.") from error


def _hash_or_explain(path: Path) -> str:
    try:
        return file_sha256(path)
    except OSError as error:
        raise UserError(f"Cannot read {path}: {error.strerror}; check the file and its permissions.") from error


def _referred(table: Path) -> list[tuple[str, Path]]:
    """List the image files, of those that are there, that a table of RELION or cryoSPARC refers to."""
    if table.suffix == ".star":
        return [(name, target) for name, target in referred_files(table) if target.is_file()]
    if "passthrough" in table.name:  # what is used of it is read with the table beside it
        return []
    return [(target.name, target) for target in named_images(table)]


def referred_files(star_path: Path) -> list[tuple[str, Path]]:
    """List the image files that a STAR file names: base name and path, each once, in sorted order.

    A relative name is looked for beside the STAR file first, then in the folders above it (RELION writes names
    relative to its project folder), then in the current folder.
    """
    names = sorted({match.group(1).decode(errors="replace") for match in _REFERENCE.finditer(star_path.read_bytes())})
    return [(os.path.basename(name), _locate(name, star_path)) for name in names]


def _locate(name: str, star_path: Path) -> Path:
    candidates = [folder / name for folder in star_path.resolve().parents]
    candidates += [star_path.resolve().parent / os.path.basename(name), Path(name)]
    found = next((path for path in candidates if path.is_file()), None)
    return found or bring(Path(name)) or candidates[0]
