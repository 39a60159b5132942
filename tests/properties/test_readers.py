"""Whatever is in a file, a reader gives its content or one sentence: no crash, no hang, no memory that it lacks."""

from __future__ import annotations

import contextlib
import gzip
import struct
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from reader_seeds import seeds
from readers import KINDS, Kind, in_one_sentence

from spa_widgets.io.cs_file import write_dataset
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star

MOST_BYTES, MOST_SECONDS = 30_000_000, 2.0

settings.register_profile(
    "readers",
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("readers")


@contextlib.contextmanager
def within_bounds() -> Iterator[None]:
    """Forbid much memory and time."""
    tracemalloc.start()
    begun = time.process_time()
    try:
        yield
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < MOST_BYTES, f"{peak / 1e6:.0f} MB"
    assert time.process_time() - begun < MOST_SECONDS


def try_all(path: Path, kind: Kind) -> None:
    for reader in kind.readers:
        with within_bounds():
            in_one_sentence(reader, path)


def put(folder: Path, kind: Kind, content: bytes) -> Path:
    path = folder / (f"a{kind.suffix}" if kind.suffix else "manifest.json")
    path.write_bytes(kind.wrap(content))
    return path


@given(st.binary(max_size=3000))
@example(b"")
@example(b"\xff" * 1024)
@example(b"\0" * 2048)
def test_bytes_that_are_anything(tmp_path: Path, content: bytes) -> None:
    for kind in KINDS.values():
        try_all(put(tmp_path, kind, content), kind)


CHANGES = st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=6)


@pytest.mark.parametrize("name", KINDS)
@settings(max_examples=25)
@given(st.data(), CHANGES, st.floats(0, 1))
@example(None, [], 1.0)
@example(None, [], 0.9)
@example(None, [(30 + place, 255) for place in range(6)], 1.0)
def test_good_files_with_changed_bytes(
    tmp_path: Path, name: str, data: st.DataObject | None, changes: list[tuple[int, int]], share: float
) -> None:
    """Bytes of a good file are replaced, and it is cut anywhere."""
    (tmp_path / "a.mrcs").write_bytes(seeds(".mrcs")[4])
    kind = KINDS[name]
    good = seeds(kind.suffix)
    content = bytearray(good[0] if data is None else data.draw(st.sampled_from(good)))
    for place, value in changes:
        content[place % len(content)] = value
    try_all(put(tmp_path, kind, bytes(content[: round(share * len(content))])), kind)


WORDS = st.sampled_from([0, 1, -1, 2, 3, 6, 12, 101, 16, 256, 65536, 2**31 - 1, -(2**31), 1024, 0x44444444, 0x11110000])


@given(
    st.lists(st.tuples(st.integers(0, 255), st.one_of(WORDS, st.integers(-(2**31), 2**31 - 1))), max_size=6),
    st.integers(0, 5000),
    st.sampled_from(["<", ">"]),
)
@example([(0, 2**31 - 1), (1, 2**31 - 1), (2, 2**31 - 1)], 5000, "<")
@example([(23, 2**31 - 1)], 5000, "<")
@example([(23, -1)], 5000, "<")
@example([(16, 7), (17, 7), (18, 7)], 5000, "<")
def test_headers_that_lie(tmp_path: Path, changes: list[tuple[int, int]], length: int, order: str) -> None:
    """Words of a good header are replaced, and the file is cut anywhere."""
    file = tmp_path / "good.mrc"
    if not file.exists():
        write_mrc(file, np.ones((3, 16, 16), np.float32), 1.5)
    content = bytearray(file.read_bytes())
    for word, value in changes:
        struct.pack_into(f"{order}i", content, 4 * word, value)
    bad = tmp_path / "bad.mrc"
    bad.write_bytes(content[:length])
    try_all(bad, KINDS["mrc"])
    packed = tmp_path / "bad.mrc.gz"
    packed.write_bytes(gzip.compress(bytes(content[:length]), 1))
    try_all(packed, KINDS["gzip"])


CELLS = st.one_of(
    st.sampled_from(["data_", "data_particles", "data_optics", "loop_", "_rlnImageName", "_rlnVoltage #3",
                     "_rlnOriginX", "_rlnCoordinateX", "_rlnMicrographName", "_rlnOpticsGroup",
                     "_rlnImagePixelSize", "1@a.mrcs", "#",
                     '"', "'", '"a b"', "<NA>", "nan", "1e999", "-", ";", "1", "2.5", "0x1F", "1_000", "\t"]),
    st.text(max_size=8),
)  # fmt: skip


@given(st.lists(st.lists(CELLS, max_size=6), max_size=25))
@example([["data_"], ["loop_"], ["_rlnImageName"], ["_rlnVoltage"], ["_rlnOriginX"], ["1@a", "x", "y"]])
@example([["data_optics"], ["loop_"], ["_rlnImagePixelSize"], ["data_particles"], ["loop_"], ["_rlnOriginX"], ["1"]])
@example(
    [["data_optics"], ["loop_"], ["_rlnImagePixelSize"], ["x"], ["data_particles"], ["loop_"], ["_rlnOriginX"], ["1"]]
)
def test_star_files_of_any_words(tmp_path: Path, lines: list[list[str]]) -> None:
    file = tmp_path / "a.star"
    file.write_text("\n".join(" ".join(line) for line in lines), encoding="utf-8", errors="replace")
    try_all(file, KINDS["star"])


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), max_size=12)
NAMES = TEXTS.map(lambda text: text.replace('"', "q").replace("'", "q"))


@given(
    st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=8),
    st.data(),
)
def test_what_is_written_comes_back(tmp_path: Path, values: list[float], data: st.DataObject) -> None:
    def column(of: st.SearchStrategy[Any]) -> list[Any]:
        return data.draw(st.lists(of, min_size=len(values), max_size=len(values)))

    table = pd.DataFrame(
        {
            "rlnFloat": values,
            "rlnWhole": column(st.integers(-(10**15), 10**15)),
            "rlnMicrographName": column(NAMES),
            "foreignWords": column(st.lists(NAMES, max_size=3).map(" ".join)),
        }
    )
    write_star(tmp_path / "a.star", {"particles": table})
    found = read_star(tmp_path / "a.star")["particles"]
    for name in ("rlnMicrographName", "foreignWords"):
        assert found[name].tolist() == table[name].tolist()
    assert found["rlnWhole"].tolist() == table["rlnWhole"].tolist()
    assert np.allclose(found["rlnFloat"], values, rtol=1e-6, atol=0)


@given(st.lists(st.tuples(st.integers(0, 700), st.integers(0, 255)), max_size=8), st.integers(0, 800))
@example([(7, 1)], 246)
@example([(6, 0)], 12)  # a header of another version, hundreds of megabytes long
def test_datasets_with_changed_bytes(tmp_path: Path, changes: list[tuple[int, int]], length: int) -> None:
    file = tmp_path / "good.cs"
    if not file.exists():
        columns = {
            "uid": np.arange(3, dtype=np.uint64),
            "blob/path": np.array([b"a.mrc"] * 3),
            "blob/idx": np.arange(3, dtype=np.uint32),
            "alignments3D/pose": np.ones((3, 3), np.float32),
            "alignments3D/shift": np.ones((3, 2), np.float32),
        }
        write_dataset(file, columns)
    content = bytearray(file.read_bytes())
    for place, value in changes:
        if place < len(content):
            content[place] = value
    (tmp_path / "bad.cs").write_bytes(content[:length])
    try_all(tmp_path / "bad.cs", KINDS["cs"])


@pytest.mark.parametrize("word", range(56))
def test_every_word_of_the_header_at_its_extremes(tmp_path: Path, word: int) -> None:
    write_mrc(tmp_path / "good.mrc", np.ones((3, 16, 16), np.float32), 1.5)
    content = bytearray((tmp_path / "good.mrc").read_bytes())
    for value in (0, -1, 2**31 - 1, -(2**31), 0x7FC00000):
        struct.pack_into("<i", content, 4 * word, value)
        (tmp_path / "bad.mrc").write_bytes(content)
        try_all(tmp_path / "bad.mrc", KINDS["mrc"])
