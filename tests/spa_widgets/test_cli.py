from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "session"))

from session_support import toy_steps_registered

from spa_widgets.cli import main
from spa_widgets.cli_steps import command_name, step_command
from spa_widgets.session.registry import all_steps, get_step

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module", autouse=True)
def toy_steps() -> Iterator[None]:
    with toy_steps_registered():
        yield


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SPA_STORE", raising=False)
    return tmp_path


def spa(*arguments: str) -> int:
    return main(list(arguments))


def test_a_step_leaves_results_report_and_a_link_into_the_store(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("toy-iterate", "--iterations", "4", "--seed", "5", "--device", "cpu", "--out", "out") == 0
    printed = capsys.readouterr()
    assert str(here / "out" / "vector.npy") in printed.out.splitlines()
    assert "100%" in printed.err and "done in" in printed.err
    report = json.loads((here / "out" / "report.json").read_text(encoding="utf-8"))
    assert report["parameters"] == {"size": 40, "iterations": 4, "pause_s": 0.0, "noise": 0.01, "seed": 5}
    assert report["device"]["kind"] == "cpu" and report["versions"]["numpy"] == np.__version__
    assert set(report["stages_s"]) == {"iterate"} and "norm" in report["figures"]
    stored = list((here / ".spa" / "store" / "objects").glob("??/*/vector.npy"))
    assert len(stored) == 1 and stored[0].samefile(here / "out" / "vector.npy")


def test_run_again_the_result_is_there(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("toy-iterate", "--iterations", "4", "--out", "out") == 0
    before = (here / "out" / "vector.npy").stat().st_mtime_ns
    capsys.readouterr()
    assert spa("toy-iterate", "--iterations", "4", "--out", "out") == 0
    assert "there already" in capsys.readouterr().err
    assert (here / "out" / "vector.npy").stat().st_mtime_ns == before
    # other parameters replace what the folder shows; the first result stays in the store
    assert spa("toy-iterate", "--iterations", "5", "--out", "out") == 0
    assert len(list((here / ".spa" / "store" / "objects").glob("??/*"))) == 2


def test_outputs_of_a_command_are_recognised_as_results(here: Path) -> None:
    assert spa("toy-iterate", "--iterations", "4", "--out", "a") == 0
    assert spa("toy-scale", "a/vector.npy", "--factor", "-1.5", "--out", "b") == 0
    assert spa("toy-scale", "a", "--factor", "-1.5", "--store", "other", "--out", "c") == 0
    assert np.array_equal(np.load("b/scaled.npy"), -1.5 * np.load("a/vector.npy"))
    keys = [json.loads((here / name / "job.json").read_text(encoding="utf-8"))["key"] for name in ("a", "b", "c")]
    assert keys[1] == keys[2]
    pieces = json.loads(
        (here / ".spa" / "store" / "objects" / keys[1][:2] / keys[1] / "result.json").read_text(encoding="utf-8")
    )["pieces"]
    assert pieces["inputs"]["vector"] == [{"job": keys[0], "file": "vector.npy"}]
    # a file that was replaced is a raw file like any other
    (here / "a" / "vector.npy").unlink()
    np.save("a/vector.npy", np.ones(3))
    assert spa("toy-scale", "a/vector.npy", "--out", "d") == 0
    assert np.array_equal(np.load("d/scaled.npy"), 2 * np.ones(3))


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"),
    [
        (["toy-iterate", "--iterations", "0", "--out", "o"], 1, "iterations is '0'"),
        (["toy-iterate", "--iterations", "many", "--out", "o"], 1, "iterations is 'many', but input should be a valid"),
        (["toy-iterate"], 2, "Missing option '--out'"),
        (["toy-iterate", "--nonsense", "--out", "o"], 2, "No such option '--nonsense'"),
        (["toy-scale", "nowhere.npy", "--out", "o"], 1, "no file matches 'nowhere.npy' for vector"),
        (["toy-scale", ".", "--out", "o"], 1, "holds no vector (vector.npy)"),
        (["toy-nothing"], 2, "No such command 'toy-nothing'"),
        (["fetch", "everything", "d"], 1, "There is no data set 'everything'"),
        (["verify", "."], 1, "is neither a store, a project nor a folder"),
    ],
)
def test_bad_input_gets_one_sentence_and_a_status(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], status: int, sentence: str
) -> None:
    assert spa(*arguments) == status
    printed = capsys.readouterr().err
    assert sentence in printed and len(printed.strip().splitlines()) == 1 and "Traceback" not in printed


def test_errors_name_files_as_they_were_given(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("toy-iterate", "--iterations", "2", "--out", "a") == 0
    capsys.readouterr()
    assert spa("toy-scale", "a", "--factor", "14", "--out", "b") == 1
    assert capsys.readouterr().err.strip() == f"spa: {here / 'a' / 'vector.npy'} is too short."


def test_a_file_that_spa_did_not_make_is_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "out").mkdir()
    (here / "out" / "vector.npy").write_text("precious", encoding="utf-8")
    assert spa("toy-iterate", "--iterations", "2", "--out", "out") == 1
    assert "was not made by spa" in capsys.readouterr().err
    assert (here / "out" / "vector.npy").read_text(encoding="utf-8") == "precious"


def test_a_killed_command_goes_on_when_run_again(here: Path) -> None:
    arguments = ["toy-iterate", "--iterations", "60", "--noise", "0.3", "--pause-s", "0.02", "--out", "out"]
    path = os.pathsep.join([str(REPOSITORY), str(Path(__file__).parent / "session")])
    command = [sys.executable, "-m", "spa_widgets.cli", *arguments]
    with subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path}, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 30
        while not list((here / ".spa" / "store").glob("work/*/checkpoint.npz")):
            assert time.monotonic() < deadline and process.poll() is None
            time.sleep(0.02)
        time.sleep(0.2)
        process.send_signal(signal.SIGKILL)
    assert not (here / "out" / "vector.npy").exists()
    assert spa(*arguments) == 0
    assert json.loads((here / "out" / "report.json").read_text(encoding="utf-8"))["resumed"]
    assert spa(*arguments, "--store", "fresh", "--out", "whole") == 0
    assert (here / "out" / "vector.npy").read_bytes() == (here / "whole" / "vector.npy").read_bytes()


def test_verify_finds_a_changed_byte(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("toy-iterate", "--iterations", "2", "--out", "out") == 0
    assert spa("verify", "out") == 0 and "1 results, 0 damaged" in capsys.readouterr().out
    file = here / "out" / "vector.npy"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    assert spa("verify", ".spa/store") == 1
    assert "vector.npy has changed" in capsys.readouterr().err


def test_every_step_is_a_command_with_every_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    assert spa("list") == 0
    listed = capsys.readouterr().out
    for step in all_steps():
        name = command_name(step)
        assert name in listed
        options = {flag for option in step_command(step, name).params for flag in option.opts}
        wanted = {f"--{field.replace('_', '-')}" for field in step.params.model_fields}
        assert wanted | {"--out", "--device", "--seed", "--store"} <= options
        assert spa(name, "--help") == 0
    capsys.readouterr()


def test_light_commands_start_fast() -> None:
    """CPU time, not the clock: other processes may be busy."""
    code = (
        "import sys, time; from spa_widgets.cli import main; main(['list']);"
        "heavy = {'numpy', 'pandas', 'numba', 'scipy', 'distributed', 'ipywidgets'} & set(sys.modules);"
        "print(time.process_time(), *sorted(heavy), file=sys.stderr)"
    )
    plain = {name: value for name, value in os.environ.items() if name != "SPA_EXTRA_STEPS"}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, env=plain, capture_output=True, encoding="utf-8"
    )
    seconds, *heavy = done.stderr.split()
    assert heavy == [] and float(seconds) < 0.6


def test_images_are_imported_first(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--micrographs", "1", "--size-px", "512", "--objects-per-micrograph", "4", "--quiet"]
    assert spa("simulate", *small, "--out", "sim") == 0
    optics = ["--voltage-kv", "300", "--cs-mm", "1.6", "--device", "cpu"]
    assert spa("estimate-ctf", "sim/micrographs/*.mrc", "--pixel-size-A", "2.464", *optics, "--out", "ctf") == 0
    assert (here / "ctf" / "micrographs.star").is_file()
    capsys.readouterr()
    assert spa("estimate-ctf", "sim/micrographs/*.mrc", *optics, "--out", "ctf2") == 1
    assert "needs the parameter pixel_size_A (in Å)" in capsys.readouterr().err


def test_interrupt_leaves_a_status_and_a_sentence(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*arguments: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("spa_widgets.cli_run.execute", interrupted)
    assert spa("toy-iterate", "--out", "out") == 130
    assert "run the same command again" in capsys.readouterr().err
    assert get_step("toy-iterate").title == "Toy iteration"
