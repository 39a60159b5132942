"""Electrons of EER movies: runs of empty pixels, and where in its pixel each electron fell.

Guo et al., IUCrJ 7, 860 (2020). A frame is a string of bits, lowest first: so many bits of run length, four bits of
place within the pixel; a run of all ones goes on with the next one and has no electron.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

RUN_BITS = {65000: 8, 65001: 7}
"""Bits of a run length by the number of the packing in the TIFF header."""

_SUB_BITS = 4
# places within a pixel count from its middle: the upper bit of each axis is turned over
_TURNED = 0b1010


@numba.njit(["boolean(uint8[::1], int64, int64, int64, uint16[:, ::1])"], cache=True)
def add_electrons(
    content: NDArray[np.uint8], run_bits: int, width: int, upsampling: int, counts: NDArray[np.uint16]
) -> bool:
    """Count the electrons of one frame.

    Parameters
    ----------
    content : (n,) uint8 array
        The packed frame.
    run_bits, width : int
        Bits of a run length; pixels of a row of the detector.
    upsampling : int
        1, or 2 to count in half pixels.
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
        if at + _SUB_BITS > bits:
            return False
        sub = 0
        for i in range(_SUB_BITS):
            sub |= ((content[(at + i) >> 3] >> ((at + i) & 7)) & 1) << i
        at += _SUB_BITS
        sub ^= _TURNED
        y, x = place // width, place % width
        if upsampling == 2:
            counts[2 * y + ((sub >> 3) & 1), 2 * x + ((sub >> 1) & 1)] += 1
        else:
            counts[y, x] += 1
        place += 1
    return place >= total
