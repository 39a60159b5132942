"""The simulate step: files, their truth, repeatability, resuming, atomic models from files."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest

from engine.simulation.phantom import channel
from spa_widgets.errors import UserError
from spa_widgets.io.atoms import read_atoms
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.star import read_star
from spa_widgets.session.context import Cancelled, simple_context
from spa_widgets.steps.simulate.job import run
from spa_widgets.steps.simulate.params import Params

PARAMS = Params(micrographs=2, size_px=320, objects_per_micrograph=5, seed=3)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("simulate")
    ctx = simple_context("simulate", PARAMS, {}, folder)
    run(ctx)
    assert ctx.figures["micrographs"] == 2
    assert 0.02 < ctx.figures["particle_snr"] < 0.2
    return folder / "out"


def test_micrographs_and_truth_are_there_and_belong_together(made: Path) -> None:
    images = MicrographSet.read(made / "micrographs.star")
    truth = MicrographSet.read(made / "truth" / "micrographs.star")
    assert images.count == truth.count == 2
    assert images.pixel_size_A == 2.464
    assert images.load(1).shape == (320, 320)
    assert "rlnDefocusU" not in images.table
    assert (truth.defocus.mean_A > 7000).all()
    assert np.abs(truth.defocus_surfaces_A).max() > 10
    objects = read_star(made / "truth" / "particles.star")["particles"]
    assert set(objects["rlnMicrographName"]) == {images.name(0), images.name(1)}
    assert set(objects["spaObjectKind"]) <= {"particle", "empty_nanodisc", "aggregate", "ice"}
    volume, pixel_size_A = read_mrc(made / "truth" / "map.mrc")
    assert volume.shape == (90, 90, 90) and np.isclose(pixel_size_A, 2.464)


def test_the_same_seed_gives_the_same_files(made: Path, tmp_path: Path) -> None:
    run(simple_context("simulate", PARAMS, {}, tmp_path))
    for path in sorted(made.rglob("*.*")):
        again = tmp_path / "out" / path.relative_to(made)
        content = again.read_bytes().replace(str(tmp_path).encode(), str(made.parent).encode())
        assert content == path.read_bytes(), path.name


def test_a_cancelled_run_goes_on_where_it_stopped(made: Path, tmp_path: Path) -> None:
    ctx = simple_context("simulate", PARAMS, {}, tmp_path)
    asked = iter([False, True])
    ctx.is_cancelled = lambda: next(asked)
    with pytest.raises(Cancelled):
        run(ctx)
    first = tmp_path / "work" / "micrographs" / "micrograph_0001.mrc"
    written = first.stat().st_mtime_ns
    run(simple_context("simulate", PARAMS, {}, tmp_path))
    assert first.stat().st_mtime_ns == written
    name = "micrographs/micrograph_0002.mrc"
    assert (tmp_path / "out" / name).read_bytes() == (made / name).read_bytes()
    truth = read_star(tmp_path / "out" / "truth" / "micrographs.star")["micrographs"]
    assert truth["spaParticleSNR"].notna().all()


def _pdb(folder: Path) -> Path:
    """A protomer's worth of the built-in channel as a PDB file."""
    lines = [
        f"ATOM  {i + 1:5d}  CA  ALA A{i % 9999 + 1:4d}    {x:8.3f}{y:8.3f}{z:8.3f}  1.00 60.00           C"
        for i, (x, y, z) in enumerate(channel().positions_A[:2000])
    ]
    path = folder / "protomer.pdb"
    path.write_text("\n".join([*lines, "END", ""]), encoding="utf-8")
    return path


def test_an_atomic_model_is_read_expanded_and_simulated(tmp_path: Path) -> None:
    path = _pdb(tmp_path)
    atoms = read_atoms(path)
    assert atoms.positions_A.shape == (2000, 3)
    assert np.allclose(atoms.positions_A, channel().positions_A[:2000], atol=1e-3)
    assert np.isclose(atoms.amplitudes_A["C"].sum(), 2.509, atol=0.01)
    params = Params(micrographs=1, size_px=320, objects_per_micrograph=2, symmetry="C8", expand=True)
    ctx = simple_context("simulate", params, {"model": path}, tmp_path / "job")
    run(ctx)
    assert ctx.figures["atoms"] == 16000
    volume, _ = read_mrc(tmp_path / "job" / "out" / "truth" / "map.mrc")
    quarter = np.rot90(volume[:, 1:, 1:], axes=(1, 2))  # C8 holds C4, which needs no interpolation
    assert np.corrcoef(quarter.ravel(), volume[:, 1:, 1:].ravel())[0, 1] > 0.999


def test_the_synthetic_connexin_is_read(shared_data: Path) -> None:
    atoms = read_atoms(shared_data / "models" / "pseudo_innexin_C8_from_cx26.pdb.gz")
    assert len(atoms.symbols) == 14792
    assert set(atoms.symbols) == {"C", "N", "O", "S"}


def test_what_is_wrong_is_said_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_atoms(tmp_path / "nowhere.pdb")
    empty = tmp_path / "empty.pdb.gz"
    with gzip.open(empty, "wt") as handle:
        handle.write("REMARK nothing\n")
    with pytest.raises(UserError, match="no atoms"):
        read_atoms(empty)
    swapped = Params(defocus_min_A=20000.0, defocus_max_A=10000.0)
    with pytest.raises(UserError, match="swap"):
        run(simple_context("simulate", swapped, {}, tmp_path))
