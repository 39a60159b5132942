"""Archives from elsewhere, unpacked without trusting them."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from spa_widgets.errors import UserError

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
        raise UserError(f"{folder} has {free / 1e9:.1f} GB free, {needed / 1e9:.1f} GB are needed: choose another.")


def unpack(archive: Path, folder: Path, max_bytes: int, progress: Progress | None = None) -> list[Path]:
    """Unpack the regular files of a tar archive into a folder, and nothing outside it.

    Links, devices and names that leave the folder are refused; a file that is there with its full size is kept.

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
                _extract(tar, member, folder / member.name)
                done += member.size
                report(done, total, f"unpacking {member.name}")
    except (tarfile.TarError, EOFError) as error:
        raise UserError(f"{archive.name} is not a whole tar archive ({error}); delete it and fetch again.") from error
    return [folder / member.name for member in members]


def _safe_members(tar: tarfile.TarFile, name: str, max_bytes: int) -> list[tarfile.TarInfo]:
    members: list[tarfile.TarInfo] = []
    total = 0
    for member in tar:
        if member.isdir():
            continue
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or "\\" in member.name or not member.isreg():
            raise UserError(
                f"{name} holds {member.name!r}, which is not a plain file inside the folder; it is refused."
            )
        total += member.size
        if total > max_bytes or len(members) >= _MAX_MEMBERS:
            raise UserError(f"{name} unpacks to more than {max_bytes / 1e9:.1f} GB or {_MAX_MEMBERS} files; refused.")
        members.append(member)
    return members


def _is_there(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    source = tar.extractfile(member)
    if source is None:
        raise UserError(f"{member.name!r} has no content in the archive; delete the archive and fetch again.")
    with source, part.open("wb") as stream:
        shutil.copyfileobj(source, stream, _CHUNK_BYTES)
    part.rename(target)
