"""Random STAR files through RELION's own reader and writer and through ours: the same cells come out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from spa_widgets.io.convert import convert
from spa_widgets.io.star import read_star, write_star

Relion = Callable[..., str]

NUMBERS = ("rlnDefocusU", "rlnAngleRot", "rlnOriginXAngst", "rlnCtfFigureOfMerit", "rlnPhaseShift")
WHOLE = ("rlnClassNumber", "rlnRandomSubset", "rlnNrOfSignificantSamples")
TEXTS = ("rlnMicrographName", "rlnGroupName", "rlnCtfImage")
UNKNOWN = ("labNote", "labNumber")  # of nobody: both programs keep them as they stand
PLAIN = (
    "mic_1.mrc",
    "a/b/c.mrcs",
    "None",
    "it's",
    "x#y",
    "007.00",
    "1e5",
    "Ångström.mrc",
    "data-1",
    "-1.50",
    "nan",
    "[1,2]",
)
QUOTED = ("two words.mrc", "'", "#hash first")  # RELION itself makes several blanks one


def random_tables(rng: np.random.Generator, rows: int, stack: str) -> dict[str, pd.DataFrame]:
    """Make particles of two optics groups: numbers of any size, words of any kind, some columns left out."""
    words = np.array(PLAIN + QUOTED, object)
    columns = {name: rng.normal(size=rows) * 10.0 ** rng.integers(-9, 10, rows) for name in NUMBERS}
    columns["rlnDefocusU"][:3] = [0.0, -0.0, 123456.654321]
    kept = [name for name in (*WHOLE, *TEXTS, *UNKNOWN) if rng.random() < 0.7]
    for name in kept:
        columns[name] = rng.integers(-3, 2000, rows) if name in WHOLE else rng.choice(words, rows)
    names = [f"{i + 1:06d}@{stack}" for i in range(rows)]
    table = pd.DataFrame({"rlnImageName": names, "rlnOpticsGroup": np.arange(rows) % 2 + 1, **columns})
    optics = pd.DataFrame({
        "rlnOpticsGroup": [1, 2], "rlnOpticsGroupName": [f"{stack}-one", f"{stack} two"], "rlnVoltage": [300.0, 200.0],
        "rlnSphericalAberration": [2.7, 0.001], "rlnAmplitudeContrast": [0.1, 0.07], "rlnImagePixelSize": 1.31,
        "rlnImageSize": 64, "rlnImageDimensionality": 2, "rlnOddZernike": ["[0.5,-1,3]", "[0,0,0]"],
    })  # fmt: skip
    order = ["rlnImageName", *rng.permutation([name for name in table if name != "rlnImageName"])]
    return {"optics": optics, "particles": table[order]}


def assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    assert list(found) == list(expected)
    for kind, frame in expected.items():
        assert list(found[kind]) == list(frame), kind
        for name in frame:
            ours, theirs = frame[name], found[kind][name]
            if pd.api.types.is_numeric_dtype(ours):
                values, expected_values = (pd.to_numeric(each).to_numpy(np.float64) for each in (theirs, ours))
                # RELION writes five or six digits, of small numbers behind the point
                slack = 1e-5 * np.abs(expected_values) + np.where(np.abs(expected_values) > 1e-4, 1e-5, 0.0)
                assert (np.abs(values - expected_values) <= slack).all(), (name, values, expected_values)
            else:
                assert theirs.astype(str).tolist() == ours.astype(str).tolist(), name


@pytest.mark.parametrize("seed", range(12))
def test_what_we_write_comes_back_from_relion(relion: Relion, tmp_path: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    tables = random_tables(rng, int(rng.integers(1, 40)), "s.mrcs")
    write_star(tmp_path / "ours.star", tables)
    relion(tmp_path, *["relion_star_handler", "--i", "ours.star", "--o", "theirs.star", "--select", "rlnOpticsGroup"])
    theirs = read_star(tmp_path / "theirs.star")
    assert_same(theirs, tables)
    # and what RELION wrote, read and written by us, is again what RELION reads
    write_star(tmp_path / "again.star", theirs)
    relion(tmp_path, *["relion_star_handler", "--i", "again.star", "--o", "last.star", "--select", "rlnOpticsGroup"])
    assert (tmp_path / "last.star").read_bytes() == (tmp_path / "theirs.star").read_bytes()


def test_joined_files_are_those_that_relion_joins(relion: Relion, tmp_path: Path) -> None:
    rng = np.random.default_rng(77)
    for name in ("a", "b"):
        (tmp_path / f"{name}.mrcs").touch()
        tables = random_tables(rng, 9, f"{tmp_path}/{name}.mrcs")
        frame = tables["particles"].assign(rlnGroupName=[f"group{i % 2}" for i in range(9)])
        frame = frame.drop(columns=[c for c in (*WHOLE, *UNKNOWN, "rlnMicrographName", "rlnCtfImage") if c in frame])
        write_star(tmp_path / f"{name}.star", {**tables, "particles": frame[sorted(frame)]})
    relion(tmp_path, "relion_star_handler", "--combine", "--i", "a.star b.star", "--o", "theirs.star")
    convert([tmp_path / "a.star", tmp_path / "b.star"], tmp_path / "ours.star")
    assert_same(read_star(tmp_path / "theirs.star"), read_star(tmp_path / "ours.star"))
