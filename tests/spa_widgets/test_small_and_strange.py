"""Few particles, odd boxes, one micrograph: jobs end with results and, where it helps, a word of advice."""

from __future__ import annotations

import shlex
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

import bad_input
from bad_input import PIXEL_A, keep_rows, make_project

from engine.fourier.crop import fourier_resize, fourier_resize_volume
from engine.simulation.micrographs import simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import SMALL
from spa_widgets.cli import main
from spa_widgets.io.mrc import mrc_shape, read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star

ODD_PX = 31
ODD_A = PIXEL_A * bad_input.BOX_PX / ODD_PX
CLASSIFY = "classify-2d particles.star --mask-diameter-A 150 --iterations 2 --classes"
EXTRACT = "extract micrographs.star picks.star --diameter-A 60 --box-px 64"


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("strange")
    make_project(folder)
    return folder


def run(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], command: str, out: Path
) -> str:
    """Run a command that must succeed, and return what it said on the side."""
    monkeypatch.chdir(here)
    monkeypatch.delenv("SPA_STORE", raising=False)
    capsys.readouterr()
    status = main([*shlex.split(command), "--quiet", "--out", str(out)])
    said = capsys.readouterr().err.replace(str(here), "{here}")
    assert status == 0, said
    return said


def few(here: Path, count: int) -> str:
    """Write the first particles to a file of their own, and return its name."""
    tables = read_star(here / "particles.star")
    write_star(here / f"few{count}.star", {**tables, "particles": tables["particles"].iloc[:count]})
    return f"few{count}.star"


@pytest.mark.parametrize(
    ("count", "wanted", "made", "advice"),
    [
        (24, 50, 4, "50 classes were asked for, but {here}/few24.star holds 24 particles; 4 classes are made instead: "
         "pick more particles to tell more views apart."),
        (3, 4, 1, "4 classes were asked for, but {here}/few3.star holds 3 particles; 1 class is made instead: pick "
         "more particles to tell more views apart."),
        (12, 6, 6, "12 particles in 6 classes are fewer than 5 in each; averages of so few show noise as if it were "
         "detail: 1 would show more."),
        (24, 2, 2, ""),
        (2, 1, 1, ""),
    ],
)  # fmt: skip
def test_few_particles_are_classified(  # type: ignore[no-untyped-def]
    here: Path, tmp_path: Path, monkeypatch, capsys, count: int, wanted: int, made: int, advice: str
) -> None:
    command = f"{CLASSIFY} {wanted}".replace("particles.star", few(here, count))
    said = run(here, monkeypatch, capsys, command, tmp_path / "out")
    # of so few, no class has a resolution, which is said besides
    lines = [line for line in said.splitlines() if " class" in line and "No class has a resolution" not in line]
    assert lines == ([f"warning: {advice}"] if advice else [])
    averages = read_mrc(tmp_path / "out" / "class_averages.mrcs")[0]
    assert averages.shape == (made, 32, 32) and np.isfinite(averages).all()
    assert len(read_star(tmp_path / "out" / "particles.star")["particles"]) == count


def test_one_pick_on_one_oblong_micrograph_is_extracted(  # type: ignore[no-untyped-def]
    tmp_path: Path, monkeypatch, capsys
) -> None:
    make_project(tmp_path)
    keep_rows(tmp_path / "micrographs.star", "micrographs", 1)
    keep_rows(tmp_path / "picks.star", "particles", 1)
    run(tmp_path, monkeypatch, capsys, EXTRACT, tmp_path / "out")
    assert mrc_shape(tmp_path / "mic_a.mrc") == (192, 256)
    assert mrc_shape(tmp_path / "out" / "particles.mrcs") == (1, 64, 64)
    table = read_star(tmp_path / "out" / "particles.star")["particles"]
    assert table["rlnRandomSubset"].isin([1, 2]).all() and len(table) == 1


def test_an_odd_box_becomes_the_next_even_one(here: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    odd_sizes = EXTRACT.replace("--box-px 64", "--box-px 63 --crop-px 31")
    said = run(here, monkeypatch, capsys, odd_sizes, tmp_path / "odd")
    for what, side_px in (("box", 63), ("Fourier-cropped box", 31)):
        sentence = f"A {what} of {side_px} px is odd, and {side_px + 1} px are taken: RELION and others cut even boxes"
        assert sentence in said
    run(here, monkeypatch, capsys, f"{EXTRACT} --crop-px 32", tmp_path / "even")
    cut = [(tmp_path / name / "particles.mrcs").read_bytes() for name in ("odd", "even")]
    assert cut[0] == cut[1] and mrc_shape(tmp_path / "odd" / "particles.mrcs")[1:] == (32, 32)


def test_empty_classes_pick_nothing_and_hinder_nothing(here: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    averages, size_A = read_mrc(here / "classes" / "class_averages.mrcs")
    averages[1] = 0
    write_mrc(here / "some_empty.mrcs", averages, size_A, is_stack=True)
    write_mrc(here / "none_empty.mrcs", averages[[0, 2]], size_A, is_stack=True)
    picks = {}
    for name in ("some", "none"):
        command = f"pick-templates micrographs.star --templates {name}_empty.mrcs --diameter-A 100"
        said = run(here, monkeypatch, capsys, command, tmp_path / name)
        picks[name] = (tmp_path / name / "picks.star").read_text(encoding="utf-8")
        assert ("1 of the 3 templates are empty classes and are left out (2): choose" in said) == (name == "some")
    assert picks["some"] == picks["none"]


def test_one_oblong_micrograph_goes_all_the_way_to_classes(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    """Import, CTF, selection, picks, extraction and 2D classes of a single micrograph that is not square."""
    settings = replace(SMALL, count=1, shape=(620, 900), pixel_size_A=2.0, objects_per_micrograph=20)
    (made,) = simulate_micrographs(channel_in_nanodisc(), settings, np.random.default_rng(5))
    write_mrc(tmp_path / "only.mrc", made.image.astype(np.float32), 2.0)
    for command in (
        "import only.mrc --pixel-size-A 2 --voltage-kv 300 --cs-mm 1.6 --out import",
        "estimate-ctf import/micrographs.star --out ctf",
        "select-micrographs ctf/micrographs.star --out chosen",
        "pick-blobs chosen/micrographs.star --diameter-A 160 --out picks",
        "extract chosen/micrographs.star picks/picks.star --diameter-A 160 --crop-px 48 --out particles",
        "classify-2d particles/particles.star --classes 50 --iterations 3 --out classes",
        "select-2d classes --classes 1 --out good",
        "pick-templates ctf/micrographs.star --templates classes/class_averages.mrcs --diameter-A 160 --out again",
    ):
        name = command.split()[-1]
        run(tmp_path, monkeypatch, capsys, command.removesuffix(f" --out {name}"), tmp_path / name)
    found = read_star(tmp_path / "ctf" / "micrographs.star")["micrographs"]
    assert abs(float(found["rlnDefocusU"].iloc[0]) - float(made.truth.defocus.u_A)) < 300
    particles = read_star(tmp_path / "particles" / "particles.star")["particles"]
    true_px = np.asarray(made.truth.coordinates_px)
    places = particles[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
    nearest_px = np.linalg.norm(places[:, None] - true_px[None], axis=2).min(axis=1)
    # objects lie everywhere, beyond the side of a square as well
    assert len(particles) > 8 and (nearest_px * 2.0 < 40).mean() > 0.8 and places[:, 0].max() > 620
    assert len(read_star(tmp_path / "good" / "particles.star")["particles"]) >= 1


@pytest.fixture(scope="module")
def odd(here: Path) -> Path:
    """The particles and maps with an odd box."""
    images = fourier_resize(read_mrc(here / "particles.mrcs")[0], ODD_PX)
    write_mrc(here / "odd.mrcs", images, ODD_A, is_stack=True)
    write_mrc(here / "odd_map.mrc", fourier_resize_volume(read_mrc(here / "map.mrc")[0], ODD_PX), ODD_A)
    tables = read_star(here / "particles.star")
    rows = tables["particles"]
    rows = rows.assign(rlnImageName=[name.replace("particles.mrcs", "odd.mrcs") for name in rows["rlnImageName"]])
    optics = tables["optics"].assign(rlnImagePixelSize=ODD_A, rlnImageSize=ODD_PX)
    write_star(here / "odd.star", {"optics": optics, "particles": rows})
    return here


@pytest.mark.parametrize(
    ("command", "output", "shape"),
    [
        ("classify-2d odd.star --classes 2 --mask-diameter-A 150 --iterations 2", "class_averages.mrcs",
         (2, ODD_PX, ODD_PX)),
        ("initial-model odd.star --mask-diameter-A 150 --iterations 2 --starts 1 --start-iterations 1 "
         "--final-resolution-A 20", "volume_1.mrc", (ODD_PX,) * 3),
        ("refine odd.star --reference odd_map.mrc --mask-diameter-A 150 --max-iterations 2", "map.mrc", (ODD_PX,) * 3),
        ("flip-hand odd_map.mrc", "map_flipped.mrc", (ODD_PX,) * 3),
    ],
)  # fmt: skip
def test_an_odd_box_is_no_obstacle(  # type: ignore[no-untyped-def]
    odd: Path, tmp_path: Path, monkeypatch, capsys, command: str, output: str, shape: tuple[int, ...]
) -> None:
    run(odd, monkeypatch, capsys, command, tmp_path / "out")
    found = read_mrc(tmp_path / "out" / output)[0]
    assert found.shape == shape and np.isfinite(found).all() and found.std() > 0


WINDOW = "The window of 25 Å does not suit {} voxels of {:.3g} Å (from 4 voxels to half the box), so {:.3g} Å are taken"


@pytest.mark.parametrize("side", [15, 16, 31])
def test_maps_of_any_small_box_are_judged(here: Path, tmp_path: Path, monkeypatch, capsys, side: int) -> None:  # type: ignore[no-untyped-def]
    voxel_A = PIXEL_A * bad_input.BOX_PX / side
    for name in ("map", "half_a", "half_b"):
        write_mrc(here / f"{name}{side}.mrc", fourier_resize_volume(read_mrc(here / f"{name}.mrc")[0], side), voxel_A)
    halves = f"half_a{side}.mrc half_b{side}.mrc"
    for command, output in (
        (f"fsc {halves}", "mask_auto.mrc"),
        (f"sharpen map{side}.mrc --resolution-A 30", "map_sharp.mrc"),
        (f"compare-maps map{side}.mrc half_a{side}.mrc --no-align", "aligned.mrc"),
        (f"local-resolution {halves}", "local_resolution.mrc"),
    ):
        said = run(here, monkeypatch, capsys, command, tmp_path / command[:6])
        found = read_mrc(tmp_path / command[:6] / output)[0]
        assert found.shape == (side,) * 3 and np.isfinite(found).all()
    assert (WINDOW.format(side, voxel_A, 4 * voxel_A) in said) == (4 * voxel_A > 25)


@pytest.mark.parametrize(
    ("command", "count", "sentence"),
    [
        ("initial-model {} --mask-diameter-A 150", 12,
         "{here}/few12.star: there are 12 particles; an initial model needs at least 24: choose more."),
        ("refine {} --reference map.mrc", 1,
         "{here}/few1.star holds 1 particle; expected one for each half map at least: choose more classes or picks."),
        ("classify-2d {} --classes 1", 1,
         "{here}/few1.star holds 1 particle; expected at least 2 to make a class: pick more."),
    ],
)  # fmt: skip
def test_too_few_to_mean_anything_are_told_at_once(  # type: ignore[no-untyped-def]
    here: Path, tmp_path: Path, monkeypatch, capsys, command: str, count: int, sentence: str
) -> None:
    monkeypatch.chdir(here)
    arguments = shlex.split(command.format(few(here, count)))
    assert main([*arguments, "--quiet", "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.replace(str(here), "{here}").strip() == f"spa: {sentence}"


def test_two_particles_make_a_map_and_a_warning(here: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    command = f"refine {few(here, 2)} --reference map.mrc --no-align-symmetry --max-iterations 2"
    said = run(here, monkeypatch, capsys, command, tmp_path / "out")
    assert "few2.star holds 2 particles; a map of fewer than 10 shows noise as if it were detail, and its" in said
    assert np.isfinite(read_mrc(tmp_path / "out" / "map.mrc")[0]).all()


def test_a_dozen_particles_are_refined(here: Path, tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    command = f"refine {few(here, 12)} --reference map.mrc --symmetry C8 --no-align-symmetry --max-iterations 2"
    run(here, monkeypatch, capsys, command, tmp_path / "out")
    truth, found = read_mrc(here / "map.mrc")[0], read_mrc(tmp_path / "out" / "map.mrc")[0]
    assert np.corrcoef(truth.ravel(), found.ravel())[0, 1] > 0.5
