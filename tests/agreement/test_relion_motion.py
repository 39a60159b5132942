"""RELION's own motion correction and ours on one movie: shifts, their sign in the file, rows, gain, local model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

from engine.motion.local import SPACE, TIME, LocalMotion
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import Tables, read_star, write_star
from spa_widgets.session.context import JobContext
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step, load_steps
from tests.agreement.conftest import Relion

FRAMES, SHAPE, PIXEL_A = 8, (512, 576), 1.5


def write_movie(folder: Path) -> LocalMotion:
    """A movie of much contrast that drifts and bends, on a detector of uneven gain; its local motion in px."""
    rng = np.random.default_rng(6)
    scene = gaussian_filter(rng.normal(size=SHAPE), 1.5, mode="wrap")
    scene /= scene.std()
    coefficients = np.zeros((SPACE * TIME, 2))
    coefficients[1, 0], coefficients[3, 1] = 0.9, -0.7  # along x with x, along y with y, at a steady pace
    local = LocalMotion(coefficients, True, 0.0)
    rows, columns = (np.arange(n) for n in SHAPE)
    x, y = (columns + 0.5) / SHAPE[1] - 0.5, (rows + 0.5) / SHAPE[0] - 0.5
    gain = rng.uniform(0.8, 1.25, SHAPE).astype(np.float32)
    frames = []
    for frame in range(FRAMES):
        moved = local.at(x[None, :], y[:, None], frame) + shifts_px()[frame]
        places = [rows[:, None] - moved[..., 1], columns[None, :] - moved[..., 0]]
        mean = 12 * (1 + 0.25 * map_coordinates(scene, places, order=3, mode="grid-wrap"))
        frames.append(np.rint(rng.poisson(np.clip(mean, 0.1, None)) / gain * 32))
    write_mrc(folder / "movie.mrcs", np.stack(frames).astype(np.uint16), PIXEL_A, is_stack=True)
    write_mrc(folder / "gain.mrc", gain, PIXEL_A)
    return local


def shifts_px() -> NDArray[np.float64]:
    time = np.arange(FRAMES)
    return np.stack([4 * (1 - np.exp(-time / 2)), -0.5 * time], axis=1)


def track(tables: Tables) -> NDArray[np.float64]:
    found = tables["global_shift"][["rlnMicrographShiftX", "rlnMicrographShiftY"]].to_numpy(np.float64)
    return np.asarray(found - found[0])


def model(tables: Tables, places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Local shift of places in the last frame, as RELION's file has it."""
    coefficients = tables["local_motion_model"]["rlnMotionModelCoeff"].to_numpy(np.float64)
    ours = coefficients.reshape(2, SPACE, TIME).transpose(2, 1, 0).reshape(-1, 2)
    return LocalMotion(ours, True, 0.0).at(*places.T, FRAMES - 1)


def test_motion_agrees_with_relions_own(relion: Relion, tmp_path: Path) -> None:
    load_steps()
    local = write_movie(tmp_path)
    optics = {"rlnOpticsGroupName": ["a"], "rlnOpticsGroup": [1], "rlnMicrographOriginalPixelSize": [PIXEL_A],
              "rlnVoltage": [300.0], "rlnSphericalAberration": [1.6], "rlnAmplitudeContrast": [0.1]}  # fmt: skip
    movies = {"rlnMicrographMovieName": ["movie.mrcs"], "rlnOpticsGroup": [1]}
    write_star(tmp_path / "movies.star", {"optics": pd.DataFrame(optics), "movies": pd.DataFrame(movies)})
    arguments = ["--i", "movies.star", "--o", "theirs/", "--use_own", "--gainref", "gain.mrc", "--j", "1"]
    arguments += ["--patch_x", "4", "--patch_y", "4"]
    relion(tmp_path, "relion_run_motioncorr", *arguments)
    step = get_step("correct_motion")
    values = validate_params(step.params, {"pixel_size_A": PIXEL_A, "voltage_kv": 300, "cs_mm": 1.6}, step.name)
    inputs = {"movies": [tmp_path / "movie.mrcs"], "gain": tmp_path / "gain.mrc"}
    job = JobContext(step.name, values, inputs, tmp_path / "ours", tmp_path / "work")
    step.load()(job)
    theirs = read_star(tmp_path / "theirs" / "movie.star")
    ours = read_star(job.out / "motion" / "movie.star")
    assert np.abs(track(ours) - track(theirs)).max() < 0.25
    with np.load(job.out / "motion.npz") as motion:
        assert np.abs(motion["shifts_A"][0] / PIXEL_A - shifts_px()).max() < 0.15
    places = np.array([(-0.4, -0.4), (0.4, -0.4), (-0.4, 0.4), (0.4, 0.4)])
    differences = [model(tables, places) - model(tables, places).mean(axis=0) for tables in (ours, theirs)]
    wanted = local.at(*places.T, FRAMES - 1)
    assert np.abs(wanted).max() > 1.9
    assert np.abs(differences[0] - differences[1]).max() < 0.6
    images = [read_mrc(path)[0] for path in (job.out / "micrographs" / "movie.mrc", tmp_path / "theirs" / "movie.mrc")]
    inner = slice(30, -30)
    assert np.corrcoef(images[0][inner, inner].ravel(), images[1][inner, inner].ravel())[0, 1] > 0.9
    assert abs(images[0].mean() / images[1].mean() - 1) < 0.01
