from __future__ import annotations

import copy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "support"))

import step_versions
from step_versions import code_hash, code_of_step, present, problems, recorded


def test_no_step_changed_without_its_version() -> None:
    found = problems(recorded(), present())
    assert not found, "\n".join(found)


def test_a_change_of_an_engine_module_is_noticed() -> None:
    now = present()
    module = next(path for path in now["estimate_ctf"]["code"] if path.startswith("engine/ctf/"))
    before = copy.deepcopy(now)
    before["estimate_ctf"]["code"][module] = "another"
    (sentence,) = problems(before, now)
    assert module in sentence and "raise version" in sentence
    before["estimate_ctf"]["version"] = 0
    assert "has a new version" in problems(before, now)[0]


def test_modules_are_found_through_others() -> None:
    code = code_of_step("estimate_ctf")
    assert "spa_widgets/steps/estimate_ctf/job.py" in code and "engine/fourier/transforms.py" in code
    assert all(path.startswith(("engine/", "spa_widgets/steps/")) for path in code)


def test_comments_and_docstrings_do_not_count(tmp_path: Path) -> None:
    one, two = tmp_path / "one.py", tmp_path / "two.py"
    one.write_text('def f(x):\n    """Old."""\n    # why\n    return x + 1  # here\n', encoding="utf-8")
    two.write_text('"""New."""\n\n\ndef f(x):\n    """New\n    text."""\n\n    return x + 1\n', encoding="utf-8")
    assert code_hash(one) == code_hash(two)
    two.write_text(two.read_text(encoding="utf-8").replace("+ 1", "+ 2"), encoding="utf-8")
    assert code_hash(one) != code_hash(two)


def test_the_update_refuses_a_change_without_a_version(tmp_path: Path, monkeypatch, capsys) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(step_versions, "RECORD", tmp_path / "record.json")
    assert step_versions.main([]) == 0 and problems(recorded(), present()) == []
    changed = present()
    changed["estimate_ctf"]["code"]["spa_widgets/steps/estimate_ctf/job.py"] = "another"
    monkeypatch.setattr(step_versions, "present", lambda: changed)
    assert step_versions.main([]) == 1 and "step estimate_ctf changed" in capsys.readouterr().err
    assert step_versions.main(["--same-results", "estimate_ctf"]) == 0 and problems(recorded(), changed) == []
