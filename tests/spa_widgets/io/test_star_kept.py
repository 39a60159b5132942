"""Tables and columns of STAR files that nothing here understands are written again as they were read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import starfile

from spa_widgets.cli import main
from spa_widgets.io.datasets import MicrographSet, ParticleSet

OTHERS = """
data_general

_rlnTomoSubTomosAre2DStacks 1
_labNote  'two words'

data_lab_grids

loop_
_labGrid #1
_labDose #2
A-07 050.10
B-11 049.90
"""


def with_others(source: Path, target: Path) -> Path:
    """Add to a real file two tables, and a column to the optics table."""
    tables = starfile.read(source, always_dict=True)
    tables["optics"]["labLens"] = [f"007.{i}0" for i in range(len(tables["optics"]))]
    starfile.write(tables, target)
    target.write_text(target.read_text(encoding="utf-8") + OTHERS, encoding="utf-8")
    return target


def assert_kept(path: Path, groups: int) -> None:
    tables = starfile.read(path, always_dict=True, parse_as_string=["labGrid", "labDose", "labLens"])
    assert tables["lab_grids"].astype(str).to_numpy().tolist() == [["A-07", "050.10"], ["B-11", "049.90"]]
    general = dict(tables["general"].iloc[0] if isinstance(tables["general"], pd.DataFrame) else tables["general"])
    assert general == {"rlnTomoSubTomosAre2DStacks": 1, "labNote": "two words"}
    assert tables["optics"]["labLens"].tolist() == [f"007.{i}0" for i in range(groups)]


def test_particles(shared_data: Path, tmp_path: Path) -> None:
    real = shared_data / "formats" / "relion31.6opticsgroups.star"
    particles = ParticleSet.read(with_others(real, tmp_path / "in.star"))
    groups = len(particles.optics_table)
    particles.take(np.arange(5)).write(tmp_path / "some.star")
    assert_kept(tmp_path / "some.star", groups)
    posed = particles.with_poses(np.zeros((particles.count, 3)), np.zeros((particles.count, 2)))
    posed.with_table(posed.table[:3]).write(tmp_path / "posed.star")
    assert_kept(tmp_path / "posed.star", groups)
    assert ParticleSet.read(tmp_path / "posed.star").count == 3


def put_images(names: pd.Series, folder: Path) -> None:
    """Lay empty files where images should be: their names are looked up."""
    for name in names.str.rpartition("@")[2].unique():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_converted_particles(shared_data: Path, tmp_path: Path) -> None:
    source = with_others(shared_data / "formats" / "relion31.6opticsgroups.star", tmp_path / "in.star")
    tables = starfile.read(source, always_dict=True)
    put_images(tables["particles"]["rlnImageName"], tmp_path)
    assert main(["convert", str(source), "--out", str(tmp_path / "out.star")]) == 0
    assert_kept(tmp_path / "out.star", len(tables["optics"]))


def test_converted_positions(tmp_path: Path) -> None:
    source = tmp_path / "picks.star"
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "labLens": ["007.00"]})
    picks = pd.DataFrame({"rlnMicrographName": ["a.mrc"], "rlnCoordinateX": [1.0], "rlnCoordinateY": [2.0]})
    starfile.write({"optics": optics, "particles": picks}, source)
    source.write_text(source.read_text(encoding="utf-8") + OTHERS, encoding="utf-8")
    assert main(["convert", str(source), "--out", str(tmp_path / "out.star")]) == 0
    assert_kept(tmp_path / "out.star", 1)


def test_selected_micrographs(shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = with_others(shared_data / "formats" / "micrographs_ctf.star", tmp_path / "in.star")
    tables = starfile.read(source, always_dict=True)
    put_images(tables["micrographs"]["rlnMicrographName"], tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPA_STORE", raising=False)
    defocus_A = float(tables["micrographs"]["rlnDefocusU"].median())
    options = ["--max-defocus-A", str(defocus_A), "--quiet", "--out", "chosen"]
    assert main(["select-micrographs", "in.star", *options]) == 0
    kept = MicrographSet.read(tmp_path / "chosen" / "micrographs.star")
    assert 0 < kept.count < len(tables["micrographs"])
    assert_kept(tmp_path / "chosen" / "micrographs.star", len(tables["optics"]))
