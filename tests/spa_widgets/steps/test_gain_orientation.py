"""Gain references as cameras and programs write them: which way up, multiplied or divided, and of what size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from spa_widgets.errors import UserError
from spa_widgets.io.movies import open_movie
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import simple_context
from spa_widgets.session.registry import get_step, load_steps
from spa_widgets.steps.correct_motion.job import _Gain
from tests.support.eer import encoded, write_eer

load_steps()
SHAPE = (24, 40)
OPTICS = {"pixel_size_A": 1.0, "voltage_kv": 300.0, "cs_mm": 2.7}


@pytest.fixture(scope="module")
def sensitivity() -> NDArray[np.integer]:
    """How many electrons of four a pixel of the detector counts: another pattern whichever way it is turned."""
    return np.random.default_rng(3).integers(1, 5, SHAPE)


def write_movie(path: Path, counted: NDArray[np.integer]) -> Path:
    """Write four frames of even light as the detector counts them: rows in the order of its own."""
    if path.suffix == ".eer":
        frames = [np.flatnonzero(counted > frame) for frame in range(4)]
        packed = [encoded(places, np.zeros_like(places), counted.size, 7) for places in frames]
        write_eer(path, packed, (counted.shape[0], counted.shape[1]))
    else:
        frames = np.stack([counted > frame for frame in range(4)]).astype(np.uint8)
        tifffile.imwrite(path, frames, photometric="minisblack")
    return path


def evened(folder: Path, movie: Path, gain: Path, **params: object) -> NDArray[np.float32]:
    """Return the sum of a movie's frames times what the step multiplies them by."""
    values = get_step("correct_motion").params.model_validate({**OPTICS, **params})
    context = simple_context("correct_motion", values, {"movies": movie, "gain": gain}, folder)
    opened = open_movie(movie, folder / "scratch", eer_upsampling=int(values.eer_upsampling))  # type: ignore[attr-defined]
    factor = _Gain(context).factor(opened)
    assert factor is not None
    return np.sum(list(opened.frames()), axis=0) * factor


@pytest.mark.parametrize("suffix", [".gain", ".mrc", ".tif"])
def test_auto_takes_each_reference_of_an_eer_movie_as_relion_does(
    tmp_path: Path, sensitivity: NDArray[np.integer], suffix: str
) -> None:
    """A ``.gain`` is a factor in the detector's rows; others are images of even light, TIFF ones bottom row first."""
    movie, gain = write_movie(tmp_path / "m.eer", sensitivity), tmp_path / f"g{suffix}"
    even = sensitivity.astype(np.float32)
    if suffix == ".mrc":
        write_mrc(gain, even, 1.0)
    else:
        with gain.open("wb") as stream:
            tifffile.imwrite(stream, 1 / even if suffix == ".gain" else even[::-1])
    assert np.allclose(evened(tmp_path, movie, gain), 1.0)
    flipped = evened(tmp_path, movie, gain, gain_flip="up_down")
    assert not np.allclose(flipped, 1.0)
    other = "divide" if suffix == ".gain" else "multiply"
    assert not np.allclose(evened(tmp_path, movie, gain, gain_use=other), 1.0)


def test_a_gain_file_fits_tiff_movies_of_the_same_camera(tmp_path: Path, sensitivity: NDArray[np.integer]) -> None:
    movie = write_movie(tmp_path / "m.tif", sensitivity)
    with (tmp_path / "g.gain").open("wb") as stream:
        tifffile.imwrite(stream, 1 / sensitivity.astype(np.float32))
    assert np.allclose(evened(tmp_path, movie, tmp_path / "g.gain"), 1.0)


def test_a_gain_file_fits_mrc_movies_converted_from_that_camera(
    tmp_path: Path, sensitivity: NDArray[np.integer]
) -> None:
    """A converter such as tif2mrc puts the last row of a TIFF image first, and so is a .gain read."""
    frames = np.stack([sensitivity > frame for frame in range(4)])[:, ::-1]
    write_mrc(tmp_path / "m.mrcs", frames.astype(np.float32), 1.0, is_stack=True)
    with (tmp_path / "g.gain").open("wb") as stream:
        tifffile.imwrite(stream, 1 / sensitivity.astype(np.float32))
    assert np.allclose(evened(tmp_path, tmp_path / "m.mrcs", tmp_path / "g.gain"), 1.0)
    flipped = evened(tmp_path, tmp_path / "m.mrcs", tmp_path / "g.gain", gain_flip="up_down")
    assert not np.allclose(flipped, 1.0)


@pytest.mark.parametrize("flip", ["none", "up_down", "left_right"])
@pytest.mark.parametrize("turns", range(4))
def test_references_in_any_orientation(tmp_path: Path, sensitivity: NDArray[np.integer], turns: int, flip: str) -> None:
    """Clockwise turns as the image is shown, first row on top; then the flip: together they lead to the detector."""
    rows, columns = np.indices(SHAPE)
    if flip == "up_down":
        rows = SHAPE[0] - 1 - rows
    elif flip == "left_right":
        columns = SHAPE[1] - 1 - columns
    height, width = SHAPE
    for _ in range(turns):  # undo one clockwise turn: what is at (row, column) now was at (height' - 1 - column, row)
        rows, columns, height, width = width - 1 - columns, rows, width, height
    stored = np.zeros((height, width), np.float32)
    stored[rows, columns] = sensitivity
    write_mrc(tmp_path / "g.mrc", stored, 1.0)
    movie = write_movie(tmp_path / "m.eer", sensitivity)
    params = {"gain_quarter_turns": str(turns), "gain_flip": flip}
    assert np.allclose(evened(tmp_path, movie, tmp_path / "g.mrc", **params), 1.0)
    if turns % 2:
        with pytest.raises(UserError, match=r"the gain reference has 24 × 40 px, the frames 40 × 24"):
            evened(tmp_path, movie, tmp_path / "g.mrc")


@pytest.mark.parametrize(("upsampling", "finer"), [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_references_of_half_and_whole_pixels(
    tmp_path: Path, sensitivity: NDArray[np.integer], upsampling: int, finer: int
) -> None:
    movie = write_movie(tmp_path / "m.eer", sensitivity)
    with (tmp_path / "g.gain").open("wb") as stream:
        tifffile.imwrite(stream, np.kron(1 / sensitivity.astype(np.float32), np.ones((finer, finer), np.float32)))
    found = evened(tmp_path, movie, tmp_path / "g.gain", eer_upsampling=str(upsampling))
    whole = found.reshape(SHAPE[0], upsampling, SHAPE[1], upsampling).sum(axis=(1, 3))
    assert found.shape == (SHAPE[0] * upsampling, SHAPE[1] * upsampling) and np.allclose(whole, 1.0)
