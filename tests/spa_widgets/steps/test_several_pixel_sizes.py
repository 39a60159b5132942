"""Micrographs of two pixel sizes in one set: one micrograph with its copy on coarser pixels must give the same."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.fourier.crop import resize_spectrum
from engine.simulation.micrographs import MicrographTruth, simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import SMALL
from spa_widgets.errors import UserError
from spa_widgets.guard.before import findings_before
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.convert import convert
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step, load_steps
from spa_widgets.viewers.micrographs import Micrographs
from tests.spa_widgets.steps.test_picking_steps import run_step

load_steps()
FINE_A, COARSE_A = 1.2, 1.6
FINE, COARSE = (720, 960), (540, 720)
OPTICS = {"voltage_kv": 300, "cs_mm": 1.6}


@dataclass
class Pair:
    """A micrograph and its coarser copy: imports, the joined table with the CTF that was found, and the truth."""

    folder: Path
    imports: list[Path]
    joined: Path
    truth: MicrographTruth

    def picks(self) -> Path:
        """Write positions that are whole pixels of both, well inside."""
        y, x = (axis.ravel() for axis in np.mgrid[240:480:80, 240:720:80])
        star = self.folder / "picks.star"
        parts = [
            pd.DataFrame({
                "rlnMicrographName": name, "rlnCoordinateX": x * FINE_A / size_A, "rlnCoordinateY": y * FINE_A / size_A
            })
            for name, size_A in (("fine.mrc", FINE_A), ("coarse.mrc", COARSE_A))
        ]  # fmt: skip
        write_star(star, {"particles": pd.concat(parts, ignore_index=True)})
        return star


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp("pair")
    settings = replace(SMALL, count=1, shape=FINE, pixel_size_A=FINE_A, objects_per_micrograph=30)
    (made,) = simulate_micrographs(channel_in_nanodisc(), settings, np.random.default_rng(3))
    coarse = np.fft.irfft2(resize_spectrum(np.fft.rfft2(made.image), FINE, COARSE), COARSE)
    imports = []
    for name, image, size_A in (("fine", made.image, FINE_A), ("coarse", coarse, COARSE_A)):
        write_mrc(folder / f"{name}.mrc", image.astype(np.float32), size_A)
        params = {"pixel_size_A": size_A, **OPTICS}
        done = run_step("import_micrographs", folder / name, {"files": [folder / f"{name}.mrc"]}, params)
        imports.append(done.out / "micrographs.star")
    said = convert(imports, folder / "joined.star")
    assert said == "2 micrographs of 1.2, 1.6 Å/px in 2 optics groups"
    fitted = run_step("estimate_ctf", folder / "ctf", {"micrographs": folder / "joined.star"}, {})
    return Pair(folder, imports, fitted.out / "micrographs.star", made.truth)


def test_ctf_takes_each_pixel_size(pair: Pair) -> None:
    found = MicrographSet.read(pair.joined)
    assert found.pixel_sizes_A.tolist() == [FINE_A, COARSE_A]
    error_A = np.asarray(found.defocus.mean_A) - float(pair.truth.defocus.mean_A)
    print("error of the defocus in Å, fine and coarse:", error_A.round(1))
    assert (np.abs(error_A) < 150).all()


def test_picks_lie_at_the_same_places(pair: Pair) -> None:
    done = run_step("pick_blobs", pair.folder / "pick", {"micrographs": pair.joined}, {"diameter_A": 160})
    table = read_star(done.out / "picks.star")["particles"]
    fine_A, coarse_A = (
        table.loc[table["rlnMicrographName"].str.endswith(name), ["rlnCoordinateX", "rlnCoordinateY"]].to_numpy() * size
        for name, size in (("fine.mrc", FINE_A), ("coarse.mrc", COARSE_A))
    )
    nearest_A = np.linalg.norm(fine_A[:, None] - coarse_A[None], axis=2).min(axis=1)
    print(len(fine_A), len(coarse_A), "picks; distance of the same in Å:", nearest_A.round(1))
    assert len(fine_A) > 10 and abs(len(fine_A) - len(coarse_A)) <= 2
    assert (nearest_A < 5).mean() > 0.9


def test_extraction_gives_the_same_images_on_one_grid(pair: Pair) -> None:
    inputs = {"micrographs": pair.joined, "picks": pair.picks()}
    params = {"diameter_A": 160, "box_px": 150, "crop_px": 100}
    done = run_step("extract", pair.folder / "extract", inputs, params)
    assert [text for text in done.warnings if "pixel sizes" in text] == [
        "The micrographs have pixel sizes of 1.2, 1.6 Å; all particles are written as 100 px of 2.4 Å, and the box "
        "counts pixels of 1.6 Å: extract the finer micrographs alone to go beyond 4.8 Å."
    ]
    particles = ParticleSet.read(done.out / "particles.star")
    assert particles.grid().sizes == [(100, pytest.approx(2.4))]
    images, _ = read_mrc(done.out / "particles.mrcs")
    fine, coarse = np.split(images.reshape(len(images), -1), 2)
    alike = [float(np.corrcoef(a, b)[0, 1]) for a, b in zip(fine, coarse, strict=True)]
    print(len(fine), "particles; correlation with those of the coarse copy:", min(alike))
    assert min(alike) > 0.98
    alone = run_step("extract", pair.folder / "alone", {**inputs, "micrographs": _alone(pair)}, params)
    assert np.array_equal(read_mrc(alone.out / "particles.mrcs")[0], images[len(fine) :])
    both = [text.key for text in particle_warnings(particles, 160)]
    assert "twice" not in both and "leaked" not in both


def _alone(pair: Pair) -> Path:
    """Write the coarse micrograph's row alone."""
    found = MicrographSet.read(pair.joined)
    found.with_table(found.table.iloc[1:]).write(pair.folder / "alone.star")
    return pair.folder / "alone.star"


def test_the_form_finds_nothing_wrong_with_two_pixel_sizes(pair: Pair) -> None:
    files = {"micrographs": [pair.joined], "picks": [pair.picks()]}
    params = validate_params(get_step("extract").params, {"diameter_A": 160}, "extract")
    keys = {found.key for found in findings_before("extract", params, files)}
    assert not keys & {"header", "header_binned", "shapes", "black_inverted"}


def test_a_micrograph_is_joined_once_and_what_differs_is_told(pair: Pair, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"fine\.mrc is there twice; expected each micrograph in one of the files"):
        convert([pair.imports[0], pair.imports[0]], tmp_path / "twice.star")
    rest = MicrographSet.read(pair.imports[1])
    rest.with_table(rest.table.assign(spaNote=1)).write(tmp_path / "more.star")
    assert convert([pair.imports[0], tmp_path / "more.star"], tmp_path / "out.star").endswith("left out: spaNote")


def test_views_know_the_pixel_size_of_each(pair: Pair) -> None:
    shown = Micrographs.open(pair.joined)
    assert {name: shown.size_A(index) for index, name in enumerate(shown.names)} == {
        "fine.mrc": FINE_A,
        "coarse.mrc": COARSE_A,
    }
    told = [shown.answer(index, low_pass_A=20.0)[0]["pixel_size_A"] for index in range(2)]
    assert told == [shown.size_A(0), shown.size_A(1)]
