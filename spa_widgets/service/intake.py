"""Raw files that participants name: only what they, and everybody, may read; and nothing that can change under us.

The service may have more rights than a participant, and its results are for all. So a file is used where it lies only
when nobody but the system or the service itself could replace it or a folder above it. Any other file is read once,
through a descriptor that was opened step by step without following a link, and copied under the hash of its content.
"""

from __future__ import annotations

import grp
import hashlib
import os
import pwd
import stat
import threading
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.files import referred_files

_CHUNK_BYTES = 4 << 20
_MAX_NAME = 200
_TABLES_WITH_COMPANIONS = (".cs",)


@dataclass(frozen=True)
class Participant:
    """An account of the machine, as the system knows it.

    Attributes
    ----------
    uid
        Its number, which the system vouches for.
    name
        What others are shown.
    groups
        The groups it belongs to.
    """

    uid: int
    name: str
    groups: frozenset[int]

    @classmethod
    def of(cls, uid: int) -> Participant:
        """Look an account up; one that the system does not know belongs to no group."""
        try:
            entry = pwd.getpwuid(uid)
        except KeyError:
            return cls(uid, f"user {uid}", frozenset())
        groups = {entry.pw_gid, *(group.gr_gid for group in grp.getgrall() if entry.pw_name in group.gr_mem)}
        return cls(uid, entry.pw_name, frozenset(groups))

    def may(self, facts: os.stat_result, bit: int) -> bool:
        """Tell whether the mode of a file gives a right (4 to read, 1 to pass through a folder) to this account."""
        if facts.st_uid == self.uid:
            return bool(facts.st_mode >> 6 & bit)
        if facts.st_gid in self.groups:
            return bool(facts.st_mode >> 3 & bit)
        return bool(facts.st_mode & bit)


@dataclass(frozen=True)
class Intake:
    """Where copies of participants' files are kept.

    Attributes
    ----------
    folder
        Folder of the copies.
    max_bytes
        Larger files are refused.
    """

    folder: Path
    max_bytes: int
    _known: dict[tuple[int, ...], Path] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def admit(self, paths: Sequence[str], who: Participant) -> list[str]:
        """Return where the service reads the files that somebody names.

        Raises
        ------
        UserError
            If one is not there, or not for everybody to read.
        """
        return [str(self._admit(path, who)) for path in paths]

    def _admit(self, text: str, who: Participant) -> Path:
        if not text.startswith("/") or "\0" in text or len(text) > os.pathconf("/", "PC_PATH_MAX"):
            raise UserError(f"{text[:200]!r} is not the absolute path of a file.")
        try:
            real = Path(text).resolve(strict=True)
        except (OSError, RuntimeError):
            raise UserError(_refusal(text)) from None
        handle, is_settled = _open_as(real, who, text)
        with open(handle, "rb", buffering=0) as stream:
            if is_settled:
                return real
            if real.suffix in _TABLES_WITH_COMPANIONS:
                raise UserError(f"{text} has files beside it that belong to it; {_ELSEWHERE}")
            copied = self._copy(stream.fileno(), real.name)
        if copied.suffix == ".star":
            self._check_references(copied, who)
        return copied

    def _check_references(self, table: Path, who: Participant) -> None:
        """Refuse a participant's table that names a file which its owner could exchange."""
        for name, target in referred_files(table):
            if target.exists():
                handle, is_settled = _open_as(target.resolve(), who, str(target))
                os.close(handle)
                if not is_settled:
                    raise UserError(f"{table.name} names {name}, which is in a folder of your own; {_ELSEWHERE}")

    def _copy(self, handle: int, name: str) -> Path:
        facts = os.fstat(handle)
        signature = (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        with self._lock:
            known = self._known.get(signature)
        if known is not None and known.name == name and known.exists():
            return known
        if facts.st_size > self.max_bytes:
            raise UserError(f"{name} has {facts.st_size} bytes; the service takes files of at most {self.max_bytes}.")
        if name.startswith(".") or len(name) > _MAX_NAME:
            raise UserError(f"{name[:80]!r} is hidden or has a very long name; rename the file.")
        self.folder.mkdir(parents=True, exist_ok=True)
        part = self.folder / f".{uuid.uuid4().hex}"
        try:
            target = self.folder / _copy_hashed(handle, part, self.max_bytes) / name
            target.parent.mkdir(exist_ok=True)
            part.chmod(0o444)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        with self._lock:
            self._known[signature] = target
        return target


_ELSEWHERE = (
    "put it into a shared folder that only its keeper may write, or choose device='cpu' to compute it yourself."
)


def _refusal(text: str) -> str:
    return (
        f"{text} is not there or not for everybody to read, and what the engine service makes is for everybody; "
        "make file and folders readable for all, or choose device='cpu' to compute it yourself."
    )


def _copy_hashed(handle: int, target: Path, max_bytes: int) -> str:
    sha, size = hashlib.sha256(), 0
    with target.open("xb") as stream:
        while chunk := os.read(handle, _CHUNK_BYTES):
            size += len(chunk)
            if size > max_bytes:
                raise UserError(f"The file grew beyond {max_bytes} bytes while it was read.")
            sha.update(chunk)
            stream.write(chunk)
        stream.flush()
        os.fsync(stream.fileno())
    return sha.hexdigest()


def _open_as(real: Path, who: Participant, shown: str) -> tuple[int, bool]:
    """Open a file, folder by folder without following a link, as far as somebody's own rights go.

    Returns
    -------
    descriptor, is_settled
        The open file, and whether nobody but the system and the service could exchange it.

    Raises
    ------
    UserError
        If a right is missing; the sentence does not tell whether the file exists.
    """
    current = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    is_settled = True
    try:
        for part in real.parts[1:-1]:
            following = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = following
            facts = os.fstat(current)
            _require(facts, who, 1, shown)
            is_settled &= _is_settled(facts, who)
        handle = os.open(real.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=current)
    except OSError:
        raise UserError(_refusal(shown)) from None
    finally:
        os.close(current)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode):
            raise UserError(f"{shown} is not a file.")
        _require(facts, who, 4, shown)
    except UserError:
        os.close(handle)
        raise
    return handle, is_settled and _is_settled(facts, who)


def _require(facts: os.stat_result, who: Participant, bit: int, shown: str) -> None:
    if who.uid != os.geteuid() and not (who.may(facts, bit) and facts.st_mode & bit):
        raise UserError(_refusal(shown))


def _is_settled(facts: os.stat_result, who: Participant) -> bool:
    """Tell whether only the system and the service itself may change a file, or exchange what is in a folder."""
    if facts.st_uid not in (0, os.geteuid()):
        return False
    return not facts.st_mode & 0o022 or bool(stat.S_ISDIR(facts.st_mode) and facts.st_mode & stat.S_ISVTX)
