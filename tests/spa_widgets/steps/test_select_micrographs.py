"""The step select_micrographs on files with known fits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pydantic import ValidationError

from spa_widgets.errors import UserError
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session.context import simple_context
from spa_widgets.steps.select_micrographs.choice import facts_of
from spa_widgets.steps.select_micrographs.job import run
from spa_widgets.steps.select_micrographs.params import Params
from tests.support.widget_data import make_micrographs


@pytest.fixture
def star(tmp_path: Path) -> Path:
    """Three micrographs of 1.0, 1.3 and 1.6 µm, fitted to 4, 7 and 10 Å; the fourth could not be fitted."""
    path = make_micrographs(tmp_path / "mics")
    tables = read_star(path)
    fourth = tables["micrographs"].iloc[[2]].copy()
    fourth["rlnMicrographName"] = str(path.parent / "mic_0004.mrc")
    for column in ("rlnDefocusU", "rlnDefocusV", "rlnCtfMaxResolution", "rlnCtfFigureOfMerit"):
        fourth[column] = 0.0
    (path.parent / "mic_0004.mrc").write_bytes((path.parent / "mic_0003.mrc").read_bytes())
    write_star(path, {**tables, "micrographs": pd.concat([tables["micrographs"], fourth], ignore_index=True)})
    return path


def select(star: Path, folder: Path, **params: Any) -> tuple[list[str], dict[str, str], dict[str, Any]]:
    """Names that are kept, reasons of the others, and the figures."""
    context = simple_context("select_micrographs", Params(**params), {"micrographs": star}, folder)
    run(context)
    kept = read_star(context.out / "micrographs.star")["micrographs"]["rlnMicrographName"]
    assert all(Path(name).is_file() for name in kept), "the names can be used from anywhere"
    rejected = pd.read_csv(context.out / "rejected.csv").set_index("micrograph")["reasons"].to_dict()
    return [Path(name).stem for name in kept], rejected, context.figures


def test_without_limits_only_what_has_no_fit_is_left_out(star: Path, tmp_path: Path) -> None:
    kept, rejected, figures = select(star, tmp_path / "job")
    assert kept == ["mic_0001", "mic_0002", "mic_0003"] and rejected == {"mic_0004.mrc": "not fitted"}
    assert figures == {"micrographs": 3, "micrographs_of": 4, "rejected": 1, "rejected_without_fit": 1}


def test_limits_and_a_persons_word(star: Path, tmp_path: Path) -> None:
    params = {"worst_resolution_A": 8.0, "max_defocus_A": 12000, "accept": ["mic_0003"], "reject": ["mic_0001.mrc"]}
    kept, rejected, figures = select(star, tmp_path / "job", **params)
    assert kept == ["mic_0003"]
    assert rejected == {"mic_0001.mrc": "by hand", "mic_0002.mrc": "defocus_A", "mic_0004.mrc": "not fitted"}
    assert (figures["rejected_by_hand"], figures["rejected_for_defocus"]) == (1, 1)


def test_each_side_of_a_limit(star: Path, tmp_path: Path) -> None:
    assert select(star, tmp_path / "a", min_defocus_A=13000)[0] == ["mic_0002", "mic_0003"]
    assert select(star, tmp_path / "b", max_defocus_A=13000)[0] == ["mic_0001", "mic_0002"]
    assert select(star, tmp_path / "c", worst_resolution_A=4.0, max_astigmatism_A=200)[0] == ["mic_0001"]


def test_mistakes_are_told(star: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"None of the 4 .* \(3 for resolution_A, 1 for not fitted"):
        select(star, tmp_path / "a", worst_resolution_A=2.0)
    with pytest.raises(UserError, match="max_ice is 1, but these micrographs have no ice"):
        select(star, tmp_path / "b", max_ice=1)
    with pytest.raises(UserError, match="no micrograph mic_0009"):
        select(star, tmp_path / "c", reject=["mic_0009"])
    with pytest.raises(ValidationError, match="both accepted and rejected"):
        Params(accept=["a"], reject=["a"])
    with pytest.raises(ValidationError, match="exchange them"):
        Params(min_defocus_A=2000, max_defocus_A=1000)


def test_micrographs_without_a_ctf_can_be_left_out_by_name(star: Path, tmp_path: Path) -> None:
    tables = read_star(star)
    bare = tables["micrographs"][["rlnMicrographName", "rlnOpticsGroup"]]
    write_star(star, {**tables, "micrographs": bare})
    assert facts_of(bare)["fitted"].all()
    assert select(star, tmp_path / "job", reject=["mic_0002"])[0] == ["mic_0001", "mic_0003", "mic_0004"]
