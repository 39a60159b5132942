"""The steps initial_model and compare_maps on files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.alignment.rigid import match_grid, mirror_volume, transform_volume
from engine.geometry import axis_rotation
from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from spa_widgets.session.context import Cancelled, JobContext, simple_context
from spa_widgets.steps.compare_maps import job as compare_maps
from spa_widgets.steps.compare_maps.params import Params as CompareParams
from spa_widgets.steps.initial_model import job as initial_model
from spa_widgets.steps.initial_model.params import STEP, Params

BOX_PX, PIXEL_SIZE_A, COUNT = 32, 6.93, 60


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("initial_model")
    optics, rng = Optics(300.0, 1.6, 0.1), np.random.default_rng(4)
    images, truth = simulate_particles(
        channel_in_nanodisc(), COUNT, BOX_PX, PIXEL_SIZE_A, optics, (8000, 20000), 0.4, rng
    )
    write_mrc(folder / "p.mrcs", images, PIXEL_SIZE_A, is_stack=True)
    table = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@p.mrcs" for i in range(COUNT)],
            "rlnOpticsGroup": 1,
            "rlnDefocusU": truth.defocus.u_A,
            "rlnDefocusV": truth.defocus.v_A,
            "rlnDefocusAngle": truth.defocus.angle_deg,
        }
    )
    group = {
        "rlnOpticsGroup": [1],
        "rlnImagePixelSize": [PIXEL_SIZE_A],
        "rlnImageSize": [BOX_PX],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [1.6],
        "rlnAmplitudeContrast": [0.1],
    }
    grids = pd.DataFrame({"labGrid": ["A-07"]})
    write_star(folder / "particles.star", {"optics": pd.DataFrame(group), "particles": table, "lab_grids": grids})
    return folder


PARAMS = Params(classes=2, starts=1, start_iterations=1, iterations=3, final_resolution_A=20.0, batch_first=10)


def context(data: Path, folder: Path, params: Params = PARAMS) -> JobContext:
    return simple_context("initial_model", params, {"particles": data / "particles.star"}, folder)


def test_writes_every_class_and_poses_and_resumes_to_the_same(data: Path, tmp_path: Path) -> None:
    whole = context(data, tmp_path / "whole")
    initial_model.run(whole)
    required = [output.file for output in STEP.outputs if not output.optional]
    assert all((whole.out / name).is_file() for name in required)
    counts = whole.figures["class_counts"]
    assert sum(counts) == COUNT
    assert counts == sorted(counts, reverse=True)
    found = ParticleSet.read(whole.out / "particles.star")
    assert found.to_engine().images().shape == (COUNT, BOX_PX, BOX_PX)
    assert set(found.table["rlnClassNumber"]) <= {1, 2}
    assert np.isfinite(found.poses()[0]).all()
    assert found.other_tables["lab_grids"]["labGrid"].tolist() == ["A-07"]  # what no step knows is kept

    stopped = context(data, tmp_path / "stopped")
    stopped.is_cancelled = lambda: (stopped.work / "checkpoint.npz").exists()
    with pytest.raises(Cancelled):
        initial_model.run(stopped)
    stopped.is_cancelled = lambda: False
    initial_model.run(stopped)
    for k in (1, 2):
        volumes = [read_mrc(job.out / f"volume_{k}.mrc")[0] for job in (whole, stopped)]
        assert np.array_equal(*volumes)


def test_a_model_of_noise_is_called_unsure(data: Path, tmp_path: Path) -> None:
    noise = np.random.default_rng(7).standard_normal((COUNT, BOX_PX, BOX_PX)).astype(np.float32)
    write_mrc(tmp_path / "p.mrcs", noise, PIXEL_SIZE_A, is_stack=True)
    shutil.copy(data / "particles.star", tmp_path)
    params = Params(
        symmetry="C8", classes=2, starts=2, start_iterations=1, iterations=2, final_resolution_A=30.0, batch_first=10
    )
    ctx, events = context(tmp_path, tmp_path / "job", params), []
    ctx.on_event = events.append
    initial_model.run(ctx)
    assert ctx.figures["starts_alike"] == 0
    said = [sentence for sentence in ctx.warnings if sentence.startswith("Unsure: ")]
    assert len(said) == 2
    assert "no other start found" in said[0]
    assert "mates" in said[1]
    looks = [event for event in events if event["kind"] == "picture"]
    assert len(looks) == 2 * 1 + 1  # the volume is shown after every iteration


def test_bad_input_is_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="larger than the box"):
        initial_model.run(context(data, tmp_path, Params(mask_diameter_A=900.0)))


def test_compare_maps_brings_a_mirrored_map_on_another_grid_home(tmp_path: Path) -> None:
    truth = density(channel_in_nanodisc(), 44, 5.0)
    turn = axis_rotation((1.0, 0.4, 0.2), 70.0)
    moved = transform_volume(mirror_volume(truth), turn, np.array([1.0, -0.5, 0.25]))
    write_mrc(tmp_path / "moved.mrc", match_grid(moved, 5.0, 40, 5.5), 5.5)
    write_mrc(tmp_path / "truth.mrc", truth, 5.0)
    inputs = {"volume": tmp_path / "moved.mrc", "reference": tmp_path / "truth.mrc"}
    ctx = simple_context("compare_maps", CompareParams(symmetry="C8"), inputs, tmp_path / "job")
    compare_maps.run(ctx)
    aligned, pixel_size_A = read_mrc(ctx.out / "aligned.mrc")
    assert aligned.shape == truth.shape
    assert pixel_size_A == pytest.approx(5.0)
    assert ctx.figures["hand_flipped"] is True
    # the coarser grid ends at 11 Å, so the finest shells of the truth are missing
    assert ctx.figures["correlation"] > 0.9
    assert ctx.figures["resolution_05_A"] < 12.5
    assert len(pd.read_csv(ctx.out / "fsc.csv")) == 22
