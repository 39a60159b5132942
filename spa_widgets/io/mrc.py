"""MRC images, stacks and volumes (the only importer of mrcfile).

Cheng et al., J Struct Biol 192, 146 (2015).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

import mrcfile
import numpy as np
from mrcfile.mrcinterpreter import MrcInterpreter
from numpy.typing import ArrayLike, NDArray

from spa_widgets.errors import UserError

# takes the place of a label with the time of day, so that equal images are equal files
_LABEL = "Created by spa_widgets"


def _open(path: str | Path, memory_map: bool = False) -> MrcInterpreter:
    """Open an MRC file for reading; foreseeable faults become one sentence."""
    file = Path(path)
    if not file.exists():
        raise UserError(f"{file} does not exist; expected an MRC file there: check the path.")
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected an MRC file: name the file itself.")
    if file.stat().st_size < 1024:
        raise UserError(
            f"{file} has {file.stat().st_size} bytes; an MRC file has a header of 1024: it is empty or cut short."
        )
    packed = file.suffix in (".gz", ".bz2")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            if memory_map and not packed:
                return mrcfile.mmap(file, mode="r", permissive=False)
            return mrcfile.open(file, mode="r", permissive=False)
    except PermissionError as error:
        raise UserError(f"{file} may not be read: ask its owner for read permission.") from error
    except (ValueError, OSError, EOFError) as error:
        raise UserError(f"{file} is not a readable MRC file ({error}): copy or export it again.") from error


def _pixel_size_A(handle: MrcInterpreter) -> float:
    """Return Å per px from the header; 0 where the header does not say."""
    return float(handle.voxel_size.x)


def read_mrc(path: str | Path) -> tuple[NDArray[Any], float]:
    """Read a whole MRC file.

    Parameters
    ----------
    path : str or Path
        An image, stack or map (``.mrc``, ``.mrcs``, ``.map``, also gzipped).

    Returns
    -------
    (array, float)
        Array ``(h, w)`` or ``(d, h, w)``, float32 for real modes, axes in z, y, x order whatever the file's own order;
        pixel size in Å (0 when the header has none).

    Raises
    ------
    UserError
        When the file is missing, cut short or not MRC.
    """
    with _open(path) as handle:
        data = _standard_axes(handle)
        pixel_size_A = _pixel_size_A(handle)
    if data.dtype == np.complex64:
        raise UserError(f"{path} holds Fourier coefficients (mode 4); expected an image or map in real space.")
    return np.ascontiguousarray(data, np.float32), pixel_size_A


def _standard_axes(handle: MrcInterpreter) -> NDArray[Any]:
    """Return the data with columns = x, rows = y, sections = z (maps of the databank may be ordered otherwise)."""
    data = np.asarray(handle.data)
    order = [int(handle.header.mapc), int(handle.header.mapr), int(handle.header.maps)]
    if data.ndim != 3 or sorted(order) != [1, 2, 3] or order == [1, 2, 3]:
        return data
    fast_to_slow = [order.index(axis) for axis in (3, 2, 1)]
    return np.transpose(data, [2 - position for position in fast_to_slow])


def read_mrc_slices(path: str | Path, indices: ArrayLike) -> NDArray[np.float32]:
    """Read some images ``(m, h, w)`` of a stack without reading the rest.

    Raises
    ------
    UserError
        When the file is unreadable or has no such image.
    """
    wanted = np.asarray(indices, np.intp)
    with _open(path, memory_map=True) as handle:
        data = handle.data
        stack = data[None] if data.ndim == 2 else data
        if wanted.size and (wanted.min() < 0 or wanted.max() >= len(stack)):
            raise UserError(
                f"{path} has {len(stack)} images, but image {int(wanted.max()) + 1} is asked for: "
                "the STAR file belongs to another stack."
            )
        return np.asarray(stack[wanted], np.float32)


def mrc_shape(path: str | Path) -> tuple[int, ...]:
    """Return the shape of the data of an MRC file from its header: ``(h, w)`` or ``(d, h, w)``."""
    with _open(path, memory_map=True) as handle:
        return tuple(int(n) for n in handle.data.shape)


def mrc_pixel_size_A(path: str | Path) -> float:
    """Return Å per px from the header of an MRC file (0 when it has none)."""
    with _open(path, memory_map=True) as handle:
        return _pixel_size_A(handle)


def write_mrc(path: str | Path, array: ArrayLike, pixel_size_A: float, is_stack: bool = False) -> None:
    """Write an image, stack (``is_stack``) or map as float32 (float16 arrays stay float16, mode 12)."""
    data = np.asarray(array)
    if data.dtype not in (np.float16, np.int8, np.int16, np.uint16):
        data = data.astype(np.float32)
    with mrcfile.new(path, overwrite=True) as handle:
        handle.set_data(data)
        if is_stack:
            handle.set_image_stack()
        handle.voxel_size = pixel_size_A
        handle.header.label[0] = _LABEL


class MrcStackWriter:
    """Write a stack of images batch by batch, never holding it in memory.

    Parameters
    ----------
    path : str or Path
        The ``.mrcs`` file to make.
    count : int
        Number of images that will be written.
    box_px : int
        Their side.
    pixel_size_A : float
        Å per px.
    dtype : type
        ``np.float32`` or ``np.float16``.
    """

    def __init__(self, path: str | Path, count: int, box_px: int, pixel_size_A: float, dtype: Any = np.float32) -> None:
        if count < 1:
            raise UserError(f"{path}: there are no images to write; a stack needs at least one.")
        mode = {np.dtype(np.float32): 2, np.dtype(np.float16): 12}[np.dtype(dtype)]
        self._handle = mrcfile.new_mmap(path, shape=(count, box_px, box_px), mrc_mode=mode, overwrite=True)
        self._handle.set_image_stack()
        self._handle.voxel_size = pixel_size_A
        self._handle.header.label[0] = _LABEL
        self._next = 0

    def append(self, images: NDArray[np.floating]) -> None:
        """Write the next images ``(m, n, n)``."""
        end = self._next + len(images)
        self._handle.data[self._next : end] = images
        self._next = end

    def close(self) -> None:
        """Finish the header and close the file."""
        data = self._handle.data
        samples = data[:: max(1, len(data) // 200)].astype(np.float32)
        header = self._handle.header
        header.dmin, header.dmax, header.dmean = samples.min(), samples.max(), samples.mean()
        header.rms = samples.std()
        self._handle.close()

    def __enter__(self) -> MrcStackWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
