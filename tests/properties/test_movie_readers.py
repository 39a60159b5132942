"""Whatever follows the first bytes of a TIFF or EER file, its reader gives images or one sentence."""

from __future__ import annotations

import struct
from pathlib import Path

import tifffile
from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.test_readers import KINDS, try_all
from tests.support.reader_seeds import seeds


@given(st.binary(max_size=800), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
@example(b"\x08\0\0\0\xff\xff", b"II*\0")
@example(b"\x08\0\0\0\0\0\x08\0\0\0", b"II*\0")  # a page that follows itself
def test_bytes_that_are_anything(tmp_path: Path, content: bytes, start: bytes) -> None:
    for kind in ("tif", "eer", "gain"):
        path = tmp_path / f"a{KINDS[kind].suffix}"
        path.write_bytes(start + content)
        try_all(path, KINDS[kind])


def test_a_later_page_that_announces_gigabytes_is_not_made(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    path.write_bytes(seeds(".tif")[0])
    with tifffile.TiffFile(path) as good:
        place = good.pages[1].tags["ImageLength"].valueoffset
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, place, 50_397_200)
    path.write_bytes(content)
    try_all(path, KINDS["tif"])
