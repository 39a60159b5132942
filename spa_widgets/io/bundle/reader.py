"""Read a bundle without trusting it: every member is checked against the manifest before it is used."""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.archives import require_space
from spa_widgets.io.bundle.manifest import (
    FORMAT_VERSION,
    MANIFEST,
    MOST_MANIFEST_BYTES,
    Manifest,
    Member,
)
from spa_widgets.io.bundle.table import Span, find_span, read_headers

Progress = Callable[[int, int, str], None]

_CHUNK_BYTES = 4 << 20


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
        if not stat.S_ISREG(state.st_mode):  # a pipe would be waited for without end
            raise UserError(f"{file} is no plain file; expected a bundle: name the file itself.")
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
            return find_span(stream, info, self.path.name)

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
    headers = read_headers(file, size)
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
