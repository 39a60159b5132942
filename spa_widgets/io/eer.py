"""Electrons of EER movies: runs of empty pixels, and where in its pixel each electron fell.

Guo et al., IUCrJ 7, 860 (2020). A frame is a string of bits, lowest first: so many bits of run length, and some of the
place within the pixel, along x and then along y; a run of all ones goes on with the next one and has no electron. How
many bits there are is told by the number of the packing, or (65002) by further fields of the TIFF header.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

_VARIABLE = 65002
_FIELDS = (65007, 65008, 65009)
_MOST_RUN_BITS, _MOST_SUB_BITS = 16, 8


@dataclass(frozen=True)
class EerBits:
    """How an EER movie is packed.

    Attributes
    ----------
    run : int
        Bits of a run length.
    sub_x, sub_y : int
        Bits of the place within a pixel.
    """

    run: int
    sub_x: int = 2
    sub_y: int = 2

    @classmethod
    def of(cls, packing: int, fields: Mapping[int, int]) -> EerBits | None:
        """Return how a movie is packed, by the number of the packing and the fields of its header; None for others.

        Raises
        ------
        ValueError
            When the fields say what no movie has.
        """
        if packing != _VARIABLE:
            return {65000: cls(8), 65001: cls(7)}.get(packing)
        found = cls(*(int(fields.get(number, usual)) for number, usual in zip(_FIELDS, (7, 2, 2), strict=True)))
        if not (1 < found.run <= _MOST_RUN_BITS and all(0 <= n <= _MOST_SUB_BITS for n in (found.sub_x, found.sub_y))):
            raise ValueError(f"its header announces {found.run}, {found.sub_x} and {found.sub_y} bits for an electron")
        return found

    @property
    def tells_halves(self) -> bool:
        """Whether it is known in which half of its pixel an electron fell: two bits along each axis."""
        return self.sub_x == self.sub_y == 2


# places within a pixel count from its middle: the upper bit of each axis is turned over
_TURNED = 0b1010


@numba.njit(["boolean(uint8[::1], int64, int64, int64, int64, uint16[:, ::1])"], cache=True)
def add_electrons(
    content: NDArray[np.uint8], run_bits: int, sub_bits: int, width: int, upsampling: int, counts: NDArray[np.uint16]
) -> bool:
    """Count the electrons of one frame.

    Parameters
    ----------
    content : (n,) uint8 array
        The packed frame.
    run_bits, sub_bits : int
        Bits of a run length, and of the place within a pixel.
    width : int
        Pixels of a row of the detector.
    upsampling : int
        1, or 2 to count in half pixels, where there are two bits of the place along each axis.
    counts : (h, w) uint16 array
        ``upsampling`` times the detector's pixels; changed in place.

    Returns
    -------
    bool
        Whether all pixels of the frame were described.
    """
    total = width * (counts.shape[0] // upsampling)
    longest = (1 << run_bits) - 1
    bits = content.size * 8
    at = 0
    place = 0
    while at + run_bits <= bits:
        run = 0
        for i in range(run_bits):
            run |= ((content[(at + i) >> 3] >> ((at + i) & 7)) & 1) << i
        at += run_bits
        place += run
        if place >= total:
            return place == total
        if run == longest:
            continue
        if at + sub_bits > bits:
            return False
        y, x = place // width, place % width
        if upsampling == 2:
            sub = 0
            for i in range(sub_bits):
                sub |= ((content[(at + i) >> 3] >> ((at + i) & 7)) & 1) << i
            sub ^= _TURNED
            counts[2 * y + ((sub >> 3) & 1), 2 * x + ((sub >> 1) & 1)] += 1
        else:
            counts[y, x] += 1
        at += sub_bits
        place += 1
    return place >= total
