"""Movies and gain references of every format against what was written."""

from __future__ import annotations

import gzip
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.movies import open_movie, read_gain
from spa_widgets.io.mrc_write import write_mrc
from tests.support.eer import encoded, write_eer


@pytest.fixture
def counts() -> NDArray[np.uint8]:
    return np.random.default_rng(4).poisson(3.0, (5, 40, 56)).astype(np.uint8)


def read(path: Path, **options: int) -> NDArray[np.float32]:
    movie = open_movie(path, path.parent / "scratch", **options)
    frames = np.stack(list(movie.frames()))
    assert frames.shape == movie.shape and frames.dtype == np.float32
    return frames


@pytest.mark.parametrize("packing", [None, "zlib", "lzw"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_tiff_movies_have_the_rows_of_mrc_movies(
    tmp_path: Path, counts: NDArray[np.uint8], packing: str | None, dtype: type
) -> None:
    if packing == "lzw":
        pytest.importorskip("imagecodecs")
    tifffile.imwrite(tmp_path / "m.tif", counts[:, ::-1].astype(dtype), compression=packing, photometric="minisblack")
    write_mrc(tmp_path / "m.mrcs", counts.astype(np.int16), 1.0, is_stack=True)
    assert np.array_equal(read(tmp_path / "m.tif"), counts) and np.array_equal(read(tmp_path / "m.mrcs"), counts)
    (tmp_path / "m.tiff.gz").write_bytes(gzip.compress((tmp_path / "m.tif").read_bytes()))
    assert np.array_equal(read(tmp_path / "m.tiff.gz"), counts)


@pytest.mark.parametrize("run_bits", [7, 8])
def test_eer_electrons_are_where_they_fell(tmp_path: Path, run_bits: int) -> None:
    rng = np.random.default_rng(run_bits)
    shape, frames = (96, 128), 7
    coarse, fine = np.zeros((frames, *shape)), np.zeros((frames, 192, 256))
    packed = []
    for frame in range(frames):
        chosen = rng.random(shape) < (0.0 if frame == 2 else 0.01 if frame else 0.4)  # one frame is empty
        chosen[-1, -1] = frame == 1
        places = np.flatnonzero(chosen)
        quarters = rng.integers(0, 4, (2, len(places)))  # of a pixel, along y and x
        packed.append(encoded(places, ((quarters[0] << 2) | quarters[1]) ^ 0b1010, chosen.size, run_bits))
        coarse[frame] = chosen
        y, x = np.unravel_index(places, shape)
        fine[frame][2 * y + quarters[0] // 2, 2 * x + quarters[1] // 2] += 1
    write_eer(tmp_path / "m.eer", packed, shape, run_bits)
    assert np.array_equal(read(tmp_path / "m.eer"), coarse)
    assert np.array_equal(read(tmp_path / "m.eer", eer_upsampling=2), fine)
    movie = open_movie(tmp_path / "m.eer", tmp_path, eer_fractions=3)
    assert (movie.shape, movie.dropped, movie.is_eer) == ((3, *shape), 1, True)
    summed = [coarse[0] + coarse[1], coarse[2] + coarse[3], coarse[4] + coarse[5]]
    assert np.array_equal(np.stack(list(movie.frames())), summed)
    write_eer(tmp_path / "cut.eer", [packed[0], packed[1][:-20]], shape, run_bits)
    with pytest.raises(UserError, match=r"cut.eer is damaged or cut short at frame 2"):
        read(tmp_path / "cut.eer")


@pytest.mark.parametrize("bits", [(7, 2, 2), (8, 2, 2), (9, 2, 2), (6, 1, 3), (10, 4, 1), (5, 0, 0)])
def test_eer_movies_whose_header_tells_the_bits(tmp_path: Path, bits: tuple[int, int, int]) -> None:
    """The place within a pixel counts from its middle, along x in the lower bits, along y in the upper ones."""
    run_bits, x_bits, y_bits = bits
    rng, shape = np.random.default_rng(bits), (40, 56)
    chosen = rng.random(shape) < 0.05
    places = np.flatnonzero(chosen)
    sub_x, sub_y = (rng.integers(0, 1 << n, len(places)) for n in (x_bits, y_bits))
    turned = (sub_x ^ (1 << x_bits >> 1)) | (sub_y ^ (1 << y_bits >> 1)) << x_bits
    frame = encoded(places, turned, chosen.size, run_bits, x_bits + y_bits)
    write_eer(tmp_path / "m.eer", [frame, frame], shape, run_bits, (x_bits, y_bits))
    assert np.array_equal(read(tmp_path / "m.eer"), np.stack([chosen, chosen]))
    if (x_bits, y_bits) != (2, 2):
        with pytest.raises(UserError, match=rf"has {x_bits} and {y_bits} bits .*need 2 and 2: choose eer_upsampling 1"):
            read(tmp_path / "m.eer", eer_upsampling=2)
        return
    y, x = np.unravel_index(places, shape)
    fine = np.zeros((80, 112))
    fine[2 * y + (sub_y >> 1), 2 * x + (sub_x >> 1)] = 1
    assert np.array_equal(read(tmp_path / "m.eer", eer_upsampling=2)[0], fine)


def test_an_eer_header_with_impossible_bits(tmp_path: Path) -> None:
    write_eer(tmp_path / "m.eer", [b"\0" * 8] * 2, (4, 4), 40, (2, 2))
    with pytest.raises(UserError, match=r"header announces 40, 2 and 2 bits for an electron\): copy or"):
        open_movie(tmp_path / "m.eer", tmp_path)


def test_movies_are_unpacked_into_scratch_only(tmp_path: Path, counts: NDArray[np.uint8]) -> None:
    write_mrc(tmp_path / "m.mrc", counts.astype(np.int8), 1.25, is_stack=True)
    (tmp_path / "m.mrc.gz").write_bytes(gzip.compress((tmp_path / "m.mrc").read_bytes()))
    (tmp_path / "m.mrc").unlink()
    movie = open_movie(tmp_path / "m.mrc.gz", tmp_path / "scratch")
    assert movie.pixel_size_A == 1.25 and movie.path.name == "m.mrc.gz"
    assert np.array_equal(np.stack(list(movie.frames())), counts)
    shutil.rmtree(tmp_path / "scratch")
    assert [path.name for path in tmp_path.iterdir()] == ["m.mrc.gz"]
    bomb = tmp_path / "bomb.tif.gz"
    with gzip.open(bomb, "wb", 9) as stream:
        for _ in range(6):
            stream.write(bytes(1 << 20))
    (tmp_path / "half.tif.gz").write_bytes(bomb.read_bytes()[:300])
    with pytest.raises(UserError, match=r"half.tif.gz cannot be unpacked"):
        open_movie(tmp_path / "half.tif.gz", tmp_path / "scratch")


def test_gain_references_say_how_they_are_used(tmp_path: Path) -> None:
    gain = np.random.default_rng(0).uniform(0.8, 1.2, (30, 50)).astype(np.float32)
    write_mrc(tmp_path / "g.mrc", gain, 1.0)
    tifffile.imwrite(tmp_path / "g.tif", gain[::-1])
    for name in ("g.mrc", "g.tif"):
        assert np.array_equal(read_gain(tmp_path / name), gain)
    write_mrc(tmp_path / "stack.mrcs", np.stack([gain, gain]), 1.0, is_stack=True)
    with pytest.raises(UserError, match=r"has the shape \(2, 30, 50\); expected one image as the gain reference"):
        read_gain(tmp_path / "stack.mrcs")
    (tmp_path / "g.dm4").write_bytes(b"x")
    with pytest.raises(UserError, match=r"is a file of DigitalMicrograph; expected \.mrc, \.tif or \.gain"):
        read_gain(tmp_path / "g.dm4")


def test_what_is_no_movie_gets_one_sentence(tmp_path: Path, counts: NDArray[np.uint8]) -> None:
    scratch = tmp_path / "scratch"
    tifffile.imwrite(tmp_path / "one.tif", counts[0])
    with pytest.raises(UserError, match=r"one.tif has a single frame; expected a movie"):
        open_movie(tmp_path / "one.tif", scratch)
    tifffile.imwrite(tmp_path / "colour.tif", np.zeros((2, 8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(UserError, match=r"expected grey values"):
        open_movie(tmp_path / "colour.tif", scratch)
    for name in ("gone.tif", "gone.eer", "gone.mrc", "gone.tif.gz"):
        with pytest.raises(UserError, match="does not exist"):
            open_movie(tmp_path / name, scratch)
    (tmp_path / "folder.tif").mkdir()
    with pytest.raises(UserError, match="is a folder"):
        open_movie(tmp_path / "folder.tif", scratch)
    tifffile.imwrite(tmp_path / "whole.tif", counts)
    (tmp_path / "half.tif").write_bytes((tmp_path / "whole.tif").read_bytes()[:4000])
    with pytest.raises(UserError, match=r"half.tif is not a readable TIFF or EER file"):
        read(tmp_path / "half.tif")
    with tifffile.TiffWriter(tmp_path / "mixed.tif") as writer:
        for image in (counts[0], counts[1, :20]):
            writer.write(image, contiguous=False)
    with pytest.raises(UserError, match=r"image 2 has the shape \(20, 56\), the first one \(40, 56\)"):
        read(tmp_path / "mixed.tif")
    broken = counts.astype(np.float32)
    broken[3, 2, 1] = np.nan
    write_mrc(tmp_path / "nan.mrcs", broken, 1.0, is_stack=True)
    with pytest.raises(UserError, match="holds 1 pixels that are no numbers"):
        read(tmp_path / "nan.mrcs")
