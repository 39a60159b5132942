"""Whatever is in a movie or a gain reference, its reader gives images or one sentence, in bounded memory and time."""

from __future__ import annotations

import gzip
from functools import cache
from pathlib import Path

import numpy as np
import tifffile
from hypothesis import example, given
from hypothesis import strategies as st

from spa_widgets.io.movies import open_movie, read_gain
from tests.properties.test_readers import Kind, try_all
from tests.support.eer import encoded, write_eer


def read_movie(path: Path) -> int:
    return sum(frame.size for frame in open_movie(path, path.parent / "scratch", eer_fractions=2).frames())


MOVIE, IMAGE = (read_movie,), (read_movie, read_gain)


@cache
def good(kind: str, folder: Path) -> bytes:
    """A small file of each kind."""
    rng = np.random.default_rng(0)
    path = folder / f"good.{kind}"
    if kind == "eer":
        chosen = [np.flatnonzero(rng.random((16, 24)) < 0.1) for _ in range(4)]
        write_eer(path, [encoded(p, rng.integers(0, 16, len(p)), 384, 7) for p in chosen], (16, 24))
    else:
        tifffile.imwrite(
            path, rng.integers(0, 9, (3, 16, 24)).astype(np.uint8), compression="zlib", photometric="minisblack"
        )
    return path.read_bytes()


@given(st.binary(max_size=800), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
@example(b"\x08\0\0\0\xff\xff", b"II*\0")
@example(b"\x08\0\0\0\0\0\x08\0\0\0", b"II*\0")  # a page that follows itself
def test_bytes_that_are_anything(tmp_path: Path, content: bytes, start: bytes) -> None:
    for name in ("a.tif", "a.eer", "a.gain"):
        (tmp_path / name).write_bytes(start + content)
        try_all(tmp_path / name, Kind("", IMAGE))
    for name in ("a.tif.gz", "a.mrc.bz2"):
        (tmp_path / name).write_bytes(start + content)
        try_all(tmp_path / name, Kind("", MOVIE))


@given(
    st.sampled_from(["tif", "eer"]),
    st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), max_size=6),
    st.one_of(st.none(), st.integers(0, 2000)),
)
@example("tif", [(4, 255), (5, 255), (6, 255), (7, 127)], None)
@example("eer", [], 300)
def test_files_with_changed_bytes(
    tmp_path: Path, kind: str, changes: list[tuple[int, int]], length: int | None
) -> None:
    content = bytearray(good(kind, tmp_path))
    for place, value in changes:
        content[place % len(content)] = value
    bad = tmp_path / f"bad.{kind}"
    bad.write_bytes(content[:length])
    try_all(bad, Kind("", IMAGE))
    packed = tmp_path / f"bad.{kind}.gz"
    packed.write_bytes(gzip.compress(bytes(content[:length]), 1))
    try_all(packed, Kind("", MOVIE))
