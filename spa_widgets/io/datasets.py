"""Micrographs and particles as the steps use them: a STAR table with its images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.optics import Defocus, Optics
from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import mrc_shape, read_mrc, read_mrc_slices
from spa_widgets.io.star import Tables, need_columns, read_star, write_star

_DEFOCUS = ("rlnDefocusU", "rlnDefocusV", "rlnDefocusAngle")


def resolve_image_path(name: str, star_path: str | Path) -> Path:
    """Find the image file that a STAR file names.

    An absolute name is taken as it is; a relative one is looked for beside the STAR file, in the folders above it (a
    RELION project's names are relative to the project) and in the working folder.

    Raises
    ------
    UserError
        When there is no such file.
    """
    wanted = Path(name)
    star = Path(star_path).resolve()
    places = [wanted] if wanted.is_absolute() else [p / wanted for p in (*star.parents, Path.cwd())]
    for place in places:
        if place.exists():
            return place
    beside = star.parent / wanted.name
    if beside.exists():
        return beside
    raise UserError(f"{star_path} names the image file {name}, which is not there: move it back or import it again.")


def _optics_of(tables: Tables, rows: pd.DataFrame, path: str | Path) -> Optics:
    """Return voltage, Cs and amplitude contrast for each row."""
    table = tables.get("optics")
    if table is None:
        raise UserError(f"{path} has no optics table; expected voltage, Cs and amplitude contrast: import it anew.")
    need_columns(table, ("rlnVoltage", "rlnSphericalAberration", "rlnAmplitudeContrast"), path)
    per_row = _per_row(table, rows)
    return Optics(
        voltage_kv=per_row["rlnVoltage"].to_numpy(np.float64),
        cs_mm=per_row["rlnSphericalAberration"].to_numpy(np.float64),
        amplitude_contrast=per_row["rlnAmplitudeContrast"].to_numpy(np.float64),
    )


def _per_row(optics: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    if "rlnOpticsGroup" not in rows or "rlnOpticsGroup" not in optics:
        return optics.iloc[np.zeros(len(rows), int)]
    return optics.set_index("rlnOpticsGroup").loc[rows["rlnOpticsGroup"].to_numpy()]


def _pixel_size_A(tables: Tables, names: Iterable[str], path: str | Path) -> float:
    optics = tables.get("optics", pd.DataFrame())
    for name in names:
        if name in optics:
            sizes = np.unique(optics[name].to_numpy(np.float64).round(6))
            if len(sizes) > 1:
                raise UserError(
                    f"{path} mixes pixel sizes {', '.join(f'{s:g}' for s in sizes)} Å; expected one: "
                    "split it by optics group, or rescale the images to one pixel size."
                )
            return float(sizes[0])
    raise UserError(f"{path} does not state the pixel size; expected {next(iter(names))} in its optics table.")


def _defocus_of(rows: pd.DataFrame, path: str | Path) -> Defocus:
    need_columns(rows, _DEFOCUS, path)
    phase = rows["rlnPhaseShift"].to_numpy(np.float64) if "rlnPhaseShift" in rows else np.zeros(len(rows))
    u_A, v_A, angle_deg = (rows[name].to_numpy(np.float64) for name in _DEFOCUS)
    return Defocus(u_A, v_A, angle_deg, phase)


@dataclass(frozen=True)
class MicrographSet:
    """The micrographs of a STAR file.

    Attributes
    ----------
    table, optics_table : DataFrame
        The rows and the optics groups.
    path : Path
        The STAR file.
    """

    table: pd.DataFrame
    optics_table: pd.DataFrame
    path: Path

    @classmethod
    def read(cls, star_path: str | Path) -> MicrographSet:
        """Read a ``micrographs.star``.

        Raises
        ------
        UserError
            When it has no micrographs table.
        """
        tables = read_star(star_path)
        if "micrographs" not in tables or "optics" not in tables:
            raise UserError(
                f"{star_path} holds {', '.join(tables)}; expected micrographs and optics: import the micrographs."
            )
        need_columns(tables["micrographs"], ("rlnMicrographName",), star_path)
        return cls(tables["micrographs"], tables["optics"], Path(star_path))

    @property
    def count(self) -> int:
        """Number of micrographs."""
        return len(self.table)

    @property
    def pixel_size_A(self) -> float:
        """Å per px, the same for all."""
        names = ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
        return _pixel_size_A({"optics": self.optics_table}, names, self.path)

    @property
    def optics(self) -> Optics:
        """Optics, arrays of shape ``(count,)``."""
        return _optics_of({"optics": self.optics_table}, self.table, self.path)

    @property
    def defocus(self) -> Defocus:
        """Defocus at the centre of each micrograph, arrays of shape ``(count,)``."""
        return _defocus_of(self.table, self.path)

    @property
    def defocus_surfaces_A(self) -> NDArray[np.float64]:
        """Coefficients ``(count, 6)`` in Å of the local defocus (zero where none was fitted)."""
        names = [f"spaDefocusSurface{i}" for i in range(6)]
        if names[0] not in self.table:
            return np.zeros((self.count, 6))
        return self.table[names].to_numpy(np.float64)

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
            When it is unreadable or not a single image.
        """
        image, _ = read_mrc(self.image_path(index))
        if image.ndim == 3 and image.shape[0] == 1:
            image = image[0]
        if image.ndim != 2:
            raise UserError(
                f"{self.image_path(index)} has {image.shape[0]} frames; expected one averaged micrograph: "
                "correct the movie for motion first."
            )
        return image

    def write(self, star_path: str | Path) -> None:
        """Write the tables to a STAR file."""
        write_star(star_path, {"optics": self.optics_table, "micrographs": self.table})

    def with_table(self, table: pd.DataFrame) -> MicrographSet:
        """Return the same set with another table of rows."""
        return replace(self, table=table.reset_index(drop=True))


@dataclass(frozen=True)
class ParticleSet:
    """The particles of a STAR file with their images.

    Attributes
    ----------
    table, optics_table : DataFrame
        The rows and the optics groups.
    path : Path
        The STAR file.
    """

    table: pd.DataFrame
    optics_table: pd.DataFrame
    path: Path

    @classmethod
    def read(cls, star_path: str | Path) -> ParticleSet:
        """Read a ``particles.star``.

        Raises
        ------
        UserError
            When it has no particles or no images.
        """
        tables = read_star(star_path)
        if "particles" not in tables or "optics" not in tables:
            raise UserError(f"{star_path} holds {', '.join(tables)}; expected tables of particles and optics.")
        need_columns(tables["particles"], ("rlnImageName",), star_path)
        if not len(tables["particles"]):
            raise UserError(f"{star_path} holds no particle; expected at least one: choose more classes or picks.")
        return cls(tables["particles"], tables["optics"], Path(star_path))

    @property
    def count(self) -> int:
        """Number of particles."""
        return len(self.table)

    @property
    def pixel_size_A(self) -> float:
        """Å per px of the images."""
        return _pixel_size_A({"optics": self.optics_table}, ("rlnImagePixelSize", "rlnPixelSize"), self.path)

    @property
    def half_sets(self) -> NDArray[np.int64]:
        """Half set 1 or 2 of each particle.

        Raises
        ------
        UserError
            When the STAR file has none.
        """
        need_columns(self.table, ("rlnRandomSubset",), self.path)
        return self.table["rlnRandomSubset"].to_numpy(np.int64)

    def poses(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return angles ``(count, 3)`` rot, tilt, psi in degrees and centring shifts ``(count, 2)`` x, y in Å."""
        angles = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
        need_columns(self.table, (*angles, "rlnOriginXAngst", "rlnOriginYAngst"), self.path)
        return (
            self.table[list(angles)].to_numpy(np.float64),
            self.table[["rlnOriginXAngst", "rlnOriginYAngst"]].to_numpy(np.float64),
        )

    def with_poses(self, angles_deg: NDArray[Any], shifts_A: NDArray[Any]) -> ParticleSet:
        """Return the set with these poses in its table (`poses`' shapes)."""
        table = self.table.copy()
        for i, name in enumerate(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")):
            table[name] = angles_deg[:, i]
        for i, name in enumerate(("rlnOriginXAngst", "rlnOriginYAngst")):
            table[name] = shifts_A[:, i]
        return replace(self, table=table)

    def with_absolute_names(self) -> ParticleSet:
        """Return the set naming its image files by absolute paths, so that its table can be written elsewhere."""
        parts = [str(name).rpartition("@") for name in self.table["rlnImageName"]]
        found = {
            name: name if Path(name).is_absolute() else str(resolve_image_path(name, self.path).absolute())
            for name in {name for _, _, name in parts}
        }
        table = self.table.copy()
        table["rlnImageName"] = [f"{number}{at}{found[name]}" for number, at, name in parts]
        return replace(self, table=table)

    def take(self, indices: NDArray[Any]) -> ParticleSet:
        """Return some of the particles."""
        return replace(self, table=self.table.iloc[np.asarray(indices)].reset_index(drop=True))

    def to_engine(self) -> Particles:
        """Return the particles for the engine; images are read from their stacks when asked for."""
        numbers, files = self._locations()
        shape = mrc_shape(files[0])

        def load(indices: NDArray[np.intp]) -> NDArray[np.float32]:
            wanted = np.asarray(indices)
            images = np.empty((len(wanted), shape[-2], shape[-1]), np.float32)
            chosen = np.array([files_index[i] for i in wanted], np.intp)
            for file_index in np.unique(chosen):
                rows = np.flatnonzero(chosen == file_index)
                images[rows] = read_mrc_slices(distinct[file_index], numbers[wanted[rows]])
            return images

        distinct = sorted(set(files))
        order = {file: i for i, file in enumerate(distinct)}
        files_index = np.array([order[file] for file in files], np.intp)
        return Particles(
            load=load,
            count=self.count,
            box_px=int(shape[-1]),
            pixel_size_A=self.pixel_size_A,
            defocus=_defocus_of(self.table, self.path),
            optics=_optics_of({"optics": self.optics_table}, self.table, self.path),
        )

    def _locations(self) -> tuple[NDArray[np.intp], list[Path]]:
        """Return the number in its stack (from 0) and the stack of each particle."""
        parts = [str(name).rpartition("@") for name in self.table["rlnImageName"]]
        numbers = np.array([int(number) - 1 if number else 0 for number, _, _ in parts], np.intp)
        found = {name: resolve_image_path(name, self.path) for name in {name for _, _, name in parts}}
        return numbers, [found[name] for _, _, name in parts]

    def write(self, star_path: str | Path) -> None:
        """Write the tables to a STAR file."""
        write_star(star_path, {"optics": self.optics_table, "particles": self.table})
