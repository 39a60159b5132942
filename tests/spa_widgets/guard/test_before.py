"""What is said before a step runs, on the command line: the sentences, the options that mend them, and silence."""

from __future__ import annotations

import json
import shlex
import string
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))

from bad_input import make_project
from bad_input_cases import img

from spa_widgets import guard
from spa_widgets.cli import main
from spa_widgets.guard.finding import Finding

OPTICS = "--voltage-kv 300 --cs-mm 2.7"
PICKING = "pick-templates micrographs.star --templates classes/class_averages.mrcs --diameter-A 100"
CATALOGUE = json.loads((Path(guard.__file__).parent / "findings.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    make_project(folder)
    img(folder / "map.mrc", lambda volume: volume, 6.0)
    for name, change in (("black", -1.0), ("far", 1.0)):
        (folder / f"{name}.mrc").write_bytes((folder / "map.mrc").read_bytes())
        img(folder / f"{name}.mrc", lambda volume, by=change: volume * by, 6.0 if name == "black" else 0.6)  # type: ignore[misc]
    return folder


@pytest.mark.parametrize(
    ("command", "begins", "remedies"),
    [
        (f"import mic_a.mrc mic_b.mrc --pixel-size-A 2 {OPTICS}", [], []),
        (f"import mic_a.mrc mic_b.mrc --pixel-size-A 4 {OPTICS}", ["The header of mic_a.mrc states 2 Å per pixel"],
         ["--pixel-size-A 2.0"]),
        ("import mic_a.mrc --pixel-size-A 2 --voltage-kv 300 --cs-mm 0 --amplitude-contrast 0.7",
         ["A spherical aberration of 0 mm", "An amplitude contrast of 0.7"], ["--amplitude-contrast 0.1"]),
        (f"estimate-ctf mic_a.mrc --pixel-size-A 4 {OPTICS}", ["The header of mic_a.mrc"], ["--pixel-size-A 2.0"]),
        ("estimate-ctf micrographs.star", [], []),
        (PICKING, [], []),
        ("extract micrographs.star picks.star --diameter-A 60 --box-px 64", [], []),
        ("extract micrographs.star picks.star --diameter-A 60 --box-px 32",
         ["The box of 64 Å is only 1.07", "At the typical defocus"], ["--box-px 42", "--box-px 58"]),
        ("classify-2d particles.star --mask-diameter-A 150", [], []),
        ("classify-2d particles.star --mask-diameter-A 60", ["The particles look about"], ["--mask-diameter-A 190.0"]),
        ("refine particles.star --reference map.mrc --symmetry C8", [], []),
        ("refine particles.star --reference map.mrc --symmetry C7", ["The initial model looks like C8"],
         ["--symmetry C8"]),
        ("refine particles.star --reference black.mrc", ["The particle seems to be black in black.mrc"], []),
        ("refine particles.star --reference far.mrc", ["far.mrc has voxels of 0.6 Å and 32 of them"], []),
        ("fsc half_a.mrc half_b.mrc", [], []),
        ("fsc half_a.mrc half_a.mrc", ["half_a.mrc and half_a.mrc agree to 1.0000"], []),
        ("sharpen map.mrc", [], []),
        ("refine gone.star --reference map.mrc", None, []),
    ],
)  # fmt: skip
def test_what_is_said_before_a_step_runs(
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    begins: list[str] | None,
    remedies: list[str],
) -> None:
    monkeypatch.chdir(here)
    before = sorted(here.rglob("*"))
    status = main(["check", *shlex.split(command)])
    said = capsys.readouterr()
    assert sorted(here.rglob("*")) == before, "nothing is written"
    if begins is None:
        assert status == 1 and "no file matches 'gone.star'" in said.err
        return
    lines = said.out.splitlines()
    sentences = [line for line in lines if not line.startswith(" ")]
    assert status == int(bool(begins))
    assert [line.strip() for line in lines if line.startswith(" ")] == remedies
    if not begins:
        assert sentences == ["Nothing looks wrong."]
    else:
        assert [line[: len(start)] for line, start in zip(sentences, begins, strict=True)] == begins


def test_contrast_is_tried_before_an_extraction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(shlex.split("simulate --micrographs 2 --size-px 768 --seed 4 --quiet --out sim")) == 0
    command = "check extract sim/truth/micrographs.star sim/truth/particles.star --box-px 90 --diameter-A 160"
    capsys.readouterr()
    assert main(shlex.split(command)) == 0, capsys.readouterr().out
    assert main(shlex.split(f"{command} --no-invert")) == 1
    said = capsys.readouterr().out
    assert "Without inversion protein would be black" in said and said.endswith("  --invert\n")
    for path in (tmp_path / "sim" / "micrographs").glob("*.mrc"):
        path.chmod(0o644)
        img(path, lambda image: -image, 2.464)
    assert main(shlex.split(command.replace("90", "92"))) == 1  # not what is remembered of these tables
    assert capsys.readouterr().out.endswith("  --no-invert\n")


def test_every_sentence_is_in_both_languages_with_the_same_values() -> None:
    def names(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    for key, entry in CATALOGUE.items():
        assert set(entry) == {"en", "ja"}, key
        assert names(entry["en"]) == names(entry["ja"]), key
        assert entry["ja"].endswith("。") and entry["en"].endswith("."), key
    sources = "".join(path.read_text(encoding="utf-8") for path in Path(guard.__file__).parent.glob("*.py"))
    assert [key for key in CATALOGUE if f'"{key}"' not in sources] == []


def test_a_finding_is_its_english_sentence() -> None:
    found = Finding("amplitude_contrast", {"amplitude_contrast": 0.1}, amplitude_contrast=0.7)
    assert found.startswith("An amplitude contrast of 0.7") and found.ja.startswith("振幅コントラストが 0.7")
    assert found.fix == {"amplitude_contrast": 0.1} and found.without_fix().fix == {}
    assert json.loads(json.dumps([found])) == [str(found)]
    assert isinstance(np.array([found])[0], str)
