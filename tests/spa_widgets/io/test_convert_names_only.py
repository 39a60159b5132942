"""Tables converted on a machine that has none of their images."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from bad_input import COUNT, make_project

from spa_widgets.cli import main
from spa_widgets.io.image_paths import image_file
from spa_widgets.io.star import read_star, write_star

NAMES_ONLY = ["--names-only"]


@pytest.fixture
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Particles and micrographs without an image, the box in their optics table."""
    make_project(tmp_path)
    monkeypatch.chdir(tmp_path)
    for image in tmp_path.glob("*.mrc*"):
        image.unlink()
    return tmp_path


def convert(*arguments: str) -> int:
    return main(["convert", *arguments])


def test_there_and_back_every_value_is_the_same(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert convert("particles.star", "--out", "p.cs") == 1
    assert "To convert the table without its images, add --names-only." in capsys.readouterr().err
    assert not (alone / "p.cs").exists()
    assert convert("particles.star", "--out", "p.cs", *NAMES_ONLY) == 0
    assert f"{COUNT} particles in p.cs" in capsys.readouterr().out
    assert convert("p.cs", "--out", "again.star", *NAMES_ONLY) == 0
    first, again = (read_star(alone / name) for name in ("particles.star", "again.star"))
    assert list(first["particles"]["rlnImageName"]) == list(again["particles"]["rlnImageName"])
    assert again["optics"]["rlnImageSize"].iloc[0] == first["optics"]["rlnImageSize"].iloc[0]
    for column in ("rlnDefocusU", "rlnDefocusV", "rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"):
        values = [tables["particles"][column].to_numpy(float) for tables in (first, again)]
        assert np.allclose(*values, atol=2e-3), column


def test_micrographs_and_particles_keep_their_names(alone: Path) -> None:
    assert convert("micrographs.star", "--out", "m.star", *NAMES_ONLY) == 0
    assert list(read_star(alone / "m.star")["micrographs"]["rlnMicrographName"]) == ["mic_a.mrc", "mic_b.mrc"]
    assert convert("particles.star", "--out", "q.star", *NAMES_ONLY) == 0
    assert read_star(alone / "q.star")["particles"].equals(read_star(alone / "particles.star")["particles"])


def test_what_names_alone_cannot_tell_is_said(alone: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (alone / "q.star").write_bytes((alone / "particles.star").read_bytes())
    assert convert("particles.star", "q.star", "--out", "p.star", *NAMES_ONLY) == 1
    assert "with --names-only each is converted alone" in capsys.readouterr().err
    tables = read_star(alone / "particles.star")
    write_star(alone / "b.star", {**tables, "optics": tables["optics"].drop(columns="rlnImageSize")})
    assert convert("b.star", "--out", "p.cs", *NAMES_ONLY) == 1
    assert "does not state the image size; expected rlnImageSize in its optics table" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("J1/stack.mrc:mrcs", ("J1/stack.mrc", ":mrcs")),
        ("J1/stack.mrcs", ("J1/stack.mrcs", "")),
        ("10:30.mrc", ("10:30.mrc", "")),
        ("a:mrcs.mrc", ("a:mrcs.mrc", "")),
    ],
)
def test_a_format_behind_a_name_is_no_part_of_it(name: str, parts: tuple[str, str]) -> None:
    assert image_file(name) == parts


def test_a_mistyped_command_is_told_its_neighbour(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["refin"]) == 2
    assert "No such command 'refin'. Did you mean 'refine'?" in capsys.readouterr().err
    assert main(["clasify_2d"]) == 2
    assert "Did you mean 'classify-2d'?" in capsys.readouterr().err
    assert main(["xyzzy"]) == 2
    assert "Did you mean" not in capsys.readouterr().err
