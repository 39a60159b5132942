"""An encoder of EER movies, written from the format's description (Guo et al., IUCrJ 7, 860, 2020)."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

METADATA = b'<metadata><item name="numberOfFrames">1</item></metadata>'
_SHORT, _LONG, _UNDEFINED = 3, 4, 7
_BYTES = {_SHORT: 2, _LONG: 4, _UNDEFINED: 1}


def encoded(
    places: NDArray[np.integer], subs: NDArray[np.integer], pixels: int, run_bits: int, sub_bits: int = 4
) -> bytes:
    """Write electrons as runs of empty pixels and bits that say where in its pixel each one fell.

    Parameters
    ----------
    places : (n,) array
        Index of the pixel of each electron, increasing.
    subs : (n,) array
        Part of the pixel along x in the lower bits, along y in the upper ones; of four bits there are two each.
    pixels : int
        Of the whole frame.
    run_bits : int
        Of a run; one of all ones is continued by the next.
    sub_bits : int
        Of the place within a pixel.
    """
    longest = (1 << run_bits) - 1
    bits: list[NDArray[np.bool_]] = []

    def put(value: int, width: int) -> None:
        bits.append((value >> np.arange(width)) & 1 > 0)

    behind = 0
    for place, sub in zip(places.tolist(), subs.tolist(), strict=True):
        run, behind = place - behind, place + 1
        for _ in range(run // longest):
            put(longest, run_bits)
        put(run % longest, run_bits)
        put(sub, sub_bits)
    for _ in range((pixels - behind) // longest):
        put(longest, run_bits)
    put((pixels - behind) % longest, run_bits)
    return np.packbits(np.concatenate(bits), bitorder="little").tobytes()


def write_eer(
    path: Path,
    frames: list[bytes],
    shape: tuple[int, int],
    run_bits: int = 7,
    sub_bits: tuple[int, int] | None = None,
) -> None:
    """Write frames as pages of a BigTIFF file.

    Parameters
    ----------
    path, frames, shape
        Of the packed frames.
    run_bits : int
        7 or 8; any with `sub_bits`.
    sub_bits : (int, int), optional
        Bits of the place within a pixel along x and y: the header tells them, and those of a run.
    """
    packing = (65001 if run_bits == 7 else 65000) if sub_bits is None else 65002
    told = [] if sub_bits is None else [(65007 + i, _SHORT, 1, bits) for i, bits in enumerate((run_bits, *sub_bits))]
    height, width = shape
    content = bytearray(struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0))
    link = 8
    for frame in frames:
        data, metadata = len(content), len(content) + len(frame)
        content += frame + METADATA
        content += b"\0" * (-len(content) % 8)
        struct.pack_into("<Q", content, link, len(content))
        entries = [
            (256, _LONG, 1, width), (257, _LONG, 1, height), (258, _SHORT, 1, 8),
            (259, _SHORT, 1, packing), (262, _SHORT, 1, 1), (273, _LONG, 1, data),
            (277, _SHORT, 1, 1), (278, _LONG, 1, height), (279, _LONG, 1, len(frame)),
            (65001, _UNDEFINED, len(METADATA), metadata), *told,
        ]  # fmt: skip
        content += struct.pack("<Q", len(entries))
        for tag, kind, count, value in entries:
            content += struct.pack("<HHQ", tag, kind, count)
            content += value.to_bytes(_BYTES[kind] if kind != _UNDEFINED else 8, "little").ljust(8, b"\0")
        link = len(content)
        content += b"\0" * 8
    path.write_bytes(content)
