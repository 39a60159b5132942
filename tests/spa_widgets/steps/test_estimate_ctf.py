"""The CTF step: what it writes, how it goes on after a stop, and what a damaged micrograph does."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.optics import Optics
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from spa_widgets.session.context import Cancelled, JobContext
from spa_widgets.session.params import validate_params
from spa_widgets.steps.estimate_ctf.job import run
from spa_widgets.steps.estimate_ctf.params import Params

sys.path.insert(0, str(Path(__file__).parents[2] / "engine" / "ctf"))
from noise_micrograph import noise_micrograph

PIXEL_SIZE_A = 2.464
DEFOCI_A = (9000.0, 15000.0, 21000.0)


def write_micrographs(folder: Path, images: list[np.ndarray]) -> Path:
    names = [folder / f"mic_{i}.mrc" for i in range(len(images))]
    for name, image in zip(names, images, strict=True):
        write_mrc(name, image.astype(np.float32), PIXEL_SIZE_A)
    optics = pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["one"],
            "rlnMicrographPixelSize": [PIXEL_SIZE_A],
            "rlnVoltage": [300.0],
            "rlnSphericalAberration": [1.6],
            "rlnAmplitudeContrast": [0.1],
        }
    )
    table = pd.DataFrame({"rlnMicrographName": [str(name) for name in names], "rlnOpticsGroup": 1})
    write_star(folder / "micrographs.star", {"optics": optics, "micrographs": table})
    return folder / "micrographs.star"


@pytest.fixture(scope="module")
def images() -> list[np.ndarray]:
    optics = Optics(300.0, 1.6, 0.1)
    return [
        noise_micrograph((768, 640), PIXEL_SIZE_A, d, 300, 20, optics=optics, signal_to_noise=0.8, seed=i)
        for i, d in enumerate(DEFOCI_A)
    ]


def context(tmp_path: Path, star: Path, name: str = "a", **options: object) -> JobContext:
    return JobContext(
        "estimate_ctf", Params(), {"micrographs": star}, tmp_path / name / "out", tmp_path / name / "work", **options
    )


def test_defocus_curves_and_pictures_are_written(tmp_path: Path, images: list[np.ndarray]):
    events: list[dict] = []
    ctx = context(tmp_path, write_micrographs(tmp_path, images), on_event=events.append)
    run(ctx)
    result = MicrographSet.read(ctx.out / "micrographs.star")
    assert result.count == 3
    found = np.asarray(result.defocus.mean_A)
    print("errors in %:", np.round((found / DEFOCI_A - 1) * 100, 2))
    assert np.all(np.abs(found / DEFOCI_A - 1) < 0.01)
    assert np.all(result.defocus.u_A >= result.defocus.v_A)
    assert np.all(result.table["rlnCtfFigureOfMerit"] > 0.2)
    assert np.all(result.table["rlnCtfMaxResolution"].between(4.9, 9))
    assert result.defocus_surfaces_A.shape == (3, 6)
    assert result.load(0).shape == (768, 640)
    with np.load(ctx.out / "spectra.npz") as spectra:
        assert spectra["pictures"].shape == (3, 256, 256)
        assert spectra["pictures"].dtype == np.uint8
        picture = spectra["pictures"][1].astype(float)
        side = 2 * int(0.199 / spectra["picture_step_per_A"][1])
        half = slice(128 - side // 4, 128 + side // 4)
        left = picture[half, 128 - side // 4 : 128][:, ::-1]
        right = picture[half, 129 : 129 + side // 4]
        assert np.corrcoef(left.ravel(), right.ravel())[0, 1] > 0.1, "the fit lies on the spectrum's rings"
        assert np.nanmax(np.abs(spectra["cross_correlation"].astype(float))) <= 1.001
        assert list(spectra["names"]) == [result.name(i) for i in range(3)]
    assert (ctx.out / "spectra.npz").stat().st_size < 400_000
    assert ctx.figures["failed"] == 0
    assert abs(ctx.figures["mean_defocus_A"] - np.mean(DEFOCI_A)) < 150
    assert sum(event["kind"] == "progress" for event in events) == 4


def test_a_stopped_job_goes_on_and_gives_the_same(tmp_path: Path, images: list[np.ndarray]):
    star = write_micrographs(tmp_path, images)
    whole = context(tmp_path, star, "whole")
    run(whole)
    asked = iter([False, False, True])
    stopped = context(tmp_path, star, "again", is_cancelled=lambda: next(asked, True))
    with pytest.raises(Cancelled):
        run(stopped)
    kept = sorted(p.name for p in (stopped.work / "fits").glob("*.npz"))
    assert kept == ["000000.npz", "000001.npz"]
    before = (stopped.work / "fits" / "000001.npz").stat().st_mtime_ns
    resumed = context(tmp_path, star, "again")
    run(resumed)
    assert (stopped.work / "fits" / "000001.npz").stat().st_mtime_ns == before, "fitted once"
    for name in ("micrographs.star", "spectra.npz"):
        assert (whole.out / name).read_bytes() == (resumed.out / name).read_bytes()


def test_a_damaged_micrograph_is_marked_and_the_rest_goes_on(tmp_path: Path, images: list[np.ndarray]):
    spoilt = images[0].copy()
    spoilt[5, 5] = np.nan
    ctx = context(tmp_path, write_micrographs(tmp_path, [spoilt, images[1], np.ones((768, 640))]))
    run(ctx)
    table = MicrographSet.read(ctx.out / "micrographs.star").table
    assert (table["rlnCtfFigureOfMerit"] == 0).tolist() == [True, False, True]
    assert abs(0.5 * (table["rlnDefocusU"] + table["rlnDefocusV"])[1] / DEFOCI_A[1] - 1) < 0.01
    assert len(ctx.warnings) == 2
    assert "mic_0.mrc" in ctx.warnings[0]
    assert ctx.figures["failed"] == 2


def test_nothing_but_damaged_micrographs_is_an_error(tmp_path: Path):
    ctx = context(tmp_path, write_micrographs(tmp_path, [np.ones((300, 300))]))
    with pytest.raises(UserError, match="None of the 1 micrographs"):
        run(ctx)


def test_ranges_out_of_order_are_refused():
    with pytest.raises(UserError, match="exchange them"):
        validate_params(Params, {"min_defocus_A": 5000, "max_defocus_A": 1000}, "estimate_ctf")
