"""Foreseeable mistakes through the command line: a status and one sentence, word for word, for each."""

from __future__ import annotations

import shlex
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from bad_input import keep_rows, make_project
from bad_input_cases import BLOBS, CASES, EXTRACT, OPTICS, Spoil, cut, img, nan
from bad_input_more import MORE

from spa_widgets.cli import main
from spa_widgets.io.mrc import mrc_pixel_size_A, read_mrc
from spa_widgets.io.star import read_star
from spa_widgets.session.execute import execute
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import JobSpec, RawFiles
from spa_widgets.session.store import Store

pytestmark = pytest.mark.filterwarnings("ignore:Data array contains NaN:RuntimeWarning")

AS_THEY_ARE = ("fetch", "verify", "transmogrify", "open", "export", "convert", "check")
ALL = [*CASES, *MORE]
IDS = [f"{number}: {command[:60]}" for number, (command, *_) in enumerate(ALL)]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    make_project(folder)
    return folder


@pytest.fixture
def here(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, to be spoilt."""
    folder = tmp_path / "p"
    shutil.copytree(project, folder)
    monkeypatch.chdir(folder)
    monkeypatch.delenv("SPA_STORE", raising=False)
    return folder


def spa(command: str) -> int:
    arguments = shlex.split(command)
    if arguments[0] not in AS_THEY_ARE:
        arguments += ["--quiet"] if "--out" in arguments else ["--quiet", "--out", "out"]
    return main(arguments)


def test_there_are_enough_cases_and_none_twice() -> None:
    assert len(ALL) >= 200
    assert len({(command, sentence, spoil.__code__.co_code, spoil.__code__.co_consts)
                for command, spoil, _, sentence in ALL}) == len(ALL)  # fmt: skip


@pytest.mark.parametrize(("command", "spoil", "status", "sentence"), ALL, ids=IDS)
def test_one_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, spoil: Spoil, status: int, sentence: str
) -> None:
    spoil(here)
    assert spa(command) == status
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1].replace(str(here), "{here}") == f"spa: {sentence}"
    assert all(line.startswith("warning: ") for line in said[:-1]), said
    assert not (here / "out" / "report.json").exists()


GOES_ON: list[tuple[str, Spoil, str, str]] = [
    (
        f"import mic_a.mrc mic_b.mrc {OPTICS}",
        lambda f: cut(f / "mic_a.mrc", 5000),
        "micrographs.star",
        "Left out: {here}/mic_a.mrc is cut short",
    ),
    (
        EXTRACT + " --box-px 64",
        lambda f: (f / "mic_a.mrc").unlink(),
        "particles.star",
        "2 pick(s) left out: {here}/micrographs.star names the image file mic_a.mrc, which is not there",
    ),
    (
        EXTRACT + " --box-px 64",
        lambda f: img(f / "mic_a.mrc", nan),
        "particles.star",
        "2 pick(s) left out: {here}/mic_a.mrc holds 1 pixels that are no numbers",
    ),
    (
        BLOBS + " --min-ncc -1",
        lambda f: img(f / "mic_a.mrc", lambda a: a * 0 + 5),
        "picks.star",
        "No picks: {here}/mic_a.mrc is constant",
    ),
    (
        BLOBS + " --min-ncc -1",
        lambda f: cut(f / "mic_a.mrc", 3000),
        "picks.star",
        "No picks: {here}/mic_a.mrc is cut short",
    ),
]


@pytest.mark.parametrize(("command", "spoil", "output", "sentence"), GOES_ON)
def test_one_bad_micrograph_does_not_stop_the_others(
    here: Path, capsys: pytest.CaptureFixture[str], command: str, spoil: Spoil, output: str, sentence: str
) -> None:
    spoil(here)
    assert spa(command) == 0
    said = [line for line in capsys.readouterr().err.replace(str(here), "{here}").splitlines() if "mic_a" in line]
    assert len(said) == 1 and said[0].startswith(f"warning: {sentence}"), said
    tables = read_star(here / "out" / output)
    rows = tables["micrographs" if "micrographs" in output else "particles"]
    assert len(rows) and rows["rlnMicrographName"].str.endswith("mic_b.mrc").all()


def test_one_of_three_that_is_bad_is_marked_by_the_ctf_fit(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("simulate --micrographs 2 --size-px 512 --objects-per-micrograph 3 --out sim") == 0
    files = sorted((here / "sim" / "micrographs").glob("*.mrc"))
    pixel_size_A = mrc_pixel_size_A(files[0])
    shutil.copy(here / "mic_a.mrc", here / "bad.mrc")
    img(here / "bad.mrc", nan)
    capsys.readouterr()
    names = " ".join(str(file) for file in files)
    command = f"estimate-ctf {names} bad.mrc --pixel-size-A {pixel_size_A} --voltage-kv 300 --cs-mm 2.7"
    assert spa(command) == 0
    assert "bad.mrc was not fitted" in capsys.readouterr().err
    table = read_star(here / "out" / "micrographs.star")["micrographs"]
    bad = table["rlnMicrographName"].str.endswith("bad.mrc").to_numpy()
    assert len(table) == 3 and (table["rlnDefocusU"].to_numpy()[bad] == 0).all()
    assert (table["rlnDefocusU"].to_numpy()[~bad] > 1000).all()


def test_one_class_of_two_particles_is_no_mistake(here: Path) -> None:
    keep_rows(here / "particles.star", "particles", 2)
    assert spa("classify-2d particles.star --classes 1 --mask-diameter-A 150 --iterations 2") == 0
    assert read_mrc(here / "out" / "class_averages.mrcs")[0].shape == (1, 32, 32)
    assert spa("select-2d out --classes 1 --out chosen") == 0
    assert len(read_star(here / "chosen" / "particles.star")["particles"]) == 2
    assert read_mrc(here / "chosen" / "templates.mrcs")[0].shape == (1, 32, 32)


def test_a_micrograph_that_vanishes_in_the_middle_of_the_job_is_named(here: Path) -> None:
    said: list[str] = []

    def watch(event: dict[str, Any]) -> None:
        if event["kind"] == "stage" and event["name"] == "extract":
            (here / "mic_b.mrc").unlink()
        if event["kind"] == "warning":
            said.append(event["message"])

    files = {name: RawFiles((here / f"{name}.star",)) for name in ("micrographs", "picks")}
    load_steps()
    spec = JobSpec("extract", {"diameter_A": 60, "box_px": 64}, files)
    store = Store.open(here / "store")
    found = store.get(execute(spec, store, "cpu", watch))
    assert len(read_star(found.file("particles.star"))["particles"]) == 2
    assert any("1 pick(s) left out" in text and "mic_b.mrc" in text for text in said), said
