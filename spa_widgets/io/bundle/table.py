"""The table of contents of an archive that nobody vouches for: what it may not hold is refused before it is used."""

from __future__ import annotations

import stat
import struct
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from spa_widgets.errors import UserError
from spa_widgets.io.bundle.manifest import MANIFEST, MOST_MEMBERS, require_safe_name

_LOCAL_HEADER = struct.Struct("<4sHHHHHIIIHH")
_LOCAL_MAGIC = b"PK\x03\x04"
_ENCRYPTED, _UNIX = 0x1, 3


@dataclass(frozen=True)
class Span:
    """Where a member lies in the archive: offset and length in bytes, and its CRC-32."""

    offset: int
    bytes: int
    crc: int


def read_headers(file: Path, size: int) -> dict[str, zipfile.ZipInfo]:
    """Return the entries of an archive's table of contents by name.

    Raises
    ------
    UserError
        If it is no whole ZIP file, or holds what a bundle may not hold: links, packed or encrypted members, names that
        are unsafe or come twice, members that share bytes or announce more than there is.
    """
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
    for info, limit in zip(infos, limits, strict=False):  # an empty archive has an end alone
        least = info.header_offset + _LOCAL_HEADER.size + len(info.orig_filename.encode()) + info.file_size
        if info.header_offset < 0 or least > limit:
            raise UserError(f"{bundle} is refused: {info.filename[:120]!r} overlaps what comes after it.")


def find_span(stream: BinaryIO, info: zipfile.ZipInfo, bundle: str) -> Span:
    """Return where a member lies, from the header before it.

    Raises
    ------
    UserError
        If that header says something else than the table of contents.
    """
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
