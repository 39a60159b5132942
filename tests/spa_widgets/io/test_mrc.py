"""MRC files of every kind, written by mrcfile or byte by byte."""

from __future__ import annotations

import bz2
import gzip
import struct
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import mrc_pixel_size_A, mrc_shape, read_mrc, read_mrc_slices
from spa_widgets.io.mrc_write import MrcStackWriter, write_mrc

CODES = {"i1": 0, "i2": 1, "f4": 2, "u2": 6, "f2": 12}


def by_hand(
    data: np.ndarray,
    mode: int,
    *,
    order: str = "<",
    extended: bytes = b"",
    axes: tuple[int, int, int] = (1, 2, 3),
    cell_A: tuple[float, float, float] = (0, 0, 0),
    shape: tuple[int, int, int] | None = None,
) -> bytes:
    """An MRC file from its definition: header words 1-4, 8-13, 17-19, 23-24, 53 and 54."""
    sections, rows, columns = shape or data.shape
    header = bytearray(1024)
    struct.pack_into(f"{order}4i", header, 0, columns, rows, sections, mode)
    struct.pack_into(f"{order}3i3f", header, 28, columns, rows, sections, *cell_A)
    struct.pack_into(f"{order}3i", header, 64, *axes)
    struct.pack_into(f"{order}2i", header, 88, 1, len(extended))
    header[208:212] = b"MAP "
    header[212:214] = b"DD" if order == "<" else b"\x11\x11"
    return bytes(header) + extended + data.astype(data.dtype.newbyteorder(order)).tobytes()


@pytest.mark.parametrize("code", CODES)
@pytest.mark.parametrize("order", ["<", ">"])
def test_every_real_mode_in_both_byte_orders(tmp_path: Path, code: str, order: str, rng: np.random.Generator) -> None:
    data = rng.integers(0 if code == "u2" else -100, 100, (3, 5, 7)).astype(code)
    data[0, 0, 0] = {"i1": -128, "i2": -30000, "u2": 65000}.get(code, 0.5)
    file = tmp_path / "a.mrc"
    file.write_bytes(by_hand(data, CODES[code], order=order, extended=b"FEI1" * 48, cell_A=(8.4, 6, 3.6)))
    found, pixel_size_A = read_mrc(file)
    assert found.dtype == np.float32 and np.array_equal(found, data.astype(np.float32))
    assert pixel_size_A == pytest.approx(1.2)
    assert np.array_equal(read_mrc_slices(file, [2, 0]), data[[2, 0]].astype(np.float32))
    assert mrc_shape(file) == (3, 5, 7) and mrc_pixel_size_A(file) == pytest.approx(1.2)


@pytest.mark.parametrize("columns", [6, 7])
def test_packed_pixels_of_four_bits(tmp_path: Path, columns: int, rng: np.random.Generator) -> None:
    """Mode 101: the first pixel of a pair is in the low half of the byte, and each row begins with a new byte."""
    pixels = rng.integers(0, 16, (2, 4, columns))
    padded = np.pad(pixels, ((0, 0), (0, 0), (0, columns % 2)))
    packed = (padded[..., 0::2] | padded[..., 1::2] << 4).astype(np.uint8)
    file = tmp_path / "a.mrc"
    file.write_bytes(by_hand(packed, 101, shape=pixels.shape))
    assert np.array_equal(read_mrc(file)[0], pixels)
    assert np.array_equal(read_mrc_slices(file, [1])[0], pixels[1])


def test_unsigned_bytes_of_imod(tmp_path: Path) -> None:
    content = bytearray(by_hand(np.full((1, 2, 2), 200, np.uint8), 0))
    (tmp_path / "standard.mrc").write_bytes(content)
    struct.pack_into("<2i", content, 152, 1146047817, 0)
    (tmp_path / "imod.mrc").write_bytes(content)
    assert read_mrc(tmp_path / "standard.mrc")[0][0, 0] == 200 - 256
    assert read_mrc(tmp_path / "imod.mrc")[0][0, 0] == 200


@pytest.mark.parametrize("axes", [(1, 2, 3), (3, 1, 2), (2, 1, 3), (3, 2, 1), (2, 3, 1), (1, 3, 2)])
def test_axes_in_any_order(tmp_path: Path, axes: tuple[int, int, int], rng: np.random.Generator) -> None:
    volume = rng.standard_normal((2, 3, 4)).astype(np.float32)  # z, y, x
    stored = np.transpose(volume, [3 - axis for axis in reversed(axes)])
    file = tmp_path / "a.map"
    file.write_bytes(by_hand(np.ascontiguousarray(stored), 2, axes=axes))
    assert np.array_equal(read_mrc(file)[0], volume)
    assert mrc_shape(file) == (2, 3, 4)


@pytest.mark.parametrize(("suffix", "opener"), [(".gz", gzip.open), (".bz2", bz2.open)])
def test_packed_maps(tmp_path: Path, suffix: str, opener: object, rng: np.random.Generator) -> None:
    volume = rng.standard_normal((4, 4, 4)).astype(np.float32)
    file = tmp_path / f"emd.map{suffix}"
    with opener(file, "wb") as stream:  # type: ignore[operator]
        stream.write(by_hand(volume, 2, extended=b"x" * 160, cell_A=(6, 6, 6)))
    found, pixel_size_A = read_mrc(file)
    assert np.array_equal(found, volume) and pixel_size_A == pytest.approx(1.5)
    assert np.array_equal(read_mrc_slices(file, [3]), volume[3:])
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"cannot be read|cut short"):
        read_mrc(file)


def test_a_packed_file_that_promises_too_much_is_refused_at_once(tmp_path: Path) -> None:
    file = tmp_path / "bomb.mrc.gz"
    with gzip.open(file, "wb") as stream:
        stream.write(by_hand(np.zeros((1, 2, 2), np.float32), 2, shape=(2**30, 2**30, 2**30)))
    with pytest.raises(UserError, match="too small for what its header announces"):
        read_mrc(file)


def test_what_is_written_is_read_by_others_and_by_us(tmp_path: Path, rng: np.random.Generator) -> None:
    images = rng.standard_normal((3, 8, 8)).astype(np.float32)
    write_mrc(tmp_path / "a.mrcs", images, 1.37, is_stack=True)
    assert np.array_equal(mrcfile.read(tmp_path / "a.mrcs"), images)
    with MrcStackWriter(tmp_path / "b.mrcs", 3, 8, 1.37, np.float16) as stack:
        stack.append(images[:2])
        stack.append(images[2:])
    assert np.allclose(read_mrc(tmp_path / "b.mrcs")[0], images, atol=2e-3)
    assert mrcfile.validate(tmp_path / "a.mrcs") and mrc_pixel_size_A(tmp_path / "b.mrcs") == pytest.approx(1.37)


def test_a_stack_of_one_image_is_a_stack_and_a_micrograph_is_an_image(tmp_path: Path) -> None:
    image = np.arange(12, dtype=np.float32).reshape(1, 3, 4)
    write_mrc(tmp_path / "one.mrcs", image, 1.0, is_stack=True)
    write_mrc(tmp_path / "one.mrc", image[0], 1.0)
    assert read_mrc(tmp_path / "one.mrcs")[0].shape == mrc_shape(tmp_path / "one.mrcs") == (1, 3, 4)
    assert read_mrc(tmp_path / "one.mrc")[0].shape == mrc_shape(tmp_path / "one.mrc") == (3, 4)
    assert read_mrc_slices(tmp_path / "one.mrc", [0]).shape == (1, 3, 4)


@pytest.mark.parametrize(("cell_A", "expected"), [(0.0, 0.0), (float("nan"), 0.0), (-5.0, 0.0), (8.0, 2.0)])
def test_pixel_sizes_that_say_nothing_are_zero(tmp_path: Path, cell_A: float, expected: float) -> None:
    (tmp_path / "a.mrc").write_bytes(by_hand(np.zeros((1, 4, 4), np.float32), 2, cell_A=(cell_A,) * 3))
    assert mrc_pixel_size_A(tmp_path / "a.mrc") == expected


def test_files_of_the_field_agree_with_mrcfile(shared_data: Path) -> None:
    names = ["EMD-3197.map", "EMD-3001.map", "empiar_10076_7.mrc", "rln_proj_64_shifted.mrcs"]
    for name in names:
        file = shared_data / "formats" / name
        with mrcfile.open(file) as handle:
            expected, axes = np.array(handle.data), tuple(int(handle.header[f"map{axis}"]) for axis in "crs")
        if axes == (3, 1, 2):  # EMD-3001: columns are z, rows x, sections y
            expected = expected.transpose(2, 0, 1)
        else:
            assert axes == (1, 2, 3)
        assert np.array_equal(read_mrc(file)[0], expected), name
    assert mrc_pixel_size_A(shared_data / "formats" / "EMD-3197.map") == pytest.approx(11.4)
