"""Movies of any of the field's formats, frame by frame: MRC, TIFF, EER, also packed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import finite, open_header, read_mrc, read_mrc_slices
from spa_widgets.io.packed import ENDINGS, MOST_PACKED, is_packed, open_unpacked, plain_suffix
from spa_widgets.io.tiff import TiffStack, open_tiff

_TIFF = (".tif", ".tiff", ".eer", ".gain")
_PIECE = 1 << 22

EER_FRACTIONS = 40
"""Images into which the frames of an EER movie are added up."""


@dataclass(frozen=True)
class Movie:
    """A movie on disk.

    Attributes
    ----------
    path : Path
        As it was given.
    shape : (int, int, int)
        Frames, rows, columns; frames of an EER movie are its fractions.
    pixel_size_A : float
        Å per px by the header; 0 where it does not say.
    dropped : int
        Frames of the detector at the end of an EER movie that fill no fraction and are left out.
    """

    path: Path
    shape: tuple[int, int, int]
    pixel_size_A: float
    dropped: int
    _stack: TiffStack | None
    _file: Path
    _group: int

    @property
    def is_eer(self) -> bool:
        """Whether frames were added up from electrons, on the pixels that were asked for."""
        return self._stack is not None and self._stack.packed is not None

    def frames(self) -> Iterator[NDArray[np.float32]]:
        """Read frames (h, w) one after the other; only one is in memory.

        Raises
        ------
        UserError
            When one is damaged, or holds what is no number.
        """
        images: Iterator[NDArray[Any]]
        if self._stack is None:
            images = (read_mrc_slices(self._file, [index])[0] for index in range(self.shape[0]))
        elif self.is_eer:
            images = self._stack.fractions(self.shape[0], self._group, self.shape[2] // self._stack.shape[2])
        else:
            images = self._stack.pages(0, self.shape[0])
        for image in images:
            yield finite(np.asarray(image, np.float32), self.path)


def open_movie(path: str | Path, scratch: Path, eer_fractions: int = EER_FRACTIONS, eer_upsampling: int = 1) -> Movie:
    """Look at a movie without reading its frames.

    Parameters
    ----------
    path : str or Path
        ``.mrc``, ``.mrcs``, ``.tif``, ``.tiff`` or ``.eer``; also packed by gzip or bzip2.
    scratch : Path
        Folder into which a packed movie is unpacked; the caller removes it.
    eer_fractions : int
        Images into which the frames of an EER movie are added up.
    eer_upsampling : int
        1: the detector's pixels; 2: half of them, from where in a pixel electrons fell.

    Raises
    ------
    UserError
        When the file is missing, damaged, or has a single frame.
    """
    file = Path(path)
    plain = _unpacked(file, scratch)
    stack, group, dropped, size_A = None, 1, 0, 0.0
    if plain_suffix(file) in _TIFF:
        stack = open_tiff(plain)
        shape = stack.shape
        if stack.packed is not None:
            group = max(1, shape[0] // eer_fractions)
            count = min(eer_fractions, shape[0] // group)
            dropped = shape[0] - count * group
            shape = (count, shape[1] * eer_upsampling, shape[2] * eer_upsampling)
    else:
        header = open_header(plain)
        shape, size_A = header.shape, header.pixel_size_A
    if shape[0] < 2:
        raise UserError(
            f"{file} has a single frame; expected a movie: import_micrographs takes images that are averaged already."
        )
    return Movie(file, shape, size_A, dropped, stack, plain, group)


def _unpacked(file: Path, scratch: Path) -> Path:
    """Unpack a file piece by piece, no more than a movie can have been packed; a plain one is returned as it is."""
    if not file.is_file():
        if file.suffix.lower() in ENDINGS:
            raise UserError(f"{file} does not exist; expected a movie there: check the path.")
        return file
    left = max(file.stat().st_size, 1024) * MOST_PACKED
    try:
        with open_unpacked(file) as source:
            if not is_packed(source):
                return file
            scratch.mkdir(parents=True, exist_ok=True)
            target = scratch / (file.stem if file.suffix.lower() in ENDINGS else file.name)
            with target.open("wb") as sink:
                while piece := source.read(_PIECE):
                    left -= len(piece)
                    if left < 0:
                        raise UserError(f"{file} unpacks to more than any movie holds: it is damaged.")
                    sink.write(piece)
    except PermissionError:
        return file  # whoever reads it says so
    except (OSError, EOFError, ValueError) as error:
        raise UserError(f"{file} cannot be unpacked ({error}): copy it again.") from error
    return target


def read_gain(path: str | Path, for_eer: bool = False) -> NDArray[np.float32]:
    """Read a gain reference ``(h, w)``, its rows in the order of the frames that it was recorded with.

    Parameters
    ----------
    path : str or Path
    for_eer : bool
        For EER movies, whose rows stay as they are in the file, as in RELION: so do those of a ``.gain`` file, which
        the same camera writes. Rows of any other TIFF are turned over, as those of TIFF movies are.

    Raises
    ------
    UserError
        When it is no single image, or of a format that is not read.
    """
    file = Path(path)
    suffix = plain_suffix(file)
    if suffix in (".dm3", ".dm4"):
        raise UserError(f"{file} is a file of DigitalMicrograph; expected .mrc, .tif or .gain: convert it (dm2mrc).")
    gain = next(open_tiff(file).pages(0, 1)) if suffix in _TIFF else read_mrc(file)[0]
    if suffix == ".gain" and for_eer:
        gain = gain[::-1]
    if gain.ndim == 3 and len(gain) == 1:
        gain = gain[0]
    if gain.ndim != 2:
        raise UserError(f"{file} has the shape {gain.shape}; expected one image as the gain reference: check the path.")
    return finite(np.asarray(gain, np.float32), file)
