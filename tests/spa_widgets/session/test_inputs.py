from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.inputs import input_refs, raw_files
from spa_widgets.session.job import Job
from spa_widgets.session.registry import get_step
from spa_widgets.session.session import Session


@pytest.fixture
def session(tmp_path: Path) -> Session:
    return Session(tmp_path / "project", device="cpu")


def job_of(session: Session, step: str) -> Job:
    """A job as it stands in the queue; nothing runs here."""
    row, _ = session.project.queue.add("W1", step, {"step": step, "params": {}, "inputs": {}}, step, "cpu")
    return Job(session, row.number)


def refs(session: Session, step: str, **inputs: Any) -> dict[str, Any]:
    return input_refs(get_step(step), inputs, session.project)


def test_a_job_stands_for_its_output_of_the_wanted_kind(session: Session) -> None:
    refined = job_of(session, "refine")
    assert refs(session, "sharpen", volume=refined, fsc=refined) == {
        "volume": {"job": 1, "file": "map.mrc"},
        "fsc": {"job": 1, "file": "fsc.csv"},
    }


def test_one_refinement_gives_both_half_maps(session: Session) -> None:
    refined = job_of(session, "refine")
    both = {"half_a": {"job": 1, "file": "half_A.mrc"}, "half_b": {"job": 1, "file": "half_B.mrc"}}
    assert refs(session, "fsc", half_a=refined) == both
    assert refs(session, "fsc", half_a=refined, half_b=refined) == both
    assert refs(session, "fsc", half_a=refined.half_A, half_b=refined.half_B) == both
    assert refs(session, "fsc", half_a=refined, mask=refined.mask_fsc)["mask"]["file"] == "mask_fsc.mrc"


def test_related_kinds_are_taken_and_others_refused(session: Session) -> None:
    refined, classes, ctf = (job_of(session, name) for name in ("refine", "classify_2d", "estimate_ctf"))
    assert refs(session, "flip_hand", volume=refined.half_A)["volume"]["file"] == "half_A.mrc"
    assert refs(session, "extract", micrographs=ctf, picks=classes)["picks"] == {"job": 2, "file": "particles.star"}
    with pytest.raises(UserError, match=r"volume takes volume, but J3 \(.*\) gives micrographs"):
        refs(session, "flip_hand", volume=ctf)
    with pytest.raises(UserError, match="volume takes volume, <mask_fsc"):
        refs(session, "flip_hand", volume=refined.mask_fsc)
    with pytest.raises(UserError, match="volume is int; expected a job"):
        refs(session, "flip_hand", volume=3)


def test_a_finished_job_of_another_project_is_named_by_its_key(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path / "other", device="cpu", store=session.store.path)
    refined = job_of(other, "refine")
    other.project.queue.update(refined.number, state="finished", key="ab" * 32)
    assert refs(session, "flip_hand", volume=refined) == {"volume": {"key": "ab" * 32, "file": "map.mrc"}}


def test_patterns_and_lists_of_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.mrc", "a.mrc", "sub/c.mrc", "odd[1].mrc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.name for path in raw_files("?.mrc", "files", "import")] == ["a.mrc", "b.mrc"]
    assert [path.name for path in raw_files("**/c.mrc", "files", "import")] == ["c.mrc"]
    assert raw_files("odd[1].mrc", "files", "import") == [tmp_path / "odd[1].mrc"]
    assert len(raw_files(["a.mrc", tmp_path / "sub" / "*.mrc"], "files", "import")) == 2
    with pytest.raises(UserError, match=r"no file matches 'z\*.mrc' for files"):
        raw_files("z*.mrc", "files", "import")


def test_a_pattern_is_kept_for_the_code_and_does_not_make_another_job(session: Session, tmp_path: Path) -> None:
    session.runner.ensure = lambda at_once=True: None  # type: ignore[method-assign]  # nothing runs here
    for name in ("a.mrc", "b.mrc"):
        (tmp_path / name).write_bytes(name.encode())
    optics = {"pixel_size_A": 1.2, "voltage_kv": 300, "cs_mm": 1.6}
    job = session.import_micrographs(str(tmp_path / "*.mrc"), **optics)
    assert job.code() == (
        f"session.import_micrographs(files='{tmp_path}/*.mrc', pixel_size_A=1.2, voltage_kv=300.0, cs_mm=1.6)"
    )
    assert session.import_micrographs([tmp_path / "b.mrc", tmp_path / "a.mrc"], **optics) == job
