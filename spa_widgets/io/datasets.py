"""Micrographs and particles as the steps use them: a STAR table with its images."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.io.columns import group_index, numbers
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.image_table import ImageTable
from spa_widgets.io.mrc import finite, mrc_shape, read_mrc
from spa_widgets.io.particle_images import STACKS, ImageGrid, StackImages, boxes_px, stack_locations
from spa_widgets.io.star import need_columns

IMAGE_SIGN = "spaImageSign"
"""Column: -1 where the protein is black in the stored image; the image is inverted when it is read."""
_ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
_ORIGINS = ("rlnOriginXAngst", "rlnOriginYAngst")


@dataclass(frozen=True)
class MicrographSet(ImageTable):
    """The micrographs of a STAR file; its attributes are those of `ImageTable`."""

    _KIND, _IMAGE = "micrographs", "rlnMicrographName"
    _PIXEL_SIZES = ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
    _WITHOUT = "expected micrographs and optics: import the micrographs."
    _EMPTY = "no micrograph; expected at least one: import the micrographs again."

    @property
    def defocus_surfaces_A(self) -> NDArray[np.float64]:
        """Coefficients ``(count, 6)`` in Å of the local defocus (zero where none was fitted)."""
        names = [f"spaDefocusSurface{i}" for i in range(6)]
        if names[0] not in self.table:
            return np.zeros((self.count, 6))
        return np.stack([numbers(self.table, name, self.path) for name in names], axis=1)

    def name(self, index: int) -> str:
        """Return the name of a micrograph as the STAR file has it."""
        return str(self.table["rlnMicrographName"].iloc[index])

    def image_path(self, index: int) -> Path:
        """Return the file of a micrograph."""
        return resolve_image_path(self.name(index), self.path)

    def shape(self, index: int) -> tuple[int, int]:
        """Return ``(h, w)`` of a micrograph from its header."""
        shape = mrc_shape(self.image_path(index))
        return shape[-2], shape[-1]

    def load(self, index: int) -> NDArray[np.float32]:
        """Read a micrograph ``(h, w)`` as float32.

        Raises
        ------
        UserError
            When it is unreadable, not a single image, constant, or holds what is no number.
        """
        image, _ = read_mrc(self.image_path(index))
        if image.ndim == 3 and image.shape[0] == 1:
            image = image[0]
        if image.ndim != 2:
            raise UserError(
                f"{self.image_path(index)} has {image.shape[0]} frames; expected one averaged micrograph: "
                "correct the movie for motion first."
            )
        if image.min() == image.max():
            raise UserError(f"{self.image_path(index)} is constant; expected an image: leave this micrograph out.")
        return finite(image, self.image_path(index))


@dataclass(frozen=True)
class ParticleSet(ImageTable):
    """The particles of a STAR file with their images; its attributes are those of `ImageTable`."""

    _KIND, _IMAGE = "particles", "rlnImageName"
    _PIXEL_SIZES = ("rlnImagePixelSize", "rlnPixelSize")
    _WITHOUT = "expected tables of particles and optics: extract the particles, or export them again."
    _EMPTY = "no particle; expected at least one: choose more classes or picks."

    @property
    def pixel_size_A(self) -> float:
        """Å per px that images are brought to when they are read: the coarsest of those stored."""
        return float(self.pixel_sizes_A.max()) if self.count else super().pixel_size_A

    def grid(self) -> ImageGrid:
        """Return boxes and pixel sizes of the stored images, and what they are brought to when they are read.

        Raises
        ------
        UserError
            When a stack is missing, not square, or of another box than the rest of its optics group.
        """
        return self._stacks()[2]

    @property
    def half_sets(self) -> NDArray[np.int64]:
        """Half set 1 or 2 of each particle.

        Raises
        ------
        UserError
            When the STAR file has none, or others than 1 and 2.
        """
        halves = numbers(self.table, "rlnRandomSubset", self.path)
        others = np.setdiff1d(halves, (1, 2))
        if others.size:
            raise UserError(
                f"{self.path} has particles of the half set {others[0]:g} (rlnRandomSubset); expected 1 and 2: "
                "remove the column, and half sets are drawn anew."
            )
        return halves.astype(np.int64)

    def poses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return angles ``(count, 3)`` rot, tilt, psi in degrees and centring shifts ``(count, 2)`` x, y in Å."""
        need_columns(self.table, (*_ANGLES, *_ORIGINS), self.path)
        angles_deg = np.stack([numbers(self.table, name, self.path) for name in _ANGLES], axis=1)
        return angles_deg, np.stack([numbers(self.table, name, self.path) for name in _ORIGINS], axis=1)

    def with_poses(self, angles_deg: NDArray[Any], shifts_A: NDArray[Any]) -> ParticleSet:
        """Return the set with these poses in its table (`poses`' shapes)."""
        table = self.table.copy()
        for i, name in enumerate(_ANGLES):
            table[name] = angles_deg[:, i]
        for i, name in enumerate(_ORIGINS):
            table[name] = shifts_A[:, i]
        return replace(self, table=table)

    def take(self, indices: NDArray[Any]) -> ParticleSet:
        """Return some of the particles."""
        return replace(self, table=self.table.iloc[np.asarray(indices)].reset_index(drop=True))

    def to_engine(self) -> Particles:
        """Return the particles for the engine; images are read from their stacks when asked for.

        Images of several boxes or pixel sizes are brought to one grid as they are read.

        Raises
        ------
        UserError
            As `grid`, or when a column is not what it should be.
        """
        files, (file_index, numbers_in_stack), grid = self._stacks()
        ones = np.ones(self.count, np.float32)
        sign = numbers(self.table, IMAGE_SIGN, self.path).astype(np.float32) if IMAGE_SIGN in self.table else ones
        images = StackImages(files, file_index, numbers_in_stack, sign, grid)
        return Particles(
            load=images.load,
            count=self.count,
            box_px=grid.box_px,
            pixel_size_A=grid.pixel_size_A,
            defocus=self.defocus,
            optics=self.optics,
            resident=STACKS,
            numbers=images.numbers(),
        )

    def _stacks(self) -> tuple[list[Path], tuple[NDArray[np.intp], NDArray[np.intp]], ImageGrid]:
        """Return the stacks, the stack and the place there of each image, and the grid."""
        numbers_in_stack, files = stack_locations(self.table["rlnImageName"], self.path)
        distinct = sorted(set(files))
        order = {file: i for i, file in enumerate(distinct)}
        file_index = np.array([order[file] for file in files], np.intp)
        groups = group_index(self.optics_table, self.table, self.path)
        own_px = boxes_px(distinct, file_index, groups, self.path)[file_index]
        return distinct, (file_index, numbers_in_stack), ImageGrid.of(own_px, self.pixel_sizes_A)
