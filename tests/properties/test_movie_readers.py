"""Whatever follows the first bytes of a TIFF or EER file, its reader gives images or one sentence."""

from __future__ import annotations

from pathlib import Path

from hypothesis import example, given
from hypothesis import strategies as st

from tests.properties.test_readers import KINDS, try_all


@given(st.binary(max_size=800), st.sampled_from([b"", b"II*\0", b"MM\0*", b"II+\0\x08\0\0\0"]))
@example(b"\x08\0\0\0\xff\xff", b"II*\0")
@example(b"\x08\0\0\0\0\0\x08\0\0\0", b"II*\0")  # a page that follows itself
def test_bytes_that_are_anything(tmp_path: Path, content: bytes, start: bytes) -> None:
    for kind in ("tif", "eer", "gain"):
        path = tmp_path / f"a{KINDS[kind].suffix}"
        path.write_bytes(start + content)
        try_all(path, KINDS[kind])
