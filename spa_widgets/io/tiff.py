"""TIFF stacks and EER movies (the only importer of tifffile).

As RELION and IMOD do, the last row of a TIFF image is taken as the first row of the array, so that a movie gives the
same micrograph whether it is stored as TIFF or as MRC. EER frames stay as they are, as in RELION.
"""

from __future__ import annotations

import logging
import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.eer import EerBits, add_electrons

_BIG = 43
_MOST_PX, _MOST_PACKED = 1 << 28, 2000
# tifffile tells of damage in its log as well: what matters becomes a sentence
logging.getLogger("tifffile").setLevel(logging.CRITICAL)


@dataclass(frozen=True)
class TiffStack:
    """What a TIFF or EER file holds.

    Attributes
    ----------
    path : Path
    shape : (int, int, int)
        Pages, rows, columns.
    packed : EerBits or None
        How an EER movie is packed, whose pages are the detector's own frames.
    """

    path: Path
    shape: tuple[int, int, int]
    packed: EerBits | None

    def pages(self, start: int, stop: int) -> Iterator[NDArray[Any]]:
        """Read pages (h, w) of a TIFF file one after the other.

        Raises
        ------
        UserError
            When one is damaged.
        """
        with _opened(self.path) as handle:
            for index in range(start, stop):
                page = handle.pages[index]
                # by its header: a damaged one may announce more than the memory holds
                if page.shape != self.shape[1:]:
                    raise UserError(
                        f"{self.path}: image {index + 1} has the shape {str(page.shape)[:40]}, the first one "
                        f"{self.shape[1:]}; expected one size: export the movie again."
                    )
                yield np.asarray(page.asarray())[::-1]

    def fractions(self, groups: int, size: int, upsampling: int) -> Iterator[NDArray[np.uint16]]:
        """Add up frames of an EER movie, so many to each image (h, w), one image after the other.

        Raises
        ------
        UserError
            When one is damaged, or half pixels are asked for that its packing does not tell.
        """
        height, width = self.shape[1:]
        assert self.packed is not None, "only EER movies have fractions"
        bits = self.packed
        if upsampling > 1 and not bits.tells_halves:
            raise UserError(
                f"{self.path} has {bits.sub_x} and {bits.sub_y} bits for the place of an electron in its pixel; half "
                "pixels need 2 and 2: choose eer_upsampling 1."
            )
        with _opened(self.path) as handle, self.path.open("rb") as stream:
            for group in range(groups):
                counts = np.zeros((height * upsampling, width * upsampling), np.uint16)
                for index in range(group * size, (group + 1) * size):
                    page: Any = handle.pages[index]
                    content = bytearray()
                    for offset, length in zip(page.dataoffsets, page.databytecounts, strict=True):
                        stream.seek(offset)
                        content += stream.read(length)
                    packed = np.frombuffer(content, np.uint8)
                    if not add_electrons(packed, bits.run, bits.sub_x + bits.sub_y, width, upsampling, counts):
                        raise UserError(f"{self.path} is damaged or cut short at frame {index + 1}: copy it again.")
                yield counts


def open_tiff(path: str | Path) -> TiffStack:
    """Read the headers of a TIFF or EER file.

    Raises
    ------
    UserError
        When it is missing, damaged, or holds colours or complex numbers.
    """
    file = Path(path)
    with _opened(file) as handle:
        _check_chain(file)
        count = len(handle.pages)
        page: Any = handle.pages[0]
        shape = tuple(int(n) for n in page.shape)
        if len(shape) != 2 or page.dtype is None or page.dtype.kind not in "biuf":
            raise UserError(
                f"{file} has images of the shape {str(shape)[:40]} and type {page.dtype}; expected grey values: export "
                "it again."
            )
        if shape[0] * shape[1] > _MOST_PX or not shape[0] * shape[1]:
            raise UserError(f"{file} announces images of {shape[1]} × {shape[0]} px; it is damaged: copy it again.")
        packed = EerBits.of(int(page.compression), {tag.code: tag.value for tag in page.tags.values()})
        # a page cannot hold more than a packer could have made so small
        if page.nbytes > max(file.stat().st_size, 1024) * _MOST_PACKED:
            raise UserError(f"{file} is too small for what its header announces: it is damaged or cut short.")
    return TiffStack(file, (count, shape[0], shape[1]), packed)


def _check_chain(file: Path) -> None:
    """Follow the headers of the pages to the end: a file that is cut short must not pass for a shorter movie."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        order = "<" if stream.read(2) == b"II" else ">"
        is_big = struct.unpack(f"{order}H", stream.read(2))[0] == _BIG
        count_code, link_code, entry_bytes = ("Q", "Q", 20) if is_big else ("H", "I", 12)
        stream.seek(8 if is_big else 4)
        seen: set[int] = set()
        while place := struct.unpack(f"{order}{link_code}", stream.read(struct.calcsize(f"={link_code}")))[0]:
            if place >= size or place in seen:
                raise ValueError(f"page {len(seen) + 1} is not there")
            seen.add(place)
            stream.seek(place)
            entries = struct.unpack(f"{order}{count_code}", stream.read(struct.calcsize(f"={count_code}")))[0]
            stream.seek(min(entries * entry_bytes, size), os.SEEK_CUR)


@contextmanager
def _opened(file: Path) -> Iterator[tifffile.TiffFile]:
    if not file.exists():
        raise UserError(f"{file} does not exist; expected a TIFF or EER file there: check the path.")
    if file.is_dir():
        raise UserError(f"{file} is a folder; expected a TIFF or EER file: name the file itself.")
    try:
        with tifffile.TiffFile(file) as handle:
            yield handle
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{file} may not be read: ask its owner for read permission.") from error
    except (ImportError, ValueError) as error:
        if "imagecodecs" in str(error):
            raise UserError(
                f"{file} is packed in a way that needs imagecodecs: install it with pip install 'spa-widgets[movies]'."
            ) from error
        raise _damaged(file, error) from error
    except Exception as error:  # a parser of many dialects: whatever it stumbles over, the file is to blame
        raise _damaged(file, error) from error


def _damaged(file: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:120] or type(error).__name__
    return UserError(f"{file} is not a readable TIFF or EER file ({reason}): copy or export it again.")
