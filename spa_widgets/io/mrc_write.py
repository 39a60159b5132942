"""Writing MRC images, stacks and volumes (the only importer of mrcfile).

Cheng et al., J Struct Biol 192, 146 (2015).
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
from numpy.typing import ArrayLike, NDArray

from spa_widgets.errors import UserError

# takes the place of a label with the time of day, so that equal images are equal files
_LABEL = "Created by spa_widgets"


def write_mrc(path: str | Path, array: ArrayLike, pixel_size_A: float, is_stack: bool = False) -> None:
    """Write an image, stack (``is_stack``) or map as float32 (float16 arrays stay float16, mode 12).

    No extended header: it describes one recording and stays in that file, which steps name and bundles copy whole.
    """
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
        self._reserve(Path(path))
        self._handle.set_image_stack()
        self._handle.voxel_size = pixel_size_A
        self._handle.header.label[0] = _LABEL
        self._next = 0

    def _reserve(self, path: Path) -> None:
        """Take the disk's space now: writing into a mapped file on a full disk would end the process."""
        if not hasattr(os, "posix_fallocate"):
            return
        try:
            with path.open("rb+") as stream:
                os.posix_fallocate(stream.fileno(), 0, path.stat().st_size)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):  # else a file system that cannot reserve
                with suppress(OSError):
                    self._handle.close()
                raise

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
        header.dmin, header.dmax, header.dmean, header.rms = samples.min(), samples.max(), samples.mean(), samples.std()
        self._handle.close()

    def __enter__(self) -> MrcStackWriter:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
