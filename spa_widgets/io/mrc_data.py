"""The data of MRC files as bytes, read and never mapped into memory.

A mapped file that is cut short meanwhile, or whose disk fails, ends the whole process with a signal; a read is an error
that can be put into words.
"""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from spa_widgets.io.mrc_header import MrcHeader, check_size

_CHUNK = 1 << 20


def packed_data(stream: IO[bytes], header: MrcHeader, file: Path) -> NDArray[np.uint8]:
    """Read the data of a packed file piece by piece: no more memory than there are data."""
    stream.seek(header.offset)
    content = bytearray()
    while len(content) < header.data_bytes:
        piece = stream.read(min(_CHUNK, header.data_bytes - len(content)))
        if not piece:
            check_size(header, header.offset + len(content), file)
        content += piece
    return np.frombuffer(content, np.uint8)


def section_data(stream: IO[bytes], header: MrcHeader, wanted: NDArray[np.intp]) -> NDArray[np.uint8]:
    """Read some sections, neighbours in one go: bytes ``(m, section_bytes)``.

    Raises
    ------
    OSError, EOFError
        If the disk fails, or the file was cut short since its header was read.
    """
    content = np.empty((len(wanted), header.section_bytes), np.uint8)
    ends = [*(np.flatnonzero(np.diff(wanted) != 1) + 1).tolist(), len(wanted)]
    begin = 0
    for end in ends if len(wanted) else ():
        stream.seek(header.offset + int(wanted[begin]) * header.section_bytes)
        part = content[begin:end].reshape(-1)
        read = stream.readinto(part.data)  # type: ignore[attr-defined]
        if read < part.size:
            raise EOFError("it was cut short while it was read")
        begin = end
    return content
