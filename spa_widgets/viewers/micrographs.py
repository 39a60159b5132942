"""Micrographs for the screen: names, defocus and filtered, binned, encoded pictures with a small cache."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.display import bin_image, display_binning, micrograph_picture
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import resolve_image_path
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape, read_mrc
from spa_widgets.io.star import read_star
from spa_widgets.viewers import sources
from spa_widgets.viewers.encode import encode

PICTURE_SIGMA = 5.0  # the 8-bit picture spans ± 5 standard deviations; the view's contrast works inside
JPEG_QUALITY = 58  # a 3710 x 3838 micrograph binned 2 x at 10 Å stays below 0.7 MB
_CACHE_BYTES = 160_000_000  # binned micrographs kept, so that moving the low-pass reads no file


class Micrographs:
    """The micrographs of a job, a STAR file, a folder, or files with wildcards.

    Attributes
    ----------
    paths : list of Path
        The image files.
    names : list of str
        File names, by which picks are filed; unique.
    pixel_size_A : float
        Å per pixel.
    defocus_A : list of float
        Mean defocus in Å, NaN where unknown.
    """

    def __init__(self, paths: list[Path], pixel_size_A: float, defocus_A: list[float] | None = None) -> None:
        if not paths:
            raise UserError("there is no micrograph to show; import some first")
        self.paths = paths
        names = [path.name for path in paths]
        self.names = names if len(set(names)) == len(names) else [str(path) for path in paths]
        self.pixel_size_A = pixel_size_A
        self.defocus_A = defocus_A or [float("nan")] * len(paths)
        self._binned: OrderedDict[tuple[int, int], NDArray[np.float32]] = OrderedDict()

    @classmethod
    def open(cls, source: Any, pixel_size_A: float | None = None) -> Micrographs:
        """Open a job, micrographs.star, a folder with one, ``*.mrc``, or a list of files."""
        if isinstance(source, Micrographs):
            return source
        if sources.job_of(source) is None and not _is_star_or_folder(source):
            paths = sources.expand(source)
            return cls(paths, pixel_size_A or mrc_pixel_size_A(paths[0]))
        star = sources.file_of(source, ["micrographs"], ["micrographs.star", "micrographs_ctf.star"])
        tables = read_star(star)
        if "micrographs" not in tables:
            raise UserError(f"{star} holds {', '.join(tables)}; expected a table of micrographs")
        return cls.from_table(tables["micrographs"], tables.get("optics"), star, pixel_size_A)

    @classmethod
    def from_table(
        cls, table: pd.DataFrame, optics: pd.DataFrame | None, star: Path, pixel_size_A: float | None = None
    ) -> Micrographs:
        """Open the micrographs of a STAR table."""
        paths = [resolve_image_path(str(name), star) for name in table["rlnMicrographName"]]
        size = pixel_size_A
        for column in ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize"):
            if size is None and optics is not None and column in optics:
                size = float(optics[column].iloc[0])
        defocus = None
        if "rlnDefocusU" in table and "rlnDefocusV" in table:
            pair = table[["rlnDefocusU", "rlnDefocusV"]].astype(float)
            defocus = [float(value) for value in pair.mean(axis=1)]
        return cls(paths, size or mrc_pixel_size_A(paths[0]), defocus)

    @property
    def count(self) -> int:
        """Number of micrographs."""
        return len(self.paths)

    def index(self, name: str) -> int:
        """Give the place of a micrograph by file name, name without ending, or whole path.

        Raises
        ------
        UserError
            When no micrograph is called so, or several are.
        """
        wanted = {name, Path(name).name}
        for candidates in (self.names, [str(path) for path in self.paths], [path.stem for path in self.paths]):
            found = [i for i, candidate in enumerate(candidates) if candidate in wanted]
            if len(found) == 1:
                return found[0]
        raise UserError(f"no micrograph is called {name!r}; there are {self.names[0]} … {self.names[-1]}")

    def shape(self, index: int) -> tuple[int, int]:
        """Give (height, width) in pixels, from the header."""
        shape = mrc_shape(self.paths[index])
        return int(shape[-2]), int(shape[-1])

    def binned(self, index: int, longest_px: int = 2048) -> tuple[NDArray[np.float32], int]:
        """Give a binned micrograph and its binning; the last few are kept."""
        factor = display_binning(self.shape(index), longest_px)
        kept = self._binned.get((index, factor))
        if kept is None:
            image, _ = read_mrc(self.paths[index])
            kept = bin_image(image.reshape(-1, *image.shape[-2:])[0], factor)
            self._binned[(index, factor)] = kept
            while len(self._binned) > 1 and sum(image.nbytes for image in self._binned.values()) > _CACHE_BYTES:
                self._binned.popitem(last=False)
        self._binned.move_to_end((index, factor))
        return kept, factor

    def picture(
        self, index: int, low_pass_A: float, high_pass_A: float = 0.0, longest_px: int = 2048
    ) -> NDArray[np.uint8]:
        """Give a filtered uint8 picture that spans ± 5 standard deviations."""
        image, factor = self.binned(index, longest_px)
        return np.asarray(micrograph_picture(image, self.pixel_size_A * factor, low_pass_A, high_pass_A, PICTURE_SIGMA))

    def answer(self, index: int, low_pass_A: float, high_pass_A: float = 0.0) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a view's question for a micrograph: facts and a JPEG."""
        if not 0 <= index < self.count:
            raise UserError(f"there is no micrograph {index}; there are 0 to {self.count - 1}")
        height, width = self.shape(index)
        facts = {
            "index": index, "name": self.names[index], "width": width, "height": height, "mime": "image/jpeg",
            "pixel_size_A": self.pixel_size_A, "sigma": PICTURE_SIGMA,
        }  # fmt: skip
        return facts, [encode(self.picture(index, low_pass_A, high_pass_A), quality=JPEG_QUALITY)]

    def rows(self) -> list[dict[str, Any]]:
        """Give name and defocus of each micrograph for a list on the screen."""
        known = [None if value != value else round(value) for value in self.defocus_A]
        return [{"name": name, "defocus_A": defocus} for name, defocus in zip(self.names, known, strict=True)]


def _is_star_or_folder(source: Any) -> bool:
    if not isinstance(source, str | Path):
        return False
    path = Path(source).expanduser()
    return path.is_dir() or path.suffix == ".star"
