"""The header of an MRC file, read without trusting it.

MRC2014: Cheng et al., J Struct Biol 192, 146 (2015).
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError

HEADER_BYTES = 1024
PACKED_MODE = 101

_TYPES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2", PACKED_MODE: "u1"}
_COMPLEX = (3, 4)
_MOST_PX = 2**31 - 1
_STAMPS = {0x44: "<", 0x11: ">"}
_IMOD_STAMP, _IMOD_SIGNED = 1146047817, 1
# what is met under an image's name; as an MRC header each would announce millions of columns
_OTHERS = (
    *((start, "a TIFF image") for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
    (b"\x89HDF", "an HDF5 file"), (b"\x89PNG", "a PNG picture"), (b"\xff\xd8\xff", "a JPEG picture"),
    (b"PK\3\4", "a ZIP archive"), (b"<!DO", "a web page"), (b"<htm", "a web page"),
)  # fmt: skip
_NAMES = "0, 1, 2, 6, 12 or 101 (8-bit, 16-bit, float, 16-bit unsigned, half float, 4-bit)"


@dataclass(frozen=True)
class MrcHeader:
    """What is needed to read the data.

    Attributes
    ----------
    shape : (int, int, int)
        Sections, rows, columns as they lie in the file.
    mode : int
        Number of the data type.
    dtype : dtype
        Of the stored bytes, with the file's byte order; for 4-bit data that of the packed bytes.
    offset : int
        First byte of the data.
    axes : (int, int, int)
        Which axis (1 x, 2 y, 3 z) runs along columns, rows and sections.
    pixel_size_A : float
        Å per px; 0 where the header does not say.
    """

    shape: tuple[int, int, int]
    mode: int
    dtype: np.dtype
    offset: int
    axes: tuple[int, int, int]
    pixel_size_A: float

    @property
    def row_bytes(self) -> int:
        """Bytes of one row: two pixels share a byte of 4-bit data, and a row starts with a new byte."""
        columns = self.shape[2]
        return (columns + 1) // 2 if self.mode == PACKED_MODE else columns * self.dtype.itemsize

    @property
    def section_bytes(self) -> int:
        """Bytes of one section."""
        return self.row_bytes * self.shape[1]

    @property
    def data_bytes(self) -> int:
        """Bytes of all data."""
        return self.section_bytes * self.shape[0]

    def decode(self, raw: NDArray[np.uint8], sections: int) -> NDArray[np.generic]:
        """Turn the bytes of some sections into numbers ``(sections, rows, columns)``."""
        rows, columns = self.shape[1:]
        if self.mode != PACKED_MODE:
            return raw.view(self.dtype).reshape(sections, rows, columns)
        bytes_ = raw.reshape(sections, rows, self.row_bytes)
        pixels = np.empty((sections, rows, 2 * self.row_bytes), np.uint8)
        pixels[..., 0::2], pixels[..., 1::2] = bytes_ & 15, bytes_ >> 4
        return pixels[..., :columns]


def parse_header(content: bytes, path: str | Path) -> MrcHeader:
    """Read the first 1024 bytes of an MRC file.

    Raises
    ------
    UserError
        When they are no MRC header, or the data are of a type that no image has.
    """
    other = next((name for start, name in _OTHERS if content.startswith(start)), None)
    if other is not None:
        raise UserError(f"{path} is {other}; expected an image in MRC format: convert it, or give the right file.")
    if len(content) < HEADER_BYTES:
        raise UserError(
            f"{path} has {len(content)} bytes; an MRC file has a header of {HEADER_BYTES}: it is empty or cut short."
        )
    order = _byte_order(content)
    if order is None:
        raise UserError(f"{path} is not an MRC file (its header makes no sense): expected an image in MRC format.")
    columns, rows, sections, mode = struct.unpack_from(f"{order}4i", content)
    if mode in _COMPLEX:
        raise UserError(f"{path} holds Fourier coefficients (mode {mode}); expected an image or map in real space.")
    if mode not in _TYPES:
        raise UserError(f"{path} has MRC mode {mode}; expected {_NAMES}: convert it first.")
    extended = struct.unpack_from(f"{order}i", content, 92)[0]
    if extended < 0:
        raise UserError(f"{path} states an extended header of {extended} bytes; expected none or more: it is damaged.")
    code = "u1" if mode == 0 and _is_unsigned(content, order) else _TYPES[mode]
    axes = struct.unpack_from(f"{order}3i", content, 64)
    return MrcHeader(
        shape=(sections, rows, columns),
        mode=mode,
        dtype=np.dtype(f"{order}{code}"),
        offset=HEADER_BYTES + extended,
        axes=axes if sorted(axes) == [1, 2, 3] else (1, 2, 3),
        pixel_size_A=_pixel_size_A(content, order),
    )


def check_size(header: MrcHeader, size: int, path: str | Path) -> None:
    """Check that a file is as long as its header says, before anything of that size is asked for.

    Raises
    ------
    UserError
        When it is shorter.
    """
    expected = header.offset + header.data_bytes
    if size < expected:
        sections, rows, columns = header.shape
        raise UserError(
            f"{path} is cut short: its header announces {columns} × {rows} × {sections} px in {expected} bytes, the "
            f"file has {size}: copy it again."
        )


def _byte_order(content: bytes) -> str | None:
    """Return the byte order by the machine stamp, else by which one gives a sensible header."""
    stated = _STAMPS.get(content[212])
    orders = [stated, ">" if stated == "<" else "<"] if stated else ["<", ">"]
    for order in orders:
        columns, rows, sections, mode = struct.unpack_from(f"{order}4i", content)
        if all(0 < n <= _MOST_PX for n in (columns, rows, sections)) and -1 < mode < 1000:
            return order
    return None


def _is_unsigned(content: bytes, order: str) -> bool:
    """Tell whether bytes are unsigned: IMOD says so in its own fields, MRC2014 means signed."""
    stamp, flags = struct.unpack_from(f"{order}2i", content, 152)
    return stamp == _IMOD_STAMP and not flags & _IMOD_SIGNED


def _pixel_size_A(content: bytes, order: str) -> float:
    intervals = struct.unpack_from(f"{order}i", content, 28)[0]
    length_A = struct.unpack_from(f"{order}f", content, 40)[0]
    if intervals <= 0 or not math.isfinite(length_A) or length_A <= 0:
        return 0.0
    return float(np.float32(length_A) / np.float32(intervals))
