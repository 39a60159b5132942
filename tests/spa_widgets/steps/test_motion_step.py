"""Motion correction on files: movies with a gain reference become micrographs that the next steps take."""

from __future__ import annotations

import gzip
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.simulation.movies import MovieSettings, SimulatedMovie, simulate_movie
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import SMALL
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star
from spa_widgets.session.context import Cancelled, JobContext
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step, load_steps

load_steps()
SETTINGS = replace(SMALL, shape=(448, 512), objects_per_micrograph=10, dose_e_per_A2=80.0, margin_A=60.0, contrast=2.0)
OPTICS = {"pixel_size_A": SMALL.pixel_size_A, "voltage_kv": 300, "cs_mm": 1.6}
RUN = {**OPTICS, "dose_e_per_A2": 80.0, "patches": 1}
FRAMES = 8


def run(folder: Path, inputs: dict[str, Any], params: dict[str, Any], **options: Any) -> JobContext:
    step = get_step("correct_motion")
    values = validate_params(step.params, params, step.name)
    context = JobContext(step.name, values, inputs, folder / "out", folder / "work", **options)
    step.load()(context)
    return context


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[SimulatedMovie], np.ndarray]:
    """Two movies as a detector of uneven gain and with a hot pixel writes them."""
    folder = tmp_path_factory.mktemp("movies")
    rng = np.random.default_rng(3)
    gain = rng.uniform(0.8, 1.25, SETTINGS.shape).astype(np.float32)
    write_mrc(folder / "gain.mrc", np.rot90(gain[:, ::-1]).copy(), 1.0)
    made = []
    for index in range(2):
        movie = simulate_movie(channel_in_nanodisc(), SETTINGS, MovieSettings(FRAMES), 11000.0 + index, rng)
        raw = np.rint(np.stack(list(movie.frames)) / gain * 16)
        raw[:, 17, 23] = 9000
        write_mrc(folder / f"movie_{index}.mrcs", raw.astype(np.uint16), SMALL.pixel_size_A, is_stack=True)
        made.append(movie)
    packed = folder / "movie_1.mrcs"
    (folder / "movie_1.mrcs.gz").write_bytes(gzip.compress(packed.read_bytes(), 1))
    packed.unlink()
    return folder, made, gain


def test_movies_become_micrographs(movies: tuple[Path, list[SimulatedMovie], np.ndarray], tmp_path: Path) -> None:
    folder, made, gain = movies
    files = [folder / "movie_0.mrcs", folder / "movie_1.mrcs.gz"]
    options = {"gain_flip": "left_right", "gain_quarter_turns": "1"}
    job = run(tmp_path, {"movies": files, "gain": folder / "gain.mrc"}, RUN | options)
    micrographs = MicrographSet.read(job.out / "micrographs.star")
    assert [Path(micrographs.name(i)).name for i in range(2)] == ["movie_0.mrc", "movie_1.mrc"]
    assert micrographs.pixel_size_A == SMALL.pixel_size_A and float(micrographs.optics.cs_mm[0]) == 1.6
    with np.load(job.out / "motion.npz") as motion:
        shifts_A = motion["shifts_A"]
    for index, movie in enumerate(made):
        image = micrographs.load(index)
        assert image.shape == SETTINGS.shape
        assert abs(np.corrcoef(image.ravel(), gain.ravel())[0, 1]) < 0.02
        assert abs(image[17, 23] - image.mean()) < 8 * image.std()
        error = shifts_A[index] - movie.truth.shifts_A
        error -= error.mean(axis=0)
        assert np.sqrt((error**2).sum(axis=1).mean()) < 1.5 < np.hypot(*movie.truth.shifts_A[-1])
    tables = read_star(job.out / "motion" / "movie_0.star")
    assert len(tables["global_shift"]) == FRAMES and tables["general"]["rlnMicrographDoseRate"][0] == 10.0
    assert job.figures["micrographs"] == 2 and job.figures["bad_pixels"] == 1 and not job.warnings
    assert (job.work / "live" / "drift.webp").is_file() and not (job.work / "unpacked").exists()
    imported = get_step("import_micrographs")
    context = JobContext(
        imported.name, validate_params(imported.params, OPTICS, imported.name),
        {"files": sorted((job.out / "micrographs").iterdir())}, tmp_path / "import", tmp_path / "work2",
    )  # fmt: skip
    imported.load()(context)
    assert context.figures["micrographs"] == 2 and not context.warnings


def test_a_cancelled_run_goes_on_where_it_was(
    movies: tuple[Path, list[SimulatedMovie], np.ndarray], tmp_path: Path
) -> None:
    folder, _, _ = movies
    inputs = {"movies": [folder / "movie_0.mrcs", folder / "movie_1.mrcs.gz"]}
    whole = run(tmp_path / "whole", inputs, RUN)
    seen: list[dict[str, Any]] = []
    with pytest.raises(Cancelled):
        run(
            tmp_path / "part", inputs, RUN, on_event=seen.append,
            is_cancelled=lambda: any(e.get("message") == "movie_1.mrcs.gz" and e["fraction"] > 0.6 for e in seen),
        )  # fmt: skip
    assert (tmp_path / "part" / "work" / "images" / "movie_0.mrc").exists()
    kept = (tmp_path / "part" / "work" / "images" / "movie_0.mrc").stat().st_mtime_ns
    again = run(tmp_path / "part", inputs, RUN)
    assert (tmp_path / "part" / "work" / "images" / "movie_0.mrc").stat().st_mtime_ns == kept
    for name in ("movie_0.mrc", "movie_1.mrc"):
        images = [read_mrc(job.out / "micrographs" / name)[0] for job in (whole, again)]
        assert np.array_equal(*images)


def test_one_bad_movie_does_not_stop_the_others(
    movies: tuple[Path, list[SimulatedMovie], np.ndarray], tmp_path: Path
) -> None:
    folder, _, _ = movies
    (tmp_path / "broken.tif").write_bytes(b"II*\0")
    write_mrc(tmp_path / "flat.mrcs", np.ones((4, 64, 64)), 1.0, is_stack=True)
    bad = [tmp_path / "broken.tif", tmp_path / "flat.mrcs"]
    job = run(tmp_path / "job", {"movies": [*bad, folder / "movie_0.mrcs"]}, RUN | {"dose_e_per_A2": 0, "binning": 2})
    assert job.figures["left_out"] == 2 and job.figures["micrographs"] == 1
    assert any("broken.tif is not a readable TIFF" in sentence for sentence in job.warnings)
    assert any("every pixel of the summed frames is 4" in sentence for sentence in job.warnings)
    assert any("No dose is given" in sentence for sentence in job.warnings)
    assert MicrographSet.read(job.out / "micrographs.star").pixel_size_A == pytest.approx(2 * SMALL.pixel_size_A)
    with pytest.raises(UserError, match="None of the 2 movies can be used"):
        run(tmp_path / "none", {"movies": bad}, RUN)
    with pytest.raises(UserError, match="No movie was given"):
        run(tmp_path / "no", {"movies": []}, RUN)
    with pytest.raises(UserError, match=r"gain.mrc: the gain reference has 448 × 512 px, the frames 512 × 448; .*90°"):
        run(tmp_path / "gain", {"movies": [folder / "movie_0.mrcs"], "gain": folder / "gain.mrc"}, RUN)
