"""Read a bundle without trusting it: every member is checked against the manifest before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from spa_widgets.errors import UserError
from spa_widgets.io.archives import require_space
from spa_widgets.io.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    MOST_MANIFEST_BYTES,
    MOST_MEMBERS,
    Manifest,
    Member,
    require_safe_name,
)

Progress = Callable[[int, int, str], None]

_CHUNK_BYTES = 4 << 20
_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED, _UNIX = 0x1, 3


@dataclass(frozen=True)
class Span:
    """Where a member lies in the archive: offset and length in bytes, and its CRC-32."""

    offset: int
    bytes: int
    crc: int


@dataclass(frozen=True)
class BundleFile:
    """A bundle opened for reading.

    Attributes
    ----------
    path : Path
        The archive.
    manifest : Manifest
        What it holds.
    identity : str
        SHA-256 of its manifest, and so of all that it holds.
    """

    path: Path
    manifest: Manifest
    identity: str
    _headers: dict[str, zipfile.ZipInfo]

    @classmethod
    def open(cls, path: Path | str) -> BundleFile:
        """Open a bundle and check its table of contents; nothing else is read.

        Raises
        ------
        UserError
            If it is missing, cut short, not a bundle, of a later version, or holds what a bundle may not hold.
        """
        file = Path(path).expanduser().absolute()
        try:
            state = file.stat()
        except OSError as error:
            raise UserError(f"{file} cannot be opened as a bundle: {error.strerror}; check its path.") from error
        return _opened(file, state.st_size, state.st_mtime_ns, state.st_ino)

    def span(self, name: str) -> Span:
        """Return where a member lies, so that it can be read or mapped in place.

        Raises
        ------
        UserError
            If the bundle has no such member, or its header was changed.
        """
        info = self._headers.get(name)
        if info is None:
            raise UserError(f"{self.path.name} has no {name}; it is another bundle, or the file was left out.")
        with self.path.open("rb") as stream:
            return _span(stream, info, self.path.name)

    def read(self, name: str) -> bytes:
        """Return the content of a member, compared with the manifest.

        Raises
        ------
        UserError
            If it is missing or damaged.
        """
        return b"".join(self._chunks(name))

    def copy(self, name: str, target: Path, check: Callable[[], None] = lambda: None) -> None:
        """Copy a member into a file of its own: the whole and undamaged member, or nothing.

        Parameters
        ----------
        name
            The member.
        target
            Where it goes.
        check
            Called between pieces; raises to break off.

        Raises
        ------
        UserError
            If it is missing or damaged, or the disk is full.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        require_space(target.parent, self.span(name).bytes)
        part = target.with_name(f".{target.name[:120]}.{os.getpid()}.part")
        try:
            with part.open("wb") as stream:
                for chunk in self._chunks(name):
                    stream.write(chunk)
                    check()
            part.chmod(0o444)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def verify(self, progress: Progress = lambda done, total, name: None) -> None:
        """Read every member and compare it with the manifest.

        Raises
        ------
        UserError
            At the first member that is damaged.
        """
        total = sum(member.bytes for member in self.manifest.members.values())
        done = 0
        for name in self.manifest.members:
            for chunk in self._chunks(name):
                done += len(chunk)
                progress(done, total, name)

    def _chunks(self, name: str) -> Iterator[bytes]:
        expected: Member | None = self.manifest.members.get(name)
        span = self.span(name)
        sha, crc, left = hashlib.sha256(), 0, span.bytes
        with self.path.open("rb", buffering=0) as stream:
            stream.seek(span.offset)
            while left and (chunk := stream.read(min(_CHUNK_BYTES, left))):
                sha.update(chunk)
                crc = zlib.crc32(chunk, crc)
                left -= len(chunk)
                yield chunk
        if left or crc != span.crc or (expected is not None and sha.hexdigest() != expected.sha256):
            raise UserError(
                f"{self.path.name} is damaged: {name} is not what was written into it; copy or export it again."
            )


def is_bundle(path: Path) -> bool:
    """Tell whether a path is a file that can be a bundle (not a folder)."""
    return path.is_file()


@lru_cache(maxsize=8)
def _opened(file: Path, size: int, mtime_ns: int, inode: int) -> BundleFile:
    """Open a file in this state; asked again it is there at once."""
    headers = _headers(file, size)
    if MANIFEST not in headers:
        raise UserError(f"{file.name} is not a bundle of spa: it has no {MANIFEST}; give a file that spa export wrote.")
    info = headers[MANIFEST]
    if info.file_size > MOST_MANIFEST_BYTES:
        raise UserError(f"{file.name} has a {MANIFEST} of {info.file_size / 1e6:.0f} MB, which no bundle has; refused.")
    nothing = Manifest(kind="spa-bundle", format=FORMAT_VERSION, title="", created=0.0, members={})
    bare = BundleFile(file, nothing, "", headers)
    content = bare.read(MANIFEST)
    manifest = Manifest.parse(content, file.name)
    _require_same(headers, manifest, file.name)
    return BundleFile(file, manifest, hashlib.sha256(content).hexdigest(), headers)


def _headers(file: Path, size: int) -> dict[str, zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(file) as archive:
            infos, end = archive.infolist(), archive.start_dir
    except PermissionError as error:
        raise UserError(f"{file} may not be read: ask its owner for read permission.") from error
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror or error}); mend that and try again.") from error
    except (zipfile.BadZipFile, struct.error, NotImplementedError, UnicodeError, ValueError, EOFError) as error:
        raise UserError(
            f"{file.name} is not a whole bundle ({error}): it is cut short, damaged or something else; copy it again."
        ) from error
    if len(infos) > MOST_MEMBERS:
        raise UserError(f"{file.name} has {len(infos)} members, more than the {MOST_MEMBERS} of any bundle; refused.")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        _require_plain(info, file.name, size)
        if info.filename in found:
            raise UserError(f"{file.name} holds {info.filename[:120]!r} twice; it is refused.")
        found[info.filename] = info
    _require_apart(list(found.values()), end, file.name)
    return found


def _require_plain(info: zipfile.ZipInfo, bundle: str, size: int) -> None:
    """Refuse what is not a plain file, stored as it is, under a name that a bundle has."""
    name = info.filename
    if name != MANIFEST or info.orig_filename != name:
        require_safe_name(info.orig_filename, bundle)
    mode = info.external_attr >> 16
    if info.create_system == _UNIX and mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        raise UserError(f"{bundle} holds {name[:120]!r}, which is a link or a device and no plain file; it is refused.")
    if info.flag_bits & _ENCRYPTED:
        raise UserError(f"{bundle} holds {name[:120]!r} encrypted, which no bundle is; it is refused.")
    if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
        raise UserError(f"{bundle} holds {name[:120]!r} compressed, which no bundle is; it is refused.")
    if info.file_size > size:
        raise UserError(f"{bundle} announces {name[:120]!r} with more bytes than the archive has; it is refused.")


def _require_apart(infos: list[zipfile.ZipInfo], end: int, bundle: str) -> None:
    """Refuse members that share bytes: a small archive would unpack to a huge one."""
    infos = sorted(infos, key=lambda info: info.header_offset)
    limits = [*(info.header_offset for info in infos[1:]), end]
    for info, limit in zip(infos, limits, strict=True):
        least = info.header_offset + _LOCAL_HEADER.size + len(info.orig_filename.encode()) + info.file_size
        if info.header_offset < 0 or least > limit:
            raise UserError(f"{bundle} is refused: {info.filename[:120]!r} overlaps what comes after it.")


def _span(stream: BinaryIO, info: zipfile.ZipInfo, bundle: str) -> Span:
    stream.seek(info.header_offset)
    header = stream.read(_LOCAL_HEADER.size)
    with suppress(struct.error):
        magic, _, flags, method, _, _, _, _, _, name_bytes, extra_bytes = _LOCAL_HEADER.unpack(header)
        name = stream.read(name_bytes)
        same = name == info.orig_filename.encode() and flags & _ENCRYPTED == 0 and method == zipfile.ZIP_STORED
        if magic == _LOCAL_MAGIC and same:
            offset = info.header_offset + _LOCAL_HEADER.size + name_bytes + extra_bytes
            return Span(offset, info.file_size, info.CRC)
    raise UserError(f"{bundle} is damaged: the header of {info.filename[:120]!r} was changed; copy the bundle again.")


def _require_same(headers: dict[str, zipfile.ZipInfo], manifest: Manifest, bundle: str) -> None:
    if more := sorted(set(headers) - set(manifest.members) - {MANIFEST}):
        raise UserError(f"{bundle} holds {more[0][:120]!r}, which its {MANIFEST} does not list; it is refused.")
    for name, member in manifest.members.items():
        info = headers.get(name)
        if info is None:
            raise UserError(f"{bundle} lacks {name}, which its {MANIFEST} lists; copy or export the bundle again.")
        if info.file_size != member.bytes:
            raise UserError(
                f"{bundle} is damaged: {name} has {info.file_size} bytes, written with {member.bytes}; copy it again."
            )
