"""Datasets of cryoSPARC: real files, every field, passthrough, and the way back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.geometry import axis_rotation, euler_to_matrix, random_rotations
from spa_widgets.errors import UserError
from spa_widgets.io.cryosparc import read_cs
from spa_widgets.io.cryosparc_write import write_cs
from spa_widgets.io.cs_file import read_dataset, write_dataset
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.picks import read_picks


def columns(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    ones = np.ones(count, np.float32)
    return {
        "uid": rng.integers(1, 2**63, count).astype(np.uint64),
        "blob/path": np.array([b">J1/imported/stack.mrc"] * count),
        "blob/idx": np.arange(count, dtype=np.uint32),
        "blob/shape": np.full((count, 2), 16, np.uint32),
        "blob/psize_A": 2 * ones,
        "blob/sign": -ones,
        "ctf/accel_kv": 300 * ones,
        "ctf/cs_mm": 2.7 * ones,
        "ctf/amp_contrast": 0.07 * ones,
        "ctf/df1_A": 15000 + np.arange(count, dtype=np.float32),
        "ctf/df2_A": 14000 * ones,
        "ctf/df_angle_rad": 0.5 * ones,
        "ctf/phase_shift_rad": np.pi / 2 * ones,
    }


def alignment(count: int, rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        "alignments3D/pose": rng.uniform(-1.5, 1.5, (count, 3)).astype(np.float32),
        "alignments3D/shift": rng.uniform(-3, 3, (count, 2)).astype(np.float32),
        "alignments3D/psize_A": np.full(count, 4.0, np.float32),
        "alignments3D/split": (np.arange(count) % 2).astype(np.uint32),
        "alignments3D/class": np.full(count, 2, np.uint32),
    }


def location(count: int) -> dict[str, np.ndarray]:
    return {
        "location/micrograph_path": np.array([b"J1/motion/012345678901234567890_mic.mrc"] * count),
        "location/micrograph_shape": np.tile(np.array([100, 200], np.uint32), (count, 1)),
        "location/center_x_frac": np.linspace(0.1, 0.9, count).astype(np.float32),
        "location/center_y_frac": np.linspace(0.2, 0.3, count).astype(np.float32),
    }


@pytest.fixture
def files(tmp_path: Path, rng: np.random.Generator) -> tuple[Path, dict[str, Any]]:
    """A dataset, its stack, and positions in a passthrough file whose rows are in another order."""
    count = 6
    own = {**columns(count, rng), **alignment(count, rng)}
    write_dataset(tmp_path / "J3_particles.cs", own)
    order = rng.permutation(count)
    passed = {"uid": own["uid"][order], **{name: values[order] for name, values in location(count).items()}}
    write_dataset(tmp_path / "J3_passthrough_particles.cs", passed)
    (tmp_path / "J1" / "imported").mkdir(parents=True)
    write_mrc(tmp_path / "J1/imported/stack.mrc", rng.standard_normal((count, 16, 16)), 2.0, is_stack=True)
    return tmp_path / "J3_particles.cs", {**own, **location(count)}


def test_every_field_is_translated(files: tuple[Path, dict[str, Any]]) -> None:
    path, given = files
    tables = read_cs(path)
    table, optics = tables["particles"], tables["optics"]
    assert optics.iloc[0][["rlnVoltage", "rlnSphericalAberration", "rlnImagePixelSize"]].tolist() == [300.0, 2.7, 2.0]
    assert table["rlnImageName"].iloc[1] == "000002@J1/imported/stack.mrc:mrcs"
    assert np.allclose(table["rlnDefocusU"], given["ctf/df1_A"]) and np.allclose(table["rlnDefocusV"], 14000)
    assert np.allclose(table["rlnDefocusAngle"], np.rad2deg(0.5)) and np.allclose(table["rlnPhaseShift"], 90)
    for i, vector in enumerate(given["alignments3D/pose"].astype(float)):
        found = euler_to_matrix(table[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy()[i])
        # the matrix of RELION is the transpose of the rotation about the vector
        assert np.allclose(found, axis_rotation(vector, np.rad2deg(np.linalg.norm(vector))).T, atol=1e-6)
    # px of the alignment's own pixel size
    assert np.allclose(table["rlnOriginXAngst"], 4 * given["alignments3D/shift"][:, 0])
    assert np.allclose(table["rlnOriginYAngst"], 4 * given["alignments3D/shift"][:, 1])
    assert table["rlnRandomSubset"].tolist() == [1, 2, 1, 2, 1, 2] and set(table["rlnClassNumber"]) == {3}
    # positions come from the passthrough file, row by row, y turned
    assert np.allclose(table["rlnCoordinateX"], 200 * given["location/center_x_frac"])
    assert np.allclose(table["rlnCoordinateY"], 100 - 100 * given["location/center_y_frac"])
    assert (table["spaImageSign"] == -1).all()


def test_black_protein_is_white_when_read(files: tuple[Path, dict[str, Any]]) -> None:
    path, _ = files
    stored, _ = read_mrc(path.parent / "J1/imported/stack.mrc")
    assert np.array_equal(ParticleSet.read(path).to_engine().images(), -stored)


def test_the_way_back(files: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path, given = files
    particles = ParticleSet.read(path)
    write_mrc(tmp_path / "J1/motion.mrc", np.zeros((100, 200), np.float32), 1.0)
    table = particles.table.assign(rlnMicrographName=str(tmp_path / "J1/motion.mrc"))
    write_cs(tmp_path / "out.cs", ParticleSet(table, particles.optics_table, path))
    found = read_dataset(tmp_path / "out.cs")
    names = "uid blob/idx blob/sign ctf/df1_A ctf/df_angle_rad alignments3D/split alignments3D/class alignments3D/pose"
    for name in (*names.split(), "location/center_y_frac", "location/micrograph_shape"):
        assert np.allclose(found[name].astype(float), given[name].astype(float), atol=1e-5), name
    shift_A = given["alignments3D/shift"] * 4.0
    assert np.allclose(found["alignments3D/shift"] * found["alignments3D/psize_A"][:, None], shift_A, atol=1e-5)
    again = ParticleSet.read(tmp_path / "out.cs")
    assert np.array_equal(again.to_engine().images(), particles.to_engine().images())
    for a, b in zip(again.poses(), particles.poses(), strict=True):
        assert np.allclose(a, b, atol=1e-3)


def test_poses_survive_rotation_vectors(rng: np.random.Generator) -> None:
    from engine.geometry import matrix_to_euler
    from engine.rotation_vectors import angles_of_rotation_vectors, rotation_vectors_of_angles

    rotations = np.concatenate([random_rotations(200, rng), np.eye(3)[None], np.diag([-1.0, -1, 1])[None]])
    back = angles_of_rotation_vectors(rotation_vectors_of_angles(matrix_to_euler(rotations)))
    assert np.allclose(euler_to_matrix(back), rotations, atol=1e-9)
    # a rotation about z alone is psi, the angle of a 2D alignment
    assert np.allclose(euler_to_matrix(angles_of_rotation_vectors([[0, 0, 20.0]])), euler_to_matrix([[0, 0, 20.0]]))


def test_picks_and_micrographs(tmp_path: Path, rng: np.random.Generator) -> None:
    write_dataset(tmp_path / "picks.cs", {"uid": np.arange(4, dtype=np.uint64), **location(4)})
    picks = read_picks(tmp_path / "picks.cs")["particles"]
    assert np.allclose(picks["rlnCoordinateX"], [20, 20 + 160 / 3, 20 + 320 / 3, 180])
    exposures = {
        "uid": np.arange(2, dtype=np.uint64),
        "micrograph_blob/path": np.array([b"a.mrc", b"b.mrc"]),
        "micrograph_blob/psize_A": np.full(2, 1.2, np.float32),
        **{name: values for name, values in columns(2, rng).items() if name.startswith("ctf/")},
    }
    write_dataset(tmp_path / "exposures.cs", exposures)
    micrographs = MicrographSet.read(tmp_path / "exposures.cs")
    assert micrographs.name(1) == "b.mrc" and micrographs.pixel_size_A == pytest.approx(1.2)
    assert float(micrographs.defocus.u_A[1]) == 15001


def test_real_datasets(shared_data: Path) -> None:
    folder = shared_data / "formats"
    ours, relions = ParticleSet.read(folder / "empiar_10076_7.cs"), ParticleSet.read(folder / "empiar_10076_7.star")
    a, b = ours.to_engine(), relions.to_engine()
    assert np.array_equal(a.images(), -b.images())  # cryoSPARC says that the protein is black, RELION says nothing
    assert a.pixel_size_A == pytest.approx(b.pixel_size_A, rel=1e-4)
    for name in ("u_A", "v_A", "angle_deg"):
        assert np.allclose(getattr(a.defocus, name), getattr(b.defocus, name), atol=0.01)
    assert np.allclose(a.optics.cs_mm, b.optics.cs_mm) and np.allclose(a.optics.voltage_kv, 300)
    refined = read_cs(folder / "cryosparc_P12_J24_001_particles.cs")["particles"]
    assert len(refined) == 2019 and set(refined["rlnRandomSubset"]) == {1, 2}
    classified = read_cs(folder / "cryosparc_J2_particles_exported.cs")["particles"]
    assert classified["rlnClassNumber"].min() >= 1 and (classified["rlnAngleTilt"] == 0).all()
    assert not classified["rlnImageName"].str.contains(">").any()


def test_no_pickle_is_opened(tmp_path: Path) -> None:
    rows = np.zeros(2, dtype=[("uid", "<u8"), ("blob/path", "O")])
    with (tmp_path / "evil.cs").open("wb") as stream:
        np.save(stream, rows, allow_pickle=True)
    with pytest.raises(UserError, match="holds Python objects, which are not read for safety"):
        read_cs(tmp_path / "evil.cs")
