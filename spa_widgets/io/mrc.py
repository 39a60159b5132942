"""Reading MRC images, stacks and volumes.

Cheng et al., J Struct Biol 192, 146 (2015).
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.mrc_data import packed_data, section_data
from spa_widgets.io.mrc_header import HEADER_BYTES, MrcHeader, check_size, parse_header
from spa_widgets.io.packed import MOST_PACKED, is_packed, open_unpacked, plain_suffix

_BROKEN = (OSError, EOFError, zlib.error)


def open_header(path: str | Path) -> MrcHeader:
    """Read and check the header of an MRC file (of a packed one too).

    Raises
    ------
    UserError
        When the file is missing, unreadable, cut short or not MRC.
    """
    file = Path(path)
    try:
        with _opened(file) as stream:
            return _checked_header(stream, file)
    except _BROKEN as error:
        raise _unreadable(file, error) from error


def _opened(file: Path) -> IO[bytes]:
    if not file.exists():
        raise UserError(f"{file} does not exist; expected an MRC file there: check the path.")
    if not file.is_file():
        found = "a folder" if file.is_dir() else "no plain file"
        raise UserError(f"{file} is {found}; expected an MRC file: name the file itself.")
    return open_unpacked(file)


def _checked_header(stream: IO[bytes], file: Path) -> MrcHeader:
    header = parse_header(stream.read(HEADER_BYTES), file)
    size = file.stat().st_size
    if not is_packed(stream):
        check_size(header, size, file)
    elif header.offset + header.data_bytes > max(size, HEADER_BYTES) * MOST_PACKED:
        raise UserError(f"{file} is too small for what its header announces: it is damaged or cut short.")
    return header


def _unreadable(file: Path, error: Exception) -> UserError:
    if isinstance(error, PermissionError):
        return UserError(f"{file} may not be read: ask its owner for read permission.")
    if isinstance(error, FileNotFoundError):
        return UserError(f"{file} has vanished; expected an MRC file there: move it back.")
    return UserError(f"{file} cannot be read ({error}): copy or export it again.")


def _read_sections(file: Path, wanted: NDArray[np.intp] | None) -> tuple[NDArray[Any], MrcHeader]:
    """Return some sections ``(m, rows, columns)`` as stored, or all, and the header."""
    try:
        with _opened(file) as stream:
            header = _checked_header(stream, file)
            if is_packed(stream):
                stack = header.decode(packed_data(stream, header, file), header.shape[0])
                return (stack if wanted is None else stack[_within(wanted, header, file)]), header
            chosen = np.arange(header.shape[0]) if wanted is None else _within(wanted, header, file)
            return header.decode(section_data(stream, header, chosen).reshape(-1), len(chosen)), header
    except _BROKEN as error:
        raise _unreadable(file, error) from error


def _within(wanted: NDArray[np.intp], header: MrcHeader, file: Path) -> NDArray[np.intp]:
    count = header.shape[0]
    if wanted.size and (wanted.min() < 0 or wanted.max() >= count):
        raise UserError(
            f"{file} has {count} images, but image {int(wanted.max()) + 1} is asked for: "
            "the STAR file belongs to another stack."
        )
    return wanted


def _is_stack(file: Path) -> bool:
    """Tell by its name whether a file is a stack, even one of a single image."""
    return plain_suffix(file) in (".mrcs", ".st")


def read_mrc(path: str | Path) -> tuple[NDArray[Any], float]:
    """Read a whole MRC file.

    Parameters
    ----------
    path : str or Path
        An image, stack or map (``.mrc``, ``.mrcs``, ``.map``, also packed as ``.gz`` or ``.bz2``) of any real mode and
        byte order.

    Returns
    -------
    (array, float)
        Array ``(h, w)`` or ``(d, h, w)`` float32, axes in z, y, x order whatever the file's own order; a ``.mrcs`` of
        one image is ``(1, h, w)``. Pixel size in Å (0 when the header has none).

    Raises
    ------
    UserError
        When the file is missing, cut short, not MRC or holds Fourier coefficients.
    """
    file = Path(path)
    data, header = _read_sections(file, None)
    order = list(header.axes)
    if order != [1, 2, 3]:  # maps of the databank may be ordered otherwise
        data = np.transpose(data, [2 - order.index(axis) for axis in (3, 2, 1)])
    if len(data) == 1 and not _is_stack(file):
        data = data[0]
    return np.ascontiguousarray(data, np.float32), header.pixel_size_A


def read_mrc_slices(path: str | Path, indices: ArrayLike) -> NDArray[np.float32]:
    """Read some images ``(m, h, w)`` of a stack without reading the rest.

    Raises
    ------
    UserError
        When the file is unreadable or has no such image.
    """
    return np.asarray(_read_sections(Path(path), np.asarray(indices, np.intp))[0], np.float32)


def mrc_shape(path: str | Path) -> tuple[int, ...]:
    """Return the shape of the data of an MRC file from its header: ``(h, w)`` or ``(d, h, w)``."""
    header = open_header(path)
    lengths = dict(zip(header.axes, reversed(header.shape), strict=True))
    shape = tuple(lengths[axis] for axis in (3, 2, 1))
    return shape[1:] if shape[0] == 1 and not _is_stack(Path(path)) else shape


def mrc_pixel_size_A(path: str | Path) -> float:
    """Return Å per px from the header of an MRC file (0 when it has none)."""
    return open_header(path).pixel_size_A


def finite(images: NDArray[np.float32], path: str | Path) -> NDArray[np.float32]:
    """Return images as they are.

    Raises
    ------
    UserError
        When one of their pixels is no number.
    """
    # the sum tells in one pass, without an array of flags
    if not np.isfinite(images.sum(dtype=np.float64)) and not np.isfinite(images).all():
        count = int((~np.isfinite(images)).sum())
        raise UserError(f"{path} holds {count} pixels that are no numbers (NaN or infinite): make the image again.")
    return images
