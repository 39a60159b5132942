"""The refinement step on files: outputs, resumption after an interruption, bad input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.alignment.rigid import transform_volume
from engine.geometry import axis_rotation, euler_to_matrix
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
from spa_widgets.steps.refine import job as refine
from spa_widgets.steps.refine.params import STEP, Params

BOX_PX, PIXEL_SIZE_A, COUNT = 40, 5.5, 120


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Particles without half sets, and an initial model whose axis is tilted by 50°, on another grid."""
    folder = tmp_path_factory.mktemp("refine")
    atoms = channel_in_nanodisc()
    rng = np.random.default_rng(4)
    optics = Optics(300.0, 1.6, 0.1)
    images, truth = simulate_particles(atoms, COUNT, BOX_PX, PIXEL_SIZE_A, optics, (8000, 20000), 0.4, rng)
    write_mrc(folder / "p.mrcs", images, PIXEL_SIZE_A, is_stack=True)
    table = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@p.mrcs" for i in range(COUNT)],
            "rlnOpticsGroup": 1,
            "rlnDefocusU": truth.defocus.u_A,
            "rlnDefocusV": truth.defocus.v_A,
            "rlnDefocusAngle": truth.defocus.angle_deg,
            "rlnAngleRot": truth.angles_deg[:, 0],
            "rlnAngleTilt": truth.angles_deg[:, 1],
            "rlnAnglePsi": truth.angles_deg[:, 2],
        }
    )
    group = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnImagePixelSize": [PIXEL_SIZE_A],
        "rlnImageSize": [BOX_PX],
        "rlnImageDimensionality": [2],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [1.6],
        "rlnAmplitudeContrast": [0.1],
    }
    grids = pd.DataFrame({"labGrid": ["A-07"]})
    write_star(folder / "particles.star", {"optics": pd.DataFrame(group), "particles": table, "lab_grids": grids})
    model = density(atoms, 36, 6.2)
    write_mrc(folder / "tilted.mrc", transform_volume(model, axis_rotation((1, 0.3, 0), 50.0), np.zeros(3)), 6.2)
    return folder


def _context(data: Path, folder: Path, **params: object) -> JobContext:
    values = Params(symmetry="C8", mask_diameter_A=170, max_iterations=3, **params)
    inputs = {"particles": data / "particles.star", "volume": data / "tilted.mrc"}
    return simple_context("refine", values, inputs, folder)


@pytest.fixture(scope="module")
def finished(data: Path, tmp_path_factory: pytest.TempPathFactory) -> JobContext:
    ctx = _context(data, tmp_path_factory.mktemp("run"))
    refine.run(ctx)
    return ctx


def test_all_declared_files_are_written(data: Path, finished: JobContext) -> None:
    assert {output.file for output in STEP.outputs} == {path.name for path in finished.out.iterdir()}
    half, pixel_size_A = read_mrc(finished.out / "half_A.mrc")
    assert half.shape == (BOX_PX,) * 3 and pixel_size_A == pytest.approx(PIXEL_SIZE_A)
    table = pd.read_csv(finished.out / "fsc.csv")
    assert list(table.columns) == ["resolution_A", "no_mask", "spherical", "loose", "tight", "corrected"]
    print({name: finished.figures[name] for name in ("resolution_A", "b_factor_A2", "iterations", "symmetry_score")})
    assert finished.figures["resolution_A"] < 13
    assert any("half sets" in warning for warning in finished.warnings)


def test_poses_are_right_up_to_one_turn_about_the_axis(data: Path, finished: JobContext) -> None:
    result = ParticleSet.read(finished.out / "particles.star")
    assert sorted(np.bincount(result.half_sets)[1:]) == [COUNT // 2, COUNT // 2]
    assert result.to_engine().images([0]).shape == (1, BOX_PX, BOX_PX)  # the stack is found from the new place
    assert result.other_tables["lab_grids"]["labGrid"].tolist() == ["A-07"]  # what no step knows is kept
    found = euler_to_matrix(result.poses()[0])
    true = euler_to_matrix(
        ParticleSet.read(data / "particles.star").table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()
    )
    # the aligned axis may point either way and the ring may stand at any angle: the tilt of each view remains
    found_tilt, true_tilt = (np.rad2deg(np.arccos(np.clip(r[:, 2, 2], -1, 1))) for r in (found, true))
    error = min(np.median(np.abs(found_tilt - true_tilt)), np.median(np.abs(180 - found_tilt - true_tilt)))
    print(f"median error of the tilt {error:.2f}°")
    assert error < 2.0


def test_a_cancelled_job_goes_on_to_the_same_map(data: Path, finished: JobContext, tmp_path: Path) -> None:
    first = _context(data, tmp_path)
    first.is_cancelled = lambda: (tmp_path / "work" / "checkpoint.npz").exists()
    with pytest.raises(Cancelled):
        refine.run(first)
    assert not (first.out / "map.mrc").exists()
    refine.run(_context(data, tmp_path))
    for name in ("map.mrc", "half_B.mrc", "particles.star"):
        again, once = (tmp_path / "out" / name).read_bytes(), (finished.out / name).read_bytes()
        if name.endswith("mrc"):
            again, once = again[1024:], once[1024:]  # the header holds the time of writing
        assert again == once


def test_bad_input_is_one_sentence(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="X9"):
        Params(symmetry="X9")
    ctx = _context(data, tmp_path)
    write_mrc(tmp_path / "flat.mrc", np.zeros((8, 10, 10), np.float32), 3.0)
    ctx.inputs = {**ctx.inputs, "volume": tmp_path / "flat.mrc"}
    with pytest.raises(UserError, match="expected a cubic map"):
        refine.run(ctx)
