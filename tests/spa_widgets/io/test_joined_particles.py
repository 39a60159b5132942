"""Particles of several files become one set: each keeps its image, CTF, contrast and optics."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from bad_input import COUNT, PIXEL_A, make_project

from engine.fourier.crop import fourier_resize
from spa_widgets.cli import main
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two projects: the other one's particles are black, finer, of 200 kV, and have a phase plate's shift."""
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        make_project(tmp_path / name)
    images = fourier_resize(read_mrc(tmp_path / "one" / "particles.mrcs")[0], 40)
    write_mrc(tmp_path / "other" / "particles.mrcs", -images, PIXEL_A * 32 / 40, is_stack=True)
    tables = read_star(tmp_path / "other" / "particles.star")
    optics = tables["optics"].drop(columns="rlnImagePixelSize").assign(rlnVoltage=200.0, rlnImageSize=40)
    rows = tables["particles"].assign(rlnPhaseShift=70.0, spaImageSign=-1, rlnSeenHereOnly=1.0)
    write_star(
        tmp_path / "other" / "particles.star",
        {"optics": optics.assign(rlnPixelSize=PIXEL_A * 32 / 40), "particles": rows},
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_particle_keeps_what_belongs_to_it(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "one/particles.star", "other/particles.star", "--out", "all.star"]) == 0
    assert capsys.readouterr().out.strip() == (
        f"{2 * COUNT} particles of 4.8, 6 Å/px in 2 optics groups; not in all and left out: rlnSeenHereOnly in all.star"
    )
    joined = ParticleSet.read(here / "all.star")
    assert joined.grid().sizes == [(32, 6.0), (40, 4.8)]
    assert np.asarray(joined.optics.voltage_kv).tolist() == [300.0] * COUNT + [200.0] * COUNT
    assert np.asarray(joined.defocus.phase_shift_deg).tolist() == [0.0] * COUNT + [70.0] * COUNT
    # two projects' micrographs of one name are two
    assert joined.table["rlnMicrographName"].nunique() == 2
    images = joined.to_engine().images()
    # the same particle, coarse and white, fine and black
    alike = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(images[:COUNT], images[COUNT:], strict=True)]
    assert min(alike) > 0.98


def test_a_joined_dataset_of_cryosparc(here: Path) -> None:
    assert main(["convert", "one/particles.star", "--out", "one.cs"]) == 0
    assert main(["convert", "one.cs", "other/particles.star", "--out", "all.cs"]) == 0
    joined = ParticleSet.read(here / "all.cs")
    assert sorted(set(joined.pixel_sizes_A.round(4))) == [4.8, 6.0]
    assert joined.table["spaImageSign"].tolist() == [1] * COUNT + [-1] * COUNT
    assert joined.table["csUid"].is_unique


def test_a_particle_in_two_files_is_named(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = read_star(here / "one" / "particles.star")
    rows = tables["particles"].iloc[3:5]
    names = [name.lstrip("0") for name in rows["rlnImageName"]]
    write_star(here / "one" / "few.star", {**tables, "particles": rows.assign(rlnImageName=names)})
    assert main(["convert", "one/particles.star", "one/few.star", "--out", "all.star"]) == 1
    said = capsys.readouterr().err
    assert "4@" in said and "(and 1 more) is there twice; expected each particle in one of the files: leave" in said
    assert not (here / "all.star").exists()
