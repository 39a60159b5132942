"""Pictures for a flat view: an array, or files that are read one picture at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape, read_mrc, read_mrc_slices
from spa_widgets.io.star import read_star
from spa_widgets.viewers import sources
from spa_widgets.viewers.micrographs import Micrographs

_OUTPUTS = ("micrographs", "classes", "particles", "volume")
_FILES = ("micrographs.star", "micrographs_ctf.star", "class_averages.mrcs", "particles.star", "particles.mrcs")
MICROGRAPH, CLASSES, PARTICLES, IMAGES = "micrograph", "classes", "particles", "images"
Picture = NDArray[np.float32]


class Stack:
    """A stack (n, h, w) that reads a picture when it is indexed: what napari needs of an array, and no more memory.

    Parameters
    ----------
    shape : tuple of int
        Number of pictures, height and width in px: the largest, where they are of several sizes.
    read : callable
        Gives the picture of a number, shape (h, w).
    own_shape : callable, optional
        Gives the (h, w) of the picture of a number, where it may be smaller: napari sees it with its mean around it.
    """

    dtype, ndim = np.dtype(np.float32), 3

    def __init__(
        self,
        shape: tuple[int, int, int],
        read: Callable[[int], Picture],
        own_shape: Callable[[int], tuple[int, int]] | None = None,
    ) -> None:
        self.shape, self._read, self._own_shape = shape, read, own_shape
        self.size = int(np.prod(shape))

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> Picture:
        first, *rest = key if isinstance(key, tuple) else (key,)
        if isinstance(first, slice):
            chosen = [self._picture(number) for number in range(*first.indices(len(self)))]
            return np.array(chosen, np.float32).reshape(-1, *self.shape[1:])[(slice(None), *rest)]
        return self._picture(int(first))[tuple(rest)]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)

    def own_shape(self, number: int) -> tuple[int, int]:
        """Give height and width of a picture as it is stored."""
        return self.shape[1:] if self._own_shape is None else self._own_shape(number)

    def own(self, number: int) -> Picture:
        """Give a picture as it is stored.

        Raises
        ------
        UserError
            When it is larger or smaller than was said.
        """
        picture = np.asarray(self._read(number), np.float32)
        if picture.shape != self.own_shape(number):
            raise UserError(
                f"picture {number} has the shape {picture.shape}, expected {self.own_shape(number)}: was the file "
                "replaced? Open it again."
            )
        return picture

    def _picture(self, number: int) -> Picture:
        try:
            picture = self.own(number)
        except UserError:  # napari asks of itself; the view says what is wrong when somebody looks there
            return np.full(self.shape[1:], np.nan, np.float32)
        missing = [(0, whole - side) for whole, side in zip(self.shape[1:], picture.shape, strict=True)]
        return np.pad(picture, missing, constant_values=picture.mean()) if picture.shape != self.shape[1:] else picture


@dataclass
class Pictures:
    """What is shown: ``data`` is (h, w), or (n, h, w) with a slider; ``names`` are those of micrographs."""

    data: Any
    kind: str
    pixel_size_A: float
    names: list[str] = field(default_factory=list)
    micrographs: Micrographs | None = None

    def size_A(self, number: int) -> float:
        """Give Å per pixel of a picture; 0 where it is not known."""
        return self.pixel_size_A if self.micrographs is None else self.micrographs.size_A(number)


def open_pictures(source: Any, pixel_size_A: float | None = None) -> Pictures:
    """Open a job, a STAR file of micrographs or particles, ``.mrc``, ``.mrcs``, names with a wildcard, or an array.

    Raises
    ------
    UserError
        When it holds no picture.
    """
    if hasattr(source, "ndim"):
        return _of_array(np.asarray(to_numpy(source), np.float32), pixel_size_A or 0.0)
    if _is_several(source):
        return _of_micrographs(Micrographs.open(source, pixel_size_A))
    path = sources.file_of(source, _OUTPUTS, _FILES)
    if path.suffix != ".star":
        return _of_file(path, pixel_size_A)
    tables = read_star(path)
    if "micrographs" in tables:
        return _of_micrographs(Micrographs.from_table(tables["micrographs"], tables.get("optics"), path, pixel_size_A))
    return _of_particles(path, pixel_size_A)


def _is_several(source: Any) -> bool:
    if isinstance(source, Micrographs | list | tuple):
        return True
    return isinstance(source, str | Path) and any(sign in str(source) for sign in "*?[") and not Path(source).exists()


def _of_array(data: Picture, pixel_size_A: float, kind: str = IMAGES) -> Pictures:
    if data.ndim not in (2, 3) or min(data.shape) < 1:
        raise UserError(f"the array has the shape {data.shape}; give a picture (h, w) or a stack (n, h, w)")
    return Pictures(data, MICROGRAPH if data.ndim == 2 else kind, pixel_size_A)


def _of_micrographs(found: Micrographs) -> Pictures:
    if found.count == 1:
        data: Any = found.binned(0, 1)
    else:
        height, width = _largest(found)
        data = Stack((found.count, height, width), lambda number: found.binned(number, 1), found.shape)
    return Pictures(data, MICROGRAPH, found.size_A(0), list(found.names), found)


def _largest(found: Micrographs) -> tuple[int, int]:
    """Give the height and width that hold every micrograph; one that cannot be read says so when it is shown."""
    sides = [found.shape(0)]
    for number in range(1, found.count):
        with suppress(UserError):
            sides.append(found.shape(number))
    return max(height for height, _ in sides), max(width for _, width in sides)


def _of_file(path: Path, pixel_size_A: float | None) -> Pictures:
    shape, size = mrc_shape(path), pixel_size_A or mrc_pixel_size_A(path)
    if len(shape) == 2:
        return _of_micrographs(Micrographs([path], size))
    kind = CLASSES if path.stem == "class_averages" else IMAGES
    if path.suffix != ".mrcs":  # a map: its slices
        return _of_array(read_mrc(path)[0], size, kind)
    count, height, width = shape
    return Pictures(Stack((count, height, width), lambda number: read_mrc_slices(path, [number])[0]), kind, size)


def _of_particles(path: Path, pixel_size_A: float | None) -> Pictures:
    particles = ParticleSet.read(path)
    if not particles.count:
        raise UserError(f"{path} holds no particle; give a set with particles")
    stack = particles.to_engine()
    data = Stack((stack.count, stack.box_px, stack.box_px), lambda number: stack.images([number])[0])
    return Pictures(data, PARTICLES, pixel_size_A or particles.pixel_size_A)
