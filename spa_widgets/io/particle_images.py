"""Images of a particle set, read from their stacks when asked for, and kept on this process's GPU between jobs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.fourier.regrid import regrid
from engine.residency import DeviceStacks
from spa_widgets.errors import UserError
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc import finite, mrc_shape, read_mrc_slices

_NUMBER_IN_STACK = re.compile("0*[1-9][0-9]{0,11}")
# of two pixel sizes this near the outermost pixels of a box differ by hundredths of a pixel
_SAME_SIZE = 1e-4

STACKS = DeviceStacks()
"""A worker has one device; the pool takes memory when the first job on a GPU asks for images."""


@dataclass(frozen=True)
class ImageGrid:
    """Boxes and pixel sizes of images, and the one grid that all are brought to when they are read.

    Its pixel size is the coarsest of all, so that nothing is made up; its box holds the widest field of view.

    Attributes
    ----------
    own_px : (count,)
        Side of each stored image.
    own_A : (count,)
        Its Å per px.
    box_px : int
    pixel_size_A : float
    """

    own_px: NDArray[np.intp]
    own_A: NDArray[np.float64]
    box_px: int
    pixel_size_A: float

    @classmethod
    def of(cls, own_px: NDArray[np.intp], own_A: NDArray[np.float64]) -> ImageGrid:
        """Choose the grid for stored images."""
        pixel_size_A = float(own_A.max())
        if np.ptp(own_px) == 0 and np.ptp(own_A) <= _SAME_SIZE * pixel_size_A:
            return cls(own_px, np.full(len(own_A), pixel_size_A), int(own_px[0]), pixel_size_A)
        widest = float((own_px * own_A).max()) / pixel_size_A
        return cls(own_px, own_A, 2 * int(np.ceil(widest / 2 - _SAME_SIZE * widest)), pixel_size_A)

    @property
    def sizes(self) -> list[tuple[int, float]]:
        """Box and pixel size of the stored images, each once."""
        return sorted({(int(px), float(size_A)) for px, size_A in zip(self.own_px, self.own_A, strict=True)})


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
    grid : ImageGrid
    """

    files: list[Path]
    file_index: NDArray[np.intp]
    number_in_stack: NDArray[np.intp]
    sign: NDArray[np.float32]
    grid: ImageGrid

    def load(self, indices: NDArray[np.intp]) -> NDArray[np.float32]:
        """Read images (m, n, n), those of another grid brought to the common one."""
        wanted, grid = np.asarray(indices), self.grid
        images = np.empty((len(wanted), grid.box_px, grid.box_px), np.float32)
        chosen = self.file_index[wanted]
        for index in np.unique(chosen):
            rows = np.flatnonzero(chosen == index)
            read = finite(read_mrc_slices(self.files[index], self.number_in_stack[wanted[rows]]), self.files[index])
            sizes_A = grid.own_A[wanted[rows]]
            for size_A in np.unique(sizes_A):
                mine = sizes_A == size_A
                same = size_A == grid.pixel_size_A and read.shape[-1] == grid.box_px
                part = read[mine]
                images[rows[mine]] = part if same else regrid(part, float(size_A), grid.box_px, grid.pixel_size_A)
        sign = self.sign[wanted]
        return images if (sign == 1).all() else images * sign[:, None, None]

    def numbers(self) -> NDArray[np.int64]:
        """Return what stands for each image on the device: its place in a file as it is now, its sign and grid."""
        numbers = np.zeros(len(self.file_index), np.int64)
        variants = np.stack([self.sign.astype(np.float64), self.grid.own_A], axis=1)
        common = (self.grid.box_px, self.grid.pixel_size_A)
        for index, file in enumerate(self.files):
            state = file.stat()
            mine = self.file_index == index
            for sign, size_A in np.unique(variants[mine], axis=0):
                rows = np.flatnonzero(mine & (self.sign == sign) & (self.grid.own_A == size_A))
                same = (int(self.grid.own_px[rows[0]]), size_A) == common
                grid = () if same else (size_A, *common)
                stack = (str(file.resolve()), state.st_size, state.st_mtime_ns, float(sign), grid)
                numbers[rows] = STACKS.numbers(stack, self.number_in_stack[rows])
        return numbers


def stack_locations(names: Iterable[object], path: Path) -> tuple[NDArray[np.intp], list[Path]]:
    """Return the number in its stack (from 0) and the stack of each particle's ``rlnImageName``.

    Raises
    ------
    UserError
        When a name is none, or its stack is not there.
    """
    parts = [str(name).rpartition("@") for name in names]
    for row, (number, at, name) in enumerate(parts, 1):
        if not name or (at and not _NUMBER_IN_STACK.fullmatch(number)):
            raise UserError(
                f"{path}: row {row} of rlnImageName is {number + at + name!r}; expected a number from 1 "
                "on and a stack, such as 000001@particles.mrcs: mend or leave out the row."
            )
    numbers_in_stack = np.array([int(number) - 1 if number else 0 for number, _, _ in parts], np.intp)
    found = {name: resolve_image_path(name, path) for name in {name for _, _, name in parts}}
    return numbers_in_stack, [found[name] for _, _, name in parts]


def boxes_px(
    stacks: Sequence[Path], file_index: NDArray[np.intp], groups: NDArray[np.intp], path: Path
) -> NDArray[np.intp]:
    """Return the side of the square images of each stack.

    Raises
    ------
    UserError
        When images are not square, or those of one optics group have several sides.
    """
    shapes = [mrc_shape(stack)[-2:] for stack in stacks]
    for stack, (height, width) in zip(stacks, shapes, strict=True):
        if height != width:
            raise UserError(f"{stack} has images of {width} × {height} px; expected square ones: extract them anew.")
    first: dict[int, int] = {}
    for group, index in np.unique(np.stack([groups, file_index], axis=1), axis=0).tolist():
        other = first.setdefault(group, index)
        if shapes[other] != shapes[index]:
            raise UserError(
                f"{path} mixes boxes: {stacks[index]} has {shapes[index][0]} px, {stacks[other]} has "
                f"{shapes[other][0]} px; expected one in an optics group: give each box a group of its own."
            )
    return np.array([width for _, width in shapes], np.intp)
