"""How sessions and the engine service of a machine talk: by files, whose owners and permissions say who may do what.

Layout of a service's folder::

    service.json          where the class store is
    board.json            the queue as everybody may see it, and the service's heartbeat
    spool/                anybody may put a request here; nobody can list it, or touch another one's
    tickets/<id>/         what became of a request: `status.json`; only who knows its number finds it

A request is data: a step, parameters and inputs by name. Its number is drawn by the session that asks, so that asking
twice is asking once. Who asks is told by the owner of the file, which the system vouches for.
"""

from __future__ import annotations

import json
import os
import re
import stat
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.disk import is_full

SERVICE_VARIABLE = "SPA_SERVICE"
FORMAT_VERSION = 1
ASK, CANCEL = "ask", "cancel"
SILENT_S = 20.0
_TICKET = re.compile(r"[0-9a-f]{32}")


def new_ticket() -> str:
    """Draw a number that nobody can guess."""
    return uuid.uuid4().hex


def is_ticket(text: object) -> bool:
    """Whether a value has the form of a ticket (a guard before it becomes part of a path)."""
    return isinstance(text, str) and _TICKET.fullmatch(text) is not None


@dataclass(frozen=True)
class ServicePlace:
    """The folder of an engine service.

    Attributes
    ----------
    root
        The folder.
    """

    root: Path

    @classmethod
    def open(cls, root: Path | str) -> ServicePlace:
        """Find a service.

        Raises
        ------
        UserError
            If there is none in this folder.
        """
        place = cls(Path(root).expanduser().absolute())
        if not place.settings.get("store"):
            raise UserError(f"{place.root} is not the folder of an engine service; start one with 'spa service run'.")
        return place

    @property
    def spool(self) -> Path:
        """Where requests are put."""
        return self.root / "spool"

    @property
    def tickets(self) -> Path:
        """Where the answers are."""
        return self.root / "tickets"

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Content of ``service.json``."""
        return read_json(self.root / "service.json") or {}

    @property
    def store(self) -> Path:
        """The class store."""
        return Path(self.settings["store"])

    def board(self) -> dict[str, Any]:
        """Return the queue as everybody may see it: ``time``, ``running`` and ``waiting`` jobs, ``users``."""
        return read_json(self.root / "board.json") or {}

    def is_alive(self) -> bool:
        """Tell whether the service reported a short while ago."""
        return time.time() - float(self.board().get("time", 0.0)) < SILENT_S

    def status(self, ticket: str) -> dict[str, Any] | None:
        """Return what became of a request, or None when the service has not looked at it yet."""
        return read_json(self.tickets / ticket / "status.json")

    def when_written(self, ticket: str) -> int | None:
        """Return when the answer was written last (ns), to tell cheaply whether it is new; None without one."""
        try:
            return os.stat(f"{self.root}/tickets/{ticket}/status.json").st_mtime_ns
        except OSError:
            return None

    def is_spooled(self, ticket: str) -> bool:
        """Tell whether a request waits to be looked at."""
        return (self.spool / f"{ticket}.json").exists()

    def submit(self, ticket: str, request: Mapping[str, Any]) -> None:
        """Put a request into the spool.

        Raises
        ------
        SpoolClosed
            If this user may not, or the disk is full; nothing of it is left in the spool then.
        """
        part = self.spool / f"{ticket}.part"
        text = json.dumps({"format": FORMAT_VERSION, "id": ticket, **request}, ensure_ascii=False, allow_nan=False)
        try:
            part.unlink(missing_ok=True)
            with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644), "wb") as stream:
                stream.write(text.encode())
            part.rename(self.spool / f"{ticket}.json")
        except OSError as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            why = "now: its disk is full" if is_full(error) else f"from you ({error.strerror})"
            raise SpoolClosed(
                f"The engine service in {self.root} takes nothing {why}; ask who runs it, or choose device='cpu' to "
                "compute it yourself."
            ) from error

    def cancel(self, ticket: str) -> None:
        """Take a request back."""
        self.submit(new_ticket(), {"kind": CANCEL, "ticket": ticket})


def read_json(path: Path) -> dict[str, Any] | None:
    """Read a JSON object that is replaced as a whole; None when it is not there or no object."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


class SpoolClosed(UserError):
    """Raised when the service takes no request now, or none from this user."""


class BadRequest(UserError):
    """Raised for a file of the spool that is no request."""


def read_request(folder: int, name: str, max_bytes: int) -> tuple[int, dict[str, Any]]:
    """Read a file that anybody may have put into the spool; return its owner and content.

    Nothing is followed and nothing but a plain file with one name is opened, so that a link to another one's file
    cannot pass for a request of his.

    Parameters
    ----------
    folder
        Descriptor of the spool folder.
    name
        Name of the file.
    max_bytes
        Larger ones are refused.

    Raises
    ------
    BadRequest
        If it is not a request.
    """
    try:
        handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise BadRequest(f"{name} cannot be opened ({error.strerror}).") from error
    facts = os.fstat(handle)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or facts.st_size > max_bytes:
        os.close(handle)
        raise BadRequest(f"{name} is no plain file of at most {max_bytes} bytes.")
    with open(handle, "rb") as stream:
        content = stream.read(max_bytes + 1)
    return facts.st_uid, _request(content, name, max_bytes)


def _request(content: bytes, name: str, max_bytes: int) -> dict[str, Any]:
    if len(content) > max_bytes:
        raise BadRequest(f"{name} has more than {max_bytes} bytes.")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{name} is not JSON.") from error
    if not isinstance(found, dict) or found.get("format") != FORMAT_VERSION:
        raise BadRequest(f"{name} is not a request of format {FORMAT_VERSION}.")
    if not is_ticket(found.get("id")) or name != f"{found['id']}.json":
        raise BadRequest(f"{name} was not written under this name.")
    return found
