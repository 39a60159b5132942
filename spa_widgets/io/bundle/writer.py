"""Write a bundle: whole under its name, or not at all."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from spa_widgets.errors import UserError, size_in_words
from spa_widgets.io.bundle.manifest import MANIFEST, Manifest, Member, require_safe_name

_CHUNK_BYTES = 4 << 20
_EPOCH = (1980, 1, 1, 0, 0, 0)  # equal content makes equal archives


class BundleWriter:
    """Write the members of a bundle into a file beside its name, and give it the name when it is whole.

    Use as a context: leaving it without `finish`, or by an error, leaves nothing behind.

    Parameters
    ----------
    path : Path
        The archive to make.
    progress : callable
        Called with the bytes written of a member so far and its name; raises to break off.

    Raises
    ------
    UserError
        If there is a file of that name, or it cannot be made.
    """

    def __init__(self, path: Path, progress: Callable[[int, str], None] = lambda written, name: None) -> None:
        self.path = path
        self.members: dict[str, Member] = {}
        self.bytes = 0
        self._progress = progress
        self._part = path.with_name(f".{path.name}.{os.getpid()}.part")
        self._done = False
        if path.exists():
            raise UserError(f"{path} is there already; choose another name, or delete it first.")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._part.open("wb")
        except OSError as error:
            raise UserError(f"Cannot write {path}: {error.strerror}; choose a folder of yours.") from error
        self._zip = zipfile.ZipFile(self._stream, "w", zipfile.ZIP_STORED, allowZip64=True)

    def add_file(self, name: str, source: Path, sha256: str | None = None) -> None:
        """Add a file; its content must be what is known of it.

        Raises
        ------
        UserError
            If the file cannot be read, is not what it was, or the disk is full.
        """
        require_safe_name(name, self.path.name)
        sha, size = hashlib.sha256(), 0
        try:
            announced = source.stat().st_size
            with source.open("rb") as stream, self._zip.open(_info(name, announced), "w") as member:
                while chunk := stream.read(_CHUNK_BYTES):
                    member.write(chunk)
                    sha.update(chunk)
                    size += len(chunk)
                    self._progress(self.bytes + size, name)
        except OSError as error:
            raise self._explained(error, source) from error
        if size != announced or (sha256 is not None and sha.hexdigest() != sha256):
            raise UserError(f"{source} has changed since its result was made; run the job again before exporting it.")
        self._note(name, size, sha.hexdigest())

    def add_bytes(self, name: str, content: bytes) -> None:
        """Add a member from memory."""
        require_safe_name(name, self.path.name)
        try:
            self._zip.writestr(_info(name, len(content)), content)
        except OSError as error:
            raise self._explained(error, self.path) from error
        self._note(name, len(content), hashlib.sha256(content).hexdigest())

    def finish(self, manifest: Manifest) -> None:
        """Write the manifest, sync, and give the archive its name."""
        content = manifest.model_dump_json(indent=1).encode()
        try:
            self._zip.writestr(_info(MANIFEST, len(content)), content)
            self._zip.close()
            self._stream.flush()
            os.fsync(self._stream.fileno())
            self._stream.close()
            self._part.replace(self.path)
        except OSError as error:
            raise self._explained(error, self.path) from error
        self._done = True
        self.bytes = self.path.stat().st_size

    def _note(self, name: str, size: int, sha256: str) -> None:
        self.members[name] = Member(bytes=size, sha256=sha256)
        self.bytes += size

    def _explained(self, error: OSError, source: Path) -> UserError:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            free = shutil.disk_usage(self.path.parent).free
            return UserError(
                f"The disk of {self.path} is full ({size_in_words(free)} free); write the bundle elsewhere."
            )
        return UserError(f"{source} cannot be read or written ({error.strerror or error}); mend that and export again.")

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self._done:
            for close in (self._zip.close, self._stream.close):
                with suppress(OSError, ValueError):  # a full disk, or a member that was broken off
                    close()
            self._part.unlink(missing_ok=True)


def _info(name: str, size: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_STORED
    info.external_attr = 0o100444 << 16
    info.file_size = size  # tells zipfile when the long form is needed
    return info
