"""What the guard says about each mistake, word for word, and that it is silent about good data."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from bad_input import particle_table

from engine.alignment.symmetry_axis import SymmetryAlignment
from engine.checks.axial_order import axial_scores, most_likely_order
from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.symmetry import point_group
from spa_widgets.cli import main
from spa_widgets.guard.maps import hand_warnings, symmetry_warnings
from spa_widgets.guard.microscope import micrograph_warnings, optics_warnings
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.guard.picks import coordinate_warnings, template_warnings
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star

COUNT, BOX_PX, PIXEL_A = 60, 48, 4.6


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Particles with nothing wrong."""
    folder = tmp_path_factory.mktemp("guard")
    rng = np.random.default_rng(11)
    images, truth = simulate_particles(
        channel_in_nanodisc(), COUNT, BOX_PX, PIXEL_A, Optics(300.0, 1.6, 0.1), (8000, 16000), 0.3, rng
    )
    write_mrc(folder / "p.mrcs", images, PIXEL_A, is_stack=True)
    write_mrc(folder / "black.mrcs", -images, PIXEL_A, is_stack=True)
    write_mrc(folder / "other.mrcs", images, 2 * PIXEL_A, is_stack=True)
    optics = {"rlnOpticsGroup": [1], "rlnImagePixelSize": [PIXEL_A], "rlnImageSize": [BOX_PX], "rlnVoltage": [300.0]}
    optics |= {"rlnSphericalAberration": [1.6], "rlnAmplitudeContrast": [0.1], "rlnMicrographPixelSize": [1.0]}
    table = particle_table(truth, "p.mrcs", "a.mrc").assign(
        rlnCoordinateX=100.0 * (np.arange(COUNT) % 8), rlnCoordinateY=100.0 * (np.arange(COUNT) // 8)
    )
    write_star(folder / "good.star", {"optics": pd.DataFrame(optics), "particles": table})
    return folder


Change = Callable[[pd.DataFrame, pd.DataFrame], object]


def scale(*names: str, by: float) -> Change:
    return lambda optics, rows: [rows.__setitem__(name, rows[name] * by) for name in names]


def put(name: str, value: object) -> Change:
    return lambda optics, rows: (optics if name in optics else rows).__setitem__(name, value)


def move(rows: pd.DataFrame, count: int, step: int) -> None:
    """Put the first particles 5 Å beside those that come some rows later."""
    for name in ("rlnCoordinateX", "rlnCoordinateY"):
        rows.loc[: count - 1, name] = rows[name].to_numpy()[step : step + count] + 3.0


def halve_pixels(optics: pd.DataFrame) -> None:
    """State the pixel size before binning."""
    optics["rlnImagePixelSize"] = PIXEL_A / 2


def same_image(rows: pd.DataFrame, row: int, other: int) -> None:
    rows.loc[row, "rlnImageName"] = rows["rlnImageName"].iloc[other]


U, V = "rlnDefocusU", "rlnDefocusV"
ANGLES = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
STACK = {name: [f"{i + 1:06d}@{name}.mrcs" for i in range(COUNT)] for name in ("black", "other")}
FIX = "remove one of each pair (extract anew with a minimum distance of 20 Å or more)"

# fmt: off
TABLE: list[tuple[Change, float, str]] = [
    (scale(U, V, by=1e-4), 120,
     "The defocus of bad.star is 1.22788 in most rows, as if it were in µm; it is read as Å, so the CTF would be that "
     "of an image in focus: multiply rlnDefocusU and rlnDefocusV by 10000."),
    (scale(U, V, by=0.1), 120,
     "The defocus of bad.star is 1227.88 in most rows, as if it were in nm; it is read as Å, so the CTF would be that "
     "of an image in focus: multiply rlnDefocusU and rlnDefocusV by 10."),
    (scale(*ANGLES, by=np.pi / 180), 120,
     "All values of rlnAngleRot, rlnAngleTilt and rlnAnglePsi in bad.star lie within 2π, as if they were in radians; "
     "they are read as degrees, so all would point the same way: multiply them by 57.29578."),
    (scale("rlnDefocusAngle", by=np.pi / 180), 120,
     "All values of rlnDefocusAngle in bad.star lie within 2π, as if they were in radians; they are read as degrees, "
     "so all would point the same way: multiply them by 57.29578."),
    (put("rlnImageName", STACK["other"]), 120,
     "bad.star states 4.6 Å per pixel, the header of its stack 9.2 Å; the first is used, and CTF, masks and resolution "
     "follow from it: correct rlnImagePixelSize if the header is right."),
    (lambda optics, rows: move(rows, 6, 7), 120,
     "12 of 60 particles are in both half sets (the same image, or centres within 20 Å); the halves share their noise, "
     f"so the FSC is too good: {FIX} and draw the half sets again."),
    (lambda optics, rows: move(rows, 6, 8), 120,
     "12 of 60 particles are there twice (the same image, or centres within 20 Å); they count twice, and half sets "
     f"drawn now would share them: {FIX}."),
    (lambda optics, rows: same_image(rows, 0, 1), 120,
     "2 of 60 particles are in both half sets (the same image, or centres within 20 Å); the halves share their noise, "
     f"so the FSC is too good: {FIX} and draw the half sets again."),
    (scale(U, V, by=5.0), 120,
     "At the typical defocus of 61394 Å the CTF is aliased beyond 10.9 Å in a box of 221 Å; finer detail is smeared "
     "out of the box and lost: extract with a box of at least 262 Å to reach 9.2 Å."),
    (put("rlnImageName", STACK["black"]), 120,
     "Protein seems to be black in these images (21 standard errors from white); it is expected white, and classes and "
     "maps would come out inverted: extract again with the contrast inverted, or give the particles a column "
     "spaImageSign of -1."),
    (lambda optics, rows: None, 200,
     "The box of 221 Å is only 1.10 times the diameter of 200 Å; background and delocalised detail are cut off: "
     "extract with a box of at least 280 Å."),
    (lambda optics, rows: halve_pixels(optics), 160,
     "The particles look about 63 Å wide, and a diameter of 160 Å is given; were the pixel size of 2.3 Å wrong, every "
     "length and resolution would be: check it (is it that before binning?), and if it is right give the diameter that "
     "fits."),
    (lambda optics, rows: None, 90,
     "The particles look about 121 Å wide, and a diameter of 90 Å is given; were the pixel size of 4.6 Å wrong, every "
     "length and resolution would be: check it (is it that before binning?), and if it is right give the diameter that "
     "fits."),
    (put("rlnVoltage", 30.0), 120,
     "A voltage of 30 kV is given, and no usual microscope has it (most have 200 or 300 kV); the wavelength follows "
     "from it and every defocus with it: look it up in the records of the session."),
    (put("rlnSphericalAberration", 0.27), 120,
     "A spherical aberration of 0.27 mm is given, and usual lenses have 1.2 to 4.1 mm; the CTF beyond about 5 Å "
     "depends on it: take it from the microscope's data sheet."),
]
# fmt: on


@pytest.mark.parametrize(("change", "diameter_A", "sentence"), TABLE)
def test_a_mistake_in_particles_gets_its_sentence(good: Path, change: Change, diameter_A: float, sentence: str) -> None:
    tables = read_star(good / "good.star")
    change(tables["optics"], tables["particles"])
    write_star(good / "bad.star", tables)
    found = particle_warnings(ParticleSet.read(good / "bad.star"), diameter_A)
    assert sentence in found, found


def test_negative_defocus_gets_its_sentence(good: Path) -> None:
    tables = read_star(good / "good.star")
    tables["particles"][[U, V]] *= -1
    write_star(good / "bad.star", tables)
    found = particle_warnings(ParticleSet.read(good / "bad.star"))
    assert found[0] == (
        "The defocus of bad.star is negative in most rows (-12278.8 Å); here underfocus is positive, so contrast and "
        "CTF would be inverted: change the sign of rlnDefocusU and rlnDefocusV."
    )


@pytest.mark.parametrize("diameter_A", [None, 120.0, 160.0])
def test_nothing_is_said_of_good_particles(good: Path, diameter_A: float | None) -> None:
    assert particle_warnings(ParticleSet.read(good / "good.star"), diameter_A) == []


@pytest.mark.parametrize("diameter_A", [150.0, 180.0, 200.0])
def test_nothing_is_said_of_real_particles(shared_data: Path, diameter_A: float) -> None:
    real = ParticleSet.read(shared_data / "betagal" / "particles_dev.star")
    said = [text for text in particle_warnings(real, diameter_A) if "times the diameter" not in text]
    assert said == []  # at 200 Å the box is narrow, and that is told


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_pixel_size_that_is_wrong_by_binning_shows_in_real_particles(shared_data: Path, factor: float) -> None:
    real = ParticleSet.read(shared_data / "betagal" / "particles_dev.star")
    optics = real.optics_table.assign(rlnImagePixelSize=real.pixel_size_A * factor)
    wrong = ParticleSet(real.table, optics, real.path)
    assert any(text.startswith("The particles look about") for text in particle_warnings(wrong, 180.0))


def test_what_cannot_be_read_is_left_to_the_step(good: Path) -> None:
    tables = read_star(good / "good.star")
    write_star(good / "bad.star", {**tables, "particles": tables["particles"].assign(rlnImageName="1@gone.mrcs")})
    assert particle_warnings(ParticleSet.read(good / "bad.star")) == []


@pytest.mark.parametrize(
    ("constants", "sentence"),
    [
        ((250.0, 2.7, 0.1), "A voltage of 250 kV is given, and no usual microscope has it (most have 200 or 300 kV); "
         "the wavelength follows from it and every defocus with it: look it up in the records of the session."),
        ((300.0, 0.0, 0.1), "A spherical aberration of 0 mm is given, which only a microscope with a Cs corrector has; "
         "the CTF beyond about 5 Å depends on it: without a corrector take it from the microscope's data sheet."),
        ((300.0, 2.7, 0.7), "An amplitude contrast of 0.7 is given, and proteins in ice have 0.07 to 0.1; the phase of "
         "the CTF and the defocus shift with it: give 0.1 unless you know better."),
    ],
)  # fmt: skip
def test_unusual_optics_get_their_sentence(constants: tuple[float, float, float], sentence: str) -> None:
    assert optics_warnings(*constants) == [sentence]


@pytest.mark.parametrize(
    "constants", [(300.0, 1.6, 0.1), (300.0, 2.7, 0.07), (200.0, 1.4, 0.1), (120.0, 6.3, 0.1), (300.0, 0.01, 0.07)]
)
def test_nothing_is_said_of_usual_optics(constants: tuple[float, float, float]) -> None:
    assert optics_warnings(*constants) == []


WORKSHOP = (3838, 3710)


@pytest.mark.parametrize(
    ("shapes", "sizes_A", "given_A", "sentences"),
    [
        ([WORKSHOP] * 2, [1.232, 1.232], 1.232, []),
        ([WORKSHOP] * 2, [0.0, 1.0], 1.232, []),
        ([WORKSHOP] * 2, [1.232, 1.05], 1.232, [
            "The header of m1.mrc states 1.05 Å per pixel, 1.232 Å was given (1 of 2 files differ); the given value is "
            "used: make sure that it is that of these micrographs."]),
        ([WORKSHOP] * 2, [0.616, 0.616], 1.232, [
            "The header of m0.mrc states 0.616 Å per pixel, 1.232 Å was given (a factor of 2: is one the size before "
            "binning?) (2 of 2 files differ); the given value is used: make sure that it is that of these "
            "micrographs."]),
        ([(7676, 7420)] * 2, [0.0, 0.0], 1.232, [
            "The micrographs have 7420 × 7676 px, the super-resolution format of the K2, and 1.232 Å per pixel is what "
            "its physical pixels usually have; all lengths would be doubled: give 0.616 Å unless the images were not "
            "binned and this is their own size."]),
        ([(7676, 7420)] * 2, [0.0, 0.0], 0.616, []),
        ([(4092, 5760)] * 2, [0.0, 0.0], 8.3, [
            "The micrographs have 5760 × 4092 px as from the K3, whose pixels of 5 µm would make 8.3 Å a magnification "
            "of 6,024; proteins are imaged at 12,000 to 500,000, and every length follows from the pixel size: look it "
            "up in the records of the session."]),
        ([(4092, 5760)] * 2, [0.0, 0.0], 0.83, []),
        ([(8184, 11520)] * 2, [0.0, 0.0], 0.415, []),
        ([(4096, 4096)] * 2, [0.0, 0.0], 0.93, []),
        ([(8192, 8192)] * 2, [0.0, 0.0], 1.1, []),
        ([(3000, 3000)] * 2, [0.0, 0.0], 10.0, []),
        ([WORKSHOP] * 2, [0.0, 0.0], 0.12, [
            "A pixel size of 0.12 Å is given, smaller than those of microscopes, as if it were in nm; every length "
            "follows from it: give 1.2 if it is 0.12 nm."]),
        ([WORKSHOP, (4096, 4096)], [0.0, 0.0], 1.2, [
            "The micrographs differ in size (1 of 3710 × 3838 px, 1 of 4096 × 4096 px); they may come from different "
            "detectors or settings."]),
    ],
)  # fmt: skip
def test_headers_against_the_given_pixel_size(
    shapes: list[tuple[int, int]], sizes_A: list[float], given_A: float, sentences: list[str]
) -> None:
    files = [Path(f"m{i}.mrc") for i in range(len(shapes))]
    assert micrograph_warnings(files, shapes, sizes_A, given_A) == sentences


def spread(shape: tuple[int, int], factor: float, count: int = 60) -> np.ndarray:
    """Centres over the whole of a micrograph, as they are after their coordinates were multiplied by a factor."""
    return np.random.default_rng(4).uniform(0.02, 0.98, (count, 2)) * (shape[1], shape[0]) * factor


@pytest.mark.parametrize(
    ("factor", "count", "sentences"),
    [
        (1.0, 60, []),
        (0.5, 60, [
            "All 120 picks lie within the first 48 % of the width and height of their micrographs; they were probably "
            "made on binned ones, and the boxes would lie beside the particles: multiply the coordinates by the factor "
            "of binning."]),
        (2.0, 60, [
            "88 of 120 picks lie outside their micrographs, up to 1.9 times as far as their edge; they were probably "
            "made before binning: pick on these micrographs, or divide the coordinates by the factor of binning."]),
        (0.5, 10, []),
    ],
)  # fmt: skip
def test_coordinates_of_another_binning_get_their_sentence(factor: float, count: int, sentences: list[str]) -> None:
    shapes = [(600, 800), (800, 600)]
    assert coordinate_warnings([spread(shape, factor, count) for shape in shapes], shapes) == sentences


def test_black_templates_get_their_sentence(good: Path) -> None:
    images = read_mrc(good / "p.mrcs")[0]
    white = np.stack([images[start::4].mean(axis=0) for start in range(4)])
    disc = np.hypot(*np.mgrid[-16:16, -16:16]) < 10
    discs = np.stack([disc * 1.0, disc * 2.0]).astype(np.float32)
    assert template_warnings(discs) == [] and template_warnings(white) == []
    assert template_warnings(np.concatenate([-discs, -discs, discs])) == [
        "67 % of the templates are darker in the middle than at the edge; particles are expected white in templates, "
        "and black ones find the gaps between particles: give them with the contrast inverted."
    ]


def ring(order: int) -> np.ndarray:
    """Unequal blobs, repeated about z."""
    axis = (np.arange(32) - 16) * 6.0
    start = np.random.default_rng(2).uniform((25, -30, -40), (55, 30, 40), (8, 3))
    points = np.concatenate([start @ turn.T for turn in point_group(f"C{order}")])
    x, y, z = (np.exp(-((axis - points[:, i, None]) ** 2) / 128.0) for i in range(3))
    return np.einsum("pz,py,px->zyx", z, y, x, optimize=True).astype(np.float32)


def placed(volume: np.ndarray, score: float) -> SymmetryAlignment:
    return SymmetryAlignment(volume, np.eye(3), np.zeros(3), score)


@pytest.mark.parametrize(
    ("order", "asked", "score", "sentences"),
    [
        (8, "C8", 0.9, []),
        (4, "C8", 0.2, [
            "The initial model looks like C4 (score 1.00), not C8 (0.20; 1 is perfect); a wrong order smears all that "
            "differs between the subunits: refine in C1 or C4 and compare."]),
        (7, "C8", 0.0, [
            "The initial model looks like C7 (score 1.00), not C8 (0.00; 1 is perfect); a wrong order smears all that "
            "differs between the subunits: refine in C1 or C7 and compare."]),
        (8, "C4", 0.9, [
            "The initial model fits C8 (score 1.00) as well as C4 (1.00); with the lower order fewer views are "
            "averaged: try C8, and keep it if the resolution improves."]),
        (1, "T", 0.1, [
            "The initial model shows little T symmetry (score 0.10, 1 is perfect); compare with a refinement in C1."]),
        (1, "T", 0.8, []),
    ],
)  # fmt: skip
def test_order_of_symmetry_gets_its_sentence(order: int, asked: str, score: float, sentences: list[str]) -> None:
    volume = ring(order)
    assert symmetry_warnings(volume, placed(volume, score), 6.0, asked) == sentences


def test_an_axis_missed_by_a_wrong_order_is_looked_for_with_its_neighbours() -> None:
    tilted = np.ascontiguousarray(ring(7).transpose(2, 1, 0))
    assert most_likely_order(axial_scores(tilted, 6.0)) == 1
    (sentence,) = symmetry_warnings(tilted, placed(tilted, 0.0), 6.0, "C8")
    assert sentence.startswith("The initial model looks like C7 (score 1.00), not C8")


def test_hand_gets_its_sentence() -> None:
    assert hand_warnings(0.93, 0.61) == [
        "The map is the mirror image of the reference (correlation 0.93 mirrored, 0.61 as it is); helices would be "
        "left-handed and no model would fit: mirror it, and the poses with it, with flip_hand."
    ]
    assert hand_warnings(0.93, 0.925) == [
        "The map and its mirror image fit the reference equally well (correlation 0.93 and 0.93); at this resolution "
        "the hand is not seen: decide on it once helices are resolved."
    ]


def test_black_images_marked_as_such_are_right(good: Path) -> None:
    tables = read_star(good / "good.star")
    rows = tables["particles"].assign(rlnImageName=STACK["black"], spaImageSign=-1)
    write_star(good / "marked.star", {**tables, "particles": rows})
    assert particle_warnings(ParticleSet.read(good / "marked.star"), 120.0) == []
    assert np.array_equal(read_mrc(good / "black.mrcs")[0], -read_mrc(good / "p.mrcs")[0])


def test_nothing_is_said_along_the_tutorial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPA_STORE", raising=False)
    for command in (
        "simulate --micrographs 2 --size-px 1024 --seed 3 --out sim",
        "import sim/micrographs/*.mrc --pixel-size-A 2.464 --voltage-kv 300 --cs-mm 1.6 --dose-e-per-A2 35 --out in",
        "extract sim/truth/micrographs.star sim/truth/particles.star --box-px 90 --diameter-A 160 --out whole",
        "extract sim/truth/micrographs.star sim/truth/particles.star --box-px 90 --diameter-A 160 --crop-px 64 "
        "--out few",
    ):
        assert main([*shlex.split(command), "--quiet"]) == 0
        assert "warning" not in capsys.readouterr().err
    for name in ("whole", "few"):
        assert particle_warnings(ParticleSet.read(tmp_path / name / "particles.star"), 160.0) == []


def test_an_extraction_without_inversion_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPA_STORE", raising=False)
    assert main(shlex.split("simulate --micrographs 2 --size-px 1024 --seed 4 --quiet --out sim")) == 0
    command = "extract sim/truth/micrographs.star sim/truth/particles.star --box-px 90 --diameter-A 160 --no-invert"
    assert main([*shlex.split(command), "--quiet", "--out", "black"]) == 0
    assert "warning: Protein seems to be black in these images" in capsys.readouterr().err
