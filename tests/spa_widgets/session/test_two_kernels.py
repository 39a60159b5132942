"""Two kernels on one project: the second is told, looks on, takes over; whatever they write, nothing is torn."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.decisions import Decisions
from spa_widgets.session.kernels import Kernels
from spa_widgets.session.session import Session
from tests.support.killing import forked

ROOT = Path(__file__).resolve().parents[3]
SECOND = """
import sys
sys.path[:0] = [{here!r}]
from spa_widgets import Session
from spa_widgets.errors import UserError
session = Session({project!r}, device="cpu")
def tell(act):
    try:
        print(repr(act()), flush=True)
    except UserError as error:
        print("refused:", error, flush=True)
for command in sys.stdin:
    tell(lambda: eval(command))
"""


class SecondKernel:
    """A session in a process of its own that does what it is told, one line at a time."""

    def __init__(self, project: Path, **environment: str) -> None:
        code = SECOND.format(here=str(Path(__file__).parent), project=str(project))
        self.process = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            encoding="utf-8",
        )
        assert self.process.stdout is not None
        self.told = self.process.stdout.readline() if project.joinpath(".spa", "kernel.json").exists() else ""

    def do(self, command: str) -> str:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{command}\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def test_the_second_kernel_is_told_looks_on_and_takes_over(open_session: Callable[..., Session]) -> None:
    session = open_session("two")
    assert session.notice == "" and not session.is_looking_on
    session.decide("classes", [1, 2])
    made = session.toy_iterate(iterations=3).wait(60)

    second = SecondKernel(session.path)
    try:
        assert f"process {os.getpid()}" in second.told and "session.take_over()" in second.told
        assert second.do("session.is_looking_on") == "True"
        assert second.do("session.decisions['classes']") == "[1, 2]"
        assert second.do("[row['name'] for row in __import__('spa_widgets').JobPanel(session).jobs]") == "['J1']"
        assert second.do("session.toy_iterate(iterations=3).status") == "'finished'"
        for change in (
            "session.decide('classes', [3])",
            "session.decisions.undo('classes')",
            "session.toy_iterate(iterations=4)",
            "session.workspace('W9')",
            f"session[{made.number}].cancel()",
        ):
            answer = second.do(change)
            assert answer.startswith("refused: Another kernel") and "take_over" in answer, change
        assert session.decisions.history("classes") == [[1, 2]] and len(session) == 1

        assert second.do("session.take_over()") == "None" and second.do("session.notice") == "''"
        assert second.do("session.decide('classes', [3])") == "None"
        assert session.decisions["classes"] == [3]  # it looks on
        assert session.is_looking_on and f"process {second.process.pid}" in session.notice
        with pytest.raises(UserError, match=r"here you look on; call session.take_over\(\)"):
            session.decide("classes", [4])
        assert session.toy_iterate(iterations=3).status == "finished"
        session.take_over()
        session.decide("classes", [4])
        assert second.do("session.decisions['classes']") == "[4]"
        assert second.do("session.decide('classes', [5])").startswith("refused")
        second.do("session.take_over()")
    finally:
        second.kill()
    assert not session.is_looking_on  # the other one died: no question of taking over
    session.decide("classes", [6])


def test_it_is_told_in_japanese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels = Kernels(tmp_path)
    monkeypatch.setenv("SPA_LANGUAGE", "ja")
    assert kernels.notice() == ""
    assert forked_answer(lambda: Kernels(tmp_path).notice(), tmp_path / "told").startswith("このプロジェクトは")
    refused = forked_answer(lambda: refusal(Kernels(tmp_path)), tmp_path / "refused")
    assert str(os.getpid()) in refused and "閲覧だけ" in refused


def refusal(kernels: Kernels) -> str:
    with pytest.raises(UserError) as caught:
        kernels.require()
    return str(caught.value)


def forked_answer(ask: Callable[[], str], note: Path) -> str:
    assert forked(lambda: note.write_text(ask(), encoding="utf-8"))
    return note.read_text(encoding="utf-8")


def test_a_kernel_of_another_machine_is_known_by_its_heartbeat(tmp_path: Path) -> None:
    kernels = Kernels(tmp_path)
    kernels.file.write_text(
        '{"host": "elsewhere", "pid": 1, "born": 5.0, "token": "t", "since": 5.0}', encoding="utf-8"
    )
    assert "on elsewhere" in kernels.notice()
    os.utime(kernels.file, (0, 0))
    assert kernels.notice() == ""


def test_a_damaged_note_is_no_kernel(tmp_path: Path) -> None:
    for content in ("", "{", '{"host": 1}', "[]"):
        (tmp_path / "kernel.json").write_text(content, encoding="utf-8")
        assert Kernels(tmp_path).notice() == ""


def test_many_writers_never_tear_a_line(tmp_path: Path) -> None:
    """Even writers that were never told, several at once, with half a line of a dead one before them."""
    path = tmp_path / "decisions.jsonl"
    path.write_bytes(b'{"key": "half a li')
    children = []
    for writer in range(3):
        child = os.fork()
        if child == 0:
            for number in range(40):
                Decisions(path).decide(f"w{writer}", [number] * 500)
            os._exit(0)
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]
    log = Decisions(path)
    assert [len(log.history(f"w{writer}")) for writer in range(3)] == [40, 40, 40]
    assert all(log.history("w1")[number] == [number] * 500 for number in range(40))
