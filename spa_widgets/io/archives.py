"""Archives from elsewhere, unpacked without trusting them."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from spa_widgets.errors import UserError, size_in_words

Progress = Callable[[int, int, str], None]

_CHUNK_BYTES = 1 << 20
_MAX_MEMBERS = 100_000


def require_space(folder: Path, needed: int) -> None:
    """Check that a disk has room.

    Raises
    ------
    UserError
        If it has not.
    """
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(f"{folder} has {size_in_words(free)} free, {size_in_words(needed)} are needed: choose another.")


def unpack(archive: Path, folder: Path, max_bytes: int, progress: Progress | None = None) -> list[Path]:
    """Unpack the regular files of a tar archive into a folder, and nothing outside it.

    Links, devices and names that leave the folder are refused, and so are links that already lie in the folder where
    a file belongs; a file that is there with its full size is kept.

    Raises
    ------
    UserError
        If the archive is not a tar file, is damaged, leaves the folder, or is larger than `max_bytes`.
    """
    report = progress or (lambda done, total, message: None)
    try:
        with tarfile.open(archive) as tar:
            members = _safe_members(tar, archive.name, max_bytes)
            total = sum(member.size for member in members)
            missing = [member for member in members if not _is_there(folder / member.name, member.size)]
            require_space(folder, sum(member.size for member in missing))
            done = total - sum(member.size for member in missing)
            for member in missing:
                _extract(tar, member, folder)
                done += member.size
                report(done, total, f"unpacking {member.name}")
    except tarfile.ReadError as error:
        raise _damaged(archive, str(error).partition(":")[0]) from error
    except MemoryError as error:  # an unpacker is told by the file how much to take
        raise _damaged(archive, "it asks for more memory than there is") from error
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError) as error:
        raise _damaged(archive, str(error)) from error
    except OSError as error:
        if error.errno is None:  # how decompressors speak of damage
            raise _damaged(archive, str(error)) from error
        if isinstance(error, FileExistsError | NotADirectoryError | IsADirectoryError):
            raise UserError(
                f"{archive.name} cannot be unpacked: {error.filename} is in the way ({error.strerror}); choose an "
                "empty folder."
            ) from error
        raise
    return [folder / member.name for member in members]


def _damaged(archive: Path, why: str) -> UserError:
    return UserError(f"{archive.name} is not a whole tar archive ({why}); delete it and fetch again.")


def _safe_members(tar: tarfile.TarFile, name: str, max_bytes: int) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    total = 0
    for member in tar:
        if member.isdir():
            continue
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name or not _is_plain(member, path):
            raise UserError(
                f"{name} holds {member.name[:100]!r}, which is not a plain file inside the folder; it is refused."
            )
        total += member.size
        if total > max_bytes or len(members) >= _MAX_MEMBERS:
            raise UserError(f"{name} unpacks to more than {size_in_words(max_bytes)} or {_MAX_MEMBERS} files; refused.")
        members.append(member)
    return members


def _is_plain(member: tarfile.TarInfo, path: PurePosixPath) -> bool:
    """Tell a file with a name that can be shown from links, devices and names of control characters."""
    return member.isreg() and member.size >= 0 and bool(path.parts) and member.name.isprintable()


def _is_there(path: Path, size: int) -> bool:
    try:
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_size == size


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    if not target.parent.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{target.parent} is a link that leaves {folder}; nothing is unpacked through it: remove it.")
    part = target.with_name(target.name + ".part")
    source = tar.extractfile(member)
    if source is None:
        raise UserError(f"{member.name[:100]!r} has no content in the archive; delete the archive and fetch again.")
    part.unlink(missing_ok=True)
    # a new file of ours: in a shared folder somebody may have put a link where it will be
    new = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o666)
    with source, open(new, "wb") as stream:
        shutil.copyfileobj(source, stream, _CHUNK_BYTES)
    part.rename(target)
