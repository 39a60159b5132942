"""Datasets of cryoSPARC on disk: NumPy structured arrays, never with pickled objects."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError

_COMPRESSED = b"\x94CSDAT"
_LONGEST_HEADER = 1 << 20


def read_dataset(path: str | Path) -> NDArray[np.void]:
    """Read the rows of a ``.cs`` file.

    Raises
    ------
    UserError
        When the file is missing, damaged or of another kind.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file} does not exist; expected a cryoSPARC dataset there: check the path.")
    try:
        with file.open("rb") as stream:
            start = stream.read(6)
            if start == _COMPRESSED:
                raise UserError(f"{file} is a compressed stream; expected a .cs file: export the job's group.")
            stream.seek(0)
            shape, dtype = _header(stream, file)
            return np.fromfile(stream, dtype, shape[0])
    except OSError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): ask for permission, or copy it again.") from error


def _header(stream: IO[bytes], file: Path) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header; check that it is a table, and that the file is as long as it says."""
    try:
        # the length of the header is checked before numpy asks for as much memory
        start = stream.read(12)
        if start[6:8] not in (b"\1\0", b"\2\0", b"\3\0"):
            raise ValueError("the version is unknown")
        length = int.from_bytes(start[8:10] if start[6:7] == b"\1" else start[8:12], "little")
        if length > min(_LONGEST_HEADER, file.stat().st_size):
            raise ValueError("the header is longer than the file")
        stream.seek(0)
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(stream, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # the header is a Python expression: anything may be wrong with it
        raise UserError(f"{file} is not a cryoSPARC dataset; expected a .cs file: export it again.") from error
    if dtype.hasobject:
        raise UserError(f"{file} holds Python objects, which are not read for safety: export it from cryoSPARC again.")
    if dtype.names is None or len(shape) != 1 or shape[0] < 0:
        raise UserError(f"{file} is an array, not a table; expected a cryoSPARC dataset with named columns.")
    expected = stream.tell() + shape[0] * dtype.itemsize
    size = file.stat().st_size
    if size < expected:
        raise UserError(f"{file} is cut short: {expected} bytes are announced, it has {size}: copy it again.")
    return shape, dtype


def read_with_passthrough(path: str | Path) -> dict[str, NDArray[Any]]:
    """Read a dataset by column, with what the ``passthrough`` files beside it know of the same rows.

    A job of cryoSPARC writes what it found itself to one file and leaves in another, with ``passthrough`` in its name,
    what it was given; rows belong together by ``uid``.

    Raises
    ------
    UserError
        As `read_dataset`.
    """
    file = Path(path)
    own = read_dataset(file)
    assert own.dtype.names is not None
    columns: dict[str, NDArray[Any]] = {name: own[name] for name in own.dtype.names}
    if "uid" not in columns or "passthrough" in file.name:
        return columns
    for other in sorted(file.resolve().parent.glob("*passthrough*.cs")):
        given = read_dataset(other)
        assert given.dtype.names is not None
        if "uid" not in given.dtype.names or not len(given):
            continue
        rows = _rows_of(given["uid"], columns["uid"])
        if (rows >= 0).all():
            columns.update({name: given[name][rows] for name in given.dtype.names if name not in columns})
    return columns


def _rows_of(uids: NDArray[Any], wanted: NDArray[Any]) -> NDArray[np.intp]:
    """Return the row of each wanted uid, -1 where there is none."""
    order = np.argsort(uids, kind="stable")
    rows = order[np.searchsorted(uids, wanted, sorter=order).clip(max=len(order) - 1)]
    return np.where(uids[rows] == wanted, rows, -1)


def columns_of_uids(path: str | Path, uids: NDArray[np.uint64]) -> dict[str, NDArray[Any]]:
    """Return the columns of a dataset, with those of `read_with_passthrough`, for some of its rows.

    Parameters
    ----------
    path : str or Path
    uids : (m,)
        Which rows, in which order.

    Raises
    ------
    UserError
        As `read_dataset`, or when the dataset lacks one of the rows.
    """
    columns = read_with_passthrough(path)
    given = columns.get("uid", np.zeros(0, np.uint64))
    rows = _rows_of(given, uids) if len(given) else np.full(len(uids), -1)
    lost = int((rows < 0).sum())
    if lost:
        raise UserError(
            f"{path} lacks {lost} of the {len(uids)} particles (by uid); expected the dataset that they come from: "
            "name that one."
        )
    return {name: values[rows] for name, values in columns.items()}


def write_dataset(path: str | Path, columns: dict[str, NDArray[Any]]) -> None:
    """Write columns as a ``.cs`` file; text becomes bytes of fixed length, as cryoSPARC has it."""
    encoded = {
        name: np.char.encode(values, "utf-8") if values.dtype.kind == "U" else values
        for name, values in columns.items()
    }
    fields = [(name, values.dtype, values.shape[1:]) for name, values in encoded.items()]
    rows = np.zeros(len(next(iter(encoded.values()))), np.dtype(fields))
    for name, values in encoded.items():
        rows[name] = values
    with Path(path).open("wb") as stream:
        np.save(stream, rows, allow_pickle=False)
