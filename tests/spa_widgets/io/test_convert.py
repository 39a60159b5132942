"""Files of other programs through the command line: converted, and given to the steps as they are."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from bad_input import COUNT, make_project

from spa_widgets.cli import main
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPA_STORE", raising=False)
    return tmp_path


def spa(command: str) -> int:
    return main(command.split())


def test_particles_to_cryosparc_and_back(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("convert particles.star --out particles.cs") == 0
    assert f"{COUNT} particles in particles.cs" in capsys.readouterr().out
    assert spa("convert particles.cs --out again.star") == 0
    first, again = ParticleSet.read(here / "particles.star"), ParticleSet.read(here / "again.star")
    assert np.array_equal(first.to_engine().images(), again.to_engine().images())
    assert np.array_equal(first.half_sets, again.half_sets)
    assert np.allclose(first.to_engine().defocus.u_A, again.to_engine().defocus.u_A)
    assert first.pixel_size_A == again.pixel_size_A
    # coordinates need the micrographs' sizes; there are none in these particles
    assert spa("convert particles.star --out particles.cs") == 1
    assert "is there already; expected a new file" in capsys.readouterr().err


def test_a_step_takes_a_dataset_of_cryosparc_and_its_contrast(here: Path) -> None:
    """Black particles with sign -1 are classified as the white ones are."""
    images, pixel_size_A = read_mrc(here / "particles.mrcs")
    assert spa("convert particles.star --out white.cs") == 0
    particles = ParticleSet.read(here / "particles.star")
    write_mrc(here / "black.mrcs", -images, pixel_size_A, is_stack=True)
    black = particles.table.assign(
        rlnImageName=[name.replace("particles.mrcs", "black.mrcs") for name in particles.table["rlnImageName"]],
        spaImageSign=-1,
    )
    ParticleSet(black, particles.optics_table, here / "black.star").write(here / "black.star")
    assert spa("convert black.star --out black.cs") == 0
    for name in ("white", "black"):
        command = f"classify-2d {name}.cs --classes 1 --iterations 2 --mask-diameter-A 150 --quiet --out {name}"
        assert spa(command) == 0
    assert np.array_equal(*(read_mrc(here / name / "class_averages.mrcs")[0] for name in ("white", "black")))
    kept = read_star(here / "black" / "particles.star")["particles"]
    assert (kept["spaImageSign"] == -1).all()


def test_files_of_each_micrograph_become_one_table(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "mic_a.box").write_text("40 50 40 40\n100 90 40 40\n", encoding="utf-8")
    (here / "mic_b.box").write_text("50 60 40 40\n", encoding="utf-8")
    assert spa("convert mic_*.box --out all.star") == 0
    assert "3 positions on 2 micrographs in all.star" in capsys.readouterr().out
    assert spa("extract micrographs.star all.star --box-px 40 --diameter-A 50 --quiet --out joined") == 0
    assert spa("extract micrographs.star mic_b.box --box-px 40 --diameter-A 50 --quiet --out one") == 0
    joined = read_star(here / "joined" / "particles.star")["particles"]
    assert joined["rlnCoordinateX"].tolist() == [60.0, 120.0, 70.0]
    whole, one = (read_mrc(here / name / "particles.mrcs")[0] for name in ("joined", "one"))
    assert np.array_equal(whole[2:], one)
    assert spa("convert all.star --out all.csv") == 0
    assert (here / "all.csv").read_text(encoding="utf-8").splitlines()[0] == "micrograph,x,y"
    assert spa("convert all.star --out all.txt") == 1
    assert "names no format that is written; expected .star, .cs or .csv" in capsys.readouterr().err
