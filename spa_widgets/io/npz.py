"""Arrays by name in one file (``.npz``), as results keep them; never with pickled objects."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError

_LARGEST_BYTES = 64 << 30
# deflate makes data at most 1032 times smaller
_LARGEST_RATIO = 1100


def read_npz(path: str | Path, names: Sequence[str] = ()) -> dict[str, NDArray[Any]]:
    """Read all arrays of a file.

    Parameters
    ----------
    path : str or Path
    names : sequence of str
        Arrays that must be there.

    Raises
    ------
    UserError
        When the file is missing, damaged or of another kind, or lacks an array.
    """
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{file} does not exist; expected arrays (.npz) there: run the step again.")
    try:
        with zipfile.ZipFile(file) as packed:
            _check_size(packed, file)
        with np.load(file, allow_pickle=False) as stored:
            arrays = {name: stored[name] for name in stored.files}
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{file} cannot be read ({error.strerror}): ask for permission, or copy it again.") from error
    except Exception as error:  # the header of an array is a Python expression: anything may be wrong with it
        raise _damaged(file) from error
    missing = [name for name in names if name not in arrays]
    if missing:
        raise UserError(f"{file} has no array {missing[0]}; it is of another kind: run the step again.")
    return arrays


def _damaged(file: Path) -> UserError:
    return UserError(f"{file} is damaged; expected arrays (.npz): delete it and run the step again.")


def _check_size(packed: zipfile.ZipFile, file: Path) -> None:
    """Refuse a file that claims more content than its bytes can hold: memory is asked for by its word."""
    size = file.stat().st_size
    for member in packed.infolist():
        if member.file_size > min(_LARGEST_BYTES, _LARGEST_RATIO * size):
            raise _damaged(file)
