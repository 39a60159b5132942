"""Files as programs, servers and desktops leave them: packed under another name, other line ends, other separators."""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.atoms import read_atoms
from spa_widgets.io.movies import open_movie
from spa_widgets.io.mrc import mrc_shape, read_mrc, read_mrc_slices
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.picks import read_picks
from spa_widgets.io.star import read_star


@pytest.fixture
def stack(tmp_path: Path, rng: np.random.Generator) -> tuple[NDArray[np.float32], bytes]:
    images = rng.normal(0, 1, (4, 6, 10)).astype(np.float32)
    write_mrc(tmp_path / "plain.mrcs", images, 1.5, is_stack=True)
    return images, (tmp_path / "plain.mrcs").read_bytes()


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("A.MRCS.GZ", gzip.compress),
        ("unpacked_on_the_way.mrcs.gz", bytes),
        ("packed_by_the_server.mrcs", gzip.compress),
        ("packed_too.mrcs", bz2.compress),
        ("other_packer.mrcs.gz", bz2.compress),
        ("in_two_parts.mrcs.gz", lambda content: gzip.compress(content[:300]) + gzip.compress(content[300:])),
    ],
)
def test_what_a_file_is_packed_by_is_seen_not_believed(
    tmp_path: Path, stack: tuple[NDArray[np.float32], bytes], name: str, pack: Callable[[bytes], bytes]
) -> None:
    images, content = stack
    (tmp_path / name).write_bytes(pack(content))
    assert mrc_shape(tmp_path / name) == (4, 6, 10)
    found, size_A = read_mrc(tmp_path / name)
    assert np.array_equal(found, images) and size_A == pytest.approx(1.5)
    assert np.array_equal(read_mrc_slices(tmp_path / name, [3, 0]), images[[3, 0]])
    movie = open_movie(tmp_path / name, tmp_path / "scratch")
    assert np.array_equal(np.stack(list(movie.frames())), images)


@pytest.mark.parametrize(
    ("start", "what"),
    [(b"\x89HDF\r\n\x1a\n", "an HDF5 file"), (b"<!DOCTYPE html>", "a web page"), (b"\x89PNG\r\n", "a PNG picture")],
)
def test_other_files_under_the_name_of_an_image_are_named(tmp_path: Path, start: bytes, what: str) -> None:
    (tmp_path / "x.mrc").write_bytes(start + bytes(3000))
    with pytest.raises(UserError, match=f"x.mrc is {what}; expected an image in MRC format: convert it"):
        read_mrc(tmp_path / "x.mrc")


def test_a_tiff_image_as_micrograph_is_named(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "mic.tif", np.zeros((8, 8), np.float32))
    with pytest.raises(UserError, match=r"mic\.tif is a TIFF image; expected an image in MRC format"):
        read_mrc(tmp_path / "mic.tif")


STAR = "data_particles\n\nloop_\n_rlnMicrographName #1\n_rlnDefocusU #2\nmic_é.mrc 15000.5 {}\n"


@pytest.mark.parametrize(
    "content",
    [
        STAR.format("").replace("\n", "\r").encode(),
        STAR.format("").encode("utf-16"),
        STAR.format("# by hand").encode(),
        STAR.format("").replace("loop_", "LOOP_").replace(" ", "\t").encode("utf-8-sig"),
    ],
    ids=["old Macintosh", "UTF-16", "comment behind a row", "tabs and byte order mark"],
)
def test_star_files_of_other_editors(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.star").write_bytes(content)
    table = read_star(tmp_path / "a.star")["particles"]
    assert table["rlnMicrographName"].tolist() == ["mic_é.mrc"] and table["rlnDefocusU"].tolist() == [15000.5]


def test_a_star_file_of_another_encoding_says_where(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_bytes(STAR.format("").encode("latin-1"))
    with pytest.raises(UserError, match=r"is not text of UTF-8 \(line 6\); expected a STAR file: save it as UTF-8"):
        read_star(tmp_path / "a.star")


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ('"micrograph","x","y"\r\n"a,b.mrc","1","2"\r\n', [["a,b.mrc", 1.0, 2.0]]),
        ("x;y\n10,5;2\n3;4,25\n", [["p", 10.5, 2.0], ["p", 3.0, 4.25]]),
        ("micrographs,X-Coordinate,Y-Coordinate\nm.mrc,1,2\n", [["m.mrc", 1.0, 2.0, 1]]),
        ("image_name\tx_coord\ty_coord\tscore\nm\t1\t2\t0.5\n", [["m", 1.0, 2.0]]),
    ],
    ids=["quotes", "decimal comma", "CryoPPP in one table", "tabs"],
)
def test_tables_of_positions_of_other_programs(tmp_path: Path, text: str, rows: list[list[object]]) -> None:
    (tmp_path / "p.csv").write_bytes(text.encode())
    assert read_picks(tmp_path / "p.csv")["particles"].to_numpy().tolist() == rows


def test_a_model_is_known_by_its_content(tmp_path: Path) -> None:
    line = "ATOM      1  N   ALA A   1      11.104   6.134  -6.504  1.00 10.00           N\n"
    for name in ("model.txt", "model.pdb.1", "model.ent"):
        (tmp_path / name).write_text(f"{line}END\n", encoding="utf-8")
        assert read_atoms(tmp_path / name).positions_A.tolist() == [[11.104, 6.134, -6.504]]
