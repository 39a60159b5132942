"""Micrographs for the screen: names, defocus and filtered, binned, encoded pictures with a small cache."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.display import bin_image, contrast_by_sigma, display_binning, micrograph_picture
from engine.micrograph_view import denoised, picture_binning
from spa_widgets.errors import UserError
from spa_widgets.io.columns import row_values
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape, read_mrc
from spa_widgets.io.star import read_star
from spa_widgets.viewers import sources
from spa_widgets.viewers.encode import encode

PICTURE_SIGMA = 5.0  # the 8-bit picture spans ± 5 standard deviations; the view's contrast works inside
JPEG_QUALITIES = (58, 40, 25)  # the first one that keeps a picture small
MOST_BYTES = 700_000
THUMBNAIL_PX = 128
DENOISED_PIXEL_A = 5.0  # denoising looks at pixels of about this size
DENOISED_SPAN = 3.0  # times as wide a range: ice is flat then, and particles stick out of it
_PIXEL_SIZES = ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize")
_CACHE_BYTES = 160_000_000  # binned micrographs kept, so that moving the low-pass reads no file


class Micrographs:
    """The micrographs of a job, a STAR file, a folder, or files with wildcards.

    Attributes
    ----------
    paths : list of Path
        The image files.
    names : list of str
        File names, by which picks are filed; unique.
    defocus_A : list of float
        Mean defocus in Å, NaN where unknown.
    """

    def __init__(
        self,
        paths: list[Path],
        pixel_size_A: float | NDArray[np.float64] | None = None,
        defocus_A: list[float] | None = None,
    ) -> None:
        if not paths:
            raise UserError("there is no micrograph to show; import some first")
        self.paths = paths
        names = [path.name for path in paths]
        self.names = names if len(set(names)) == len(names) else [str(path) for path in paths]
        self._sizes_A = None if pixel_size_A is None else np.broadcast_to(pixel_size_A, len(paths))
        self.defocus_A = defocus_A or [float("nan")] * len(paths)
        self._binned: OrderedDict[tuple[int, int], NDArray[np.float32]] = OrderedDict()
        self._thumbnails: dict[int, bytes] = {}

    @classmethod
    def open(cls, source: Any, pixel_size_A: float | None = None) -> Micrographs:
        """Open a job, micrographs.star, a folder with one, ``*.mrc``, or a list of files."""
        if isinstance(source, Micrographs):
            return source
        if sources.job_of(source) is None and not _is_star_or_folder(source):
            paths = sources.expand(source)
            return cls(paths, pixel_size_A)
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
        sizes: float | NDArray[np.float64] | None = pixel_size_A
        if sizes is None and optics is not None and any(name in optics for name in _PIXEL_SIZES):
            sizes = row_values(optics, table, _PIXEL_SIZES, star, "pixel size", "Å")
        defocus = None
        if "rlnDefocusU" in table and "rlnDefocusV" in table:
            pair = table[["rlnDefocusU", "rlnDefocusV"]].astype(float)
            defocus = [float(value) for value in pair.mean(axis=1)]
        return cls(paths, sizes, defocus)

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

    def size_A(self, index: int) -> float:
        """Give Å per pixel of a micrograph: as its table says, else from its header."""
        return mrc_pixel_size_A(self.paths[index]) if self._sizes_A is None else float(self._sizes_A[index])

    def shape(self, index: int) -> tuple[int, int]:
        """Give (height, width) in pixels, from the header."""
        shape = mrc_shape(self.paths[index])
        return int(shape[-2]), int(shape[-1])

    def checked(self, index: int) -> int:
        """Give the number back if there is such a micrograph.

        Raises
        ------
        UserError
            When there is none.
        """
        if not 0 <= index < self.count:
            raise UserError(f"there is no micrograph {index}; there are 0 to {self.count - 1}")
        return index

    def binned(self, index: int, factor: int) -> NDArray[np.float32]:
        """Give a binned micrograph; the last few are kept."""
        kept = self._binned.get((index, factor))
        if kept is None:
            kept = self._binned[(index, factor)] = bin_image(self._read(index), factor)
            while len(self._binned) > 1 and sum(image.nbytes for image in self._binned.values()) > _CACHE_BYTES:
                self._binned.popitem(last=False)
        self._binned.move_to_end((index, factor))
        return kept

    def _read(self, index: int) -> NDArray[np.generic]:
        image, _ = read_mrc(self.paths[index])
        return image.reshape(-1, *image.shape[-2:])[0]

    def picture(
        self, index: int, low_pass_A: float, high_pass_A: float = 0.0, denoise: bool = False, longest_px: int = 2048
    ) -> NDArray[np.uint8]:
        """Give a filtered uint8 picture that spans ± 5 standard deviations, no larger than its detail needs."""
        wanted_A = max(low_pass_A, 4 * DENOISED_PIXEL_A) if denoise else low_pass_A
        factor = picture_binning(self.shape(index), self.size_A(index), wanted_A, longest_px)
        image = self.binned(index, factor)
        sigma = PICTURE_SIGMA
        if denoise and min(image.shape) >= 64:
            image, sigma = denoised(image), PICTURE_SIGMA * DENOISED_SPAN
        pixel_A = self.size_A(index) * factor
        return np.asarray(micrograph_picture(image, pixel_A, low_pass_A, high_pass_A, sigma))

    def thumbnail(self, index: int) -> bytes:
        """Give a small JPEG for the list, which also stands in for a picture until that has come."""
        kept = self._thumbnails.get(self.checked(index))
        if kept is None:
            factor = display_binning(self.shape(index), THUMBNAIL_PX)
            have = [known for number, known in self._binned if number == index]
            known = max(have, default=1)
            image = self._binned[(index, known)] if have else self._read(index)
            small = bin_image(image, max(1, factor // known))
            kept = self._thumbnails[index] = encode(np.asarray(contrast_by_sigma(small, PICTURE_SIGMA)), quality=70)
        return kept

    def answer(
        self, index: int, low_pass_A: float, high_pass_A: float = 0.0, denoise: bool = False
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Answer a view's question for a micrograph: facts and a JPEG."""
        height, width = self.shape(self.checked(index))
        facts = {
            "index": index, "name": self.names[index], "width": width, "height": height, "mime": "image/jpeg",
            "pixel_size_A": self.size_A(index), "sigma": PICTURE_SIGMA,
        }  # fmt: skip
        picture = self.picture(index, low_pass_A, high_pass_A, denoise)
        for quality in JPEG_QUALITIES:
            jpeg = encode(picture, quality=quality)
            if len(jpeg) <= MOST_BYTES:
                break
        return facts, [jpeg]

    def rows(self) -> list[dict[str, Any]]:
        """Give name and defocus of each micrograph for a list on the screen."""
        known = [None if value != value else round(value) for value in self.defocus_A]
        return [{"name": name, "defocus_A": defocus} for name, defocus in zip(self.names, known, strict=True)]


def _is_star_or_folder(source: Any) -> bool:
    if not isinstance(source, str | Path):
        return False
    path = Path(source).expanduser()
    return path.is_dir() or path.suffix == ".star"
