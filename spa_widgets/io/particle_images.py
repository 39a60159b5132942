"""Images of a particle set, read from their stacks when asked for, and kept on this process's GPU between jobs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.residency import DeviceStacks
from spa_widgets.io.mrc import finite, read_mrc_slices

STACKS = DeviceStacks()
"""A worker has one device; the pool takes memory when the first job on a GPU asks for images."""


@dataclass(frozen=True)
class StackImages:
    """Where the images of a particle set lie.

    Attributes
    ----------
    files : list of Path
        Stacks.
    file_index, number_in_stack : (count,)
        Stack of each image, and its place there from 0.
    sign : (count,) float32
        Factor on each image.
    box_px : int
    """

    files: list[Path]
    file_index: NDArray[np.intp]
    number_in_stack: NDArray[np.intp]
    sign: NDArray[np.float32]
    box_px: int

    def load(self, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        """Read images (m, n, n)."""
        wanted = np.asarray(indices)
        images = np.empty((len(wanted), self.box_px, self.box_px), np.float32)
        chosen = self.file_index[wanted]
        for index in np.unique(chosen):
            rows = np.flatnonzero(chosen == index)
            read = read_mrc_slices(self.files[index], self.number_in_stack[wanted[rows]])
            images[rows] = finite(read, self.files[index])
        sign = self.sign[wanted]
        return images if (sign == 1).all() else images * sign[:, None, None]

    def numbers(self) -> NDArray[np.int64]:
        """Return what stands for each image on the device: its place in a file as it is now, and its sign."""
        numbers = np.zeros(len(self.file_index), np.int64)
        for index, file in enumerate(self.files):
            state = file.stat()
            mine = self.file_index == index
            for sign in np.unique(self.sign[mine]):
                rows = np.flatnonzero(mine & (self.sign == sign))
                stack = (str(file.resolve()), state.st_size, state.st_mtime_ns, float(sign))
                numbers[rows] = STACKS.numbers(stack, self.number_in_stack[rows])
        return numbers
