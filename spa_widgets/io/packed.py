"""Files packed by gzip or bzip2, known by their first bytes: names lose or keep an ending on their way here."""

from __future__ import annotations

import bz2
import gzip
from pathlib import Path
from typing import IO, Any, cast

ENDINGS = (".gz", ".bz2")
MOST_PACKED = 2000
"""No packer makes real numbers so many times smaller: a header that announces more is wrong."""
_PACKERS: tuple[tuple[bytes, Any], ...] = ((b"\x1f\x8b\x08", gzip.open), (b"BZh", bz2.open))


def open_unpacked(file: Path) -> IO[bytes]:
    """Open a file for reading, through its unpacker where it is packed."""
    stream = file.open("rb")
    start = stream.peek(4)
    opener = next((opener for magic, opener in _PACKERS if start.startswith(magic)), None)
    if opener is None:
        return stream
    stream.close()
    return cast(IO[bytes], opener(file, "rb"))


def is_packed(stream: IO[bytes]) -> bool:
    """Tell whether what `open_unpacked` gave is unpacked as it is read."""
    return isinstance(stream, gzip.GzipFile | bz2.BZ2File)


def plain_suffix(file: Path) -> str:
    """Return the ending of a name in small letters, without that of a packer."""
    return (file.with_suffix("") if file.suffix.lower() in ENDINGS else file).suffix.lower()
