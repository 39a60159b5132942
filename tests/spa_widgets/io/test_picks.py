"""Positions from every kind of file, down to the extracted pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.picks import micrograph_stem, read_picks
from spa_widgets.io.star import write_star
from spa_widgets.session.context import JobContext, simple_context
from spa_widgets.steps.extract import job as extract
from spa_widgets.steps.extract.params import Params
from spa_widgets.steps.import_micrographs import job as import_micrographs
from spa_widgets.steps.import_micrographs.params import Params as ImportParams

HEIGHT, WIDTH = 70, 90
SPOTS = [(30, 20), (60, 45)]


@pytest.fixture
def micrographs(tmp_path: Path) -> Path:
    """Two micrographs with a bright pixel at each of two places."""
    rng = np.random.default_rng(3)
    files = []
    for name in ("mic_1", "mic_10"):
        image = rng.normal(0, 0.1, (HEIGHT, WIDTH)).astype(np.float32)
        for x, y in SPOTS:
            image[y, x] = 100.0
        write_mrc(tmp_path / f"{name}.mrc", image, 2.0)
        files.append(tmp_path / f"{name}.mrc")
    params = ImportParams(pixel_size_A=2.0, voltage_kv=300, cs_mm=2.7)
    ctx = JobContext("import_micrographs", params, {"files": files}, tmp_path / "mics", tmp_path / "work")
    import_micrographs.run(ctx)
    return tmp_path / "mics" / "micrographs.star"


def extracted(micrographs: Path, picks: Path, folder: Path) -> tuple[JobContext, np.ndarray]:
    params = Params(box_px=16, diameter_A=20, invert=False, normalise=False, outlier_sigma=None, min_distance_A=0)
    ctx = simple_context("extract", params, {"micrographs": micrographs, "picks": picks}, folder)
    extract.run(ctx)
    return ctx, read_mrc(ctx.out / "particles.mrcs")[0]


def listed_by_relion(folder: Path) -> Path:
    positions = pd.DataFrame({"rlnCoordinateX": [x for x, _ in SPOTS], "rlnCoordinateY": [y for _, y in SPOTS]})
    write_star(folder / "mic_10_autopick.star", {"": positions})
    names = {"rlnMicrographName": ["mic_10.mrc"], "rlnMicrographCoordinates": ["mic_10_autopick.star"]}
    write_star(folder / "autopick.star", {"coordinate_files": pd.DataFrame(names)})
    return folder / "autopick.star"


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


KINDS = {
    "box": lambda folder: written(folder, "mic_10.box", "".join(f"{x - 8} {y - 8} 16 16\n" for x, y in SPOTS)),
    "cryoppp": lambda folder: written(
        folder,
        "mic_10.csv",
        "X-Coordinate,Y-Coordinate,Diameter\n" + "".join(f"{x},{HEIGHT - y},10\n" for x, y in SPOTS),
    ),
    "plain csv": lambda folder: written(folder, "mic_10_picks.csv", "".join(f"{x};{y}\n" for x, y in SPOTS)),
    "named csv": lambda folder: written(
        folder, "all.csv", "y,micrograph,x\n" + "".join(f"{y},data/mic_10.mrc,{x}\n" for x, y in SPOTS)
    ),
    "list of RELION": listed_by_relion,
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_pixel_that_was_picked_is_the_centre_of_its_image(micrographs: Path, tmp_path: Path, kind: str) -> None:
    ctx, images = extracted(micrographs, KINDS[kind](tmp_path), tmp_path / "out")
    assert images.shape == (2, 16, 16)
    assert (images[:, 8, 8] == 100).all()
    assert all(
        "mic_10" in line
        for line in (ctx.out / "particles.star").read_text(encoding="utf-8").splitlines()
        if "@" in line
    )
    assert any("count y from the last row" in sentence for sentence in ctx.warnings) == (kind == "cryoppp")


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("a.box", "", "holds no box; expected lines of x, y, width, height in px"),
        ("a.box", "1 2 3\n", "line 1 is '1 2 3'; expected lines of x, y, width, height in px"),
        ("a.box", "1 2 3 x\n", "line 1 is '1 2 3 x'"),
        ("a.csv", "", "is empty; expected a table with the columns x and y"),
        ("a.csv", "a,b\n1,2\n", "has the columns a, b; expected x and y in px"),
        ("a.csv", "x,y\n1,2\n3\n", "row 2 has 1 cells for 2 columns"),
        ("a.csv", "x,y\n1,two\n", "row 1 of rlnCoordinateY is 'two'; expected a number"),
        ("a.csv", "x,y\n1,nan\n", "row 1 of rlnCoordinateY is 'nan'; expected a number"),
    ],
)
def test_bad_coordinates(tmp_path: Path, name: str, text: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence.replace(".", r"\.")):
        read_picks(written(tmp_path, name, text))


@pytest.mark.parametrize(
    ("name", "stem"),
    [("a/b/mic.mrc", "mic"), ("mic_autopick.star", "mic"), ("mic.mrc.gz", "mic"), ("mic", "mic"), ("m.1.box", "m.1")],
)
def test_names_of_micrographs(name: str, stem: str) -> None:
    assert micrograph_stem(name) == stem
