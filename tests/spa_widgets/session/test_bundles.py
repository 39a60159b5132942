"""Bundles of a session: exported, opened elsewhere, gone on from; the same bits, decisions and history."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spa_widgets.cli import main
from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleFile
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.bundle.contents import gather
from spa_widgets.session.context import Cancelled
from spa_widgets.session.keys import file_sha256
from spa_widgets.session.session import Session

Opener = Callable[..., Session]
OPTICS = {"pixel_size_A": 2.0, "voltage_kv": 300.0, "cs_mm": 2.7}


def files_of(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def teacher(open_session: Opener) -> Session:
    """A project with two toy jobs and decisions."""
    session = open_session("teacher", title="Workshop")
    made = session.toy_iterate(iterations=6).wait()
    session.toy_scale(made, factor=3.0).wait()
    session.toy_scale(made, factor=5.0).wait()
    session.decide("picks/mic_1", [[1, 2]])
    session.decide("picks/mic_1", [[1, 2], [3, 4]])
    session.decide("select_2d/J3", [1])
    return session


@pytest.fixture
def bundle(teacher: Session, tmp_path: Path) -> Path:
    teacher.export(tmp_path / "workshop.spa")
    return tmp_path / "workshop.spa"


@pytest.fixture
def hide(teacher: Session) -> Callable[[Session], None]:
    """Make sure that a learner's project takes nothing from the teacher's folder."""

    def check(session: Session) -> None:
        texts = [path for path in session.path.rglob("*") if path.suffix in (".json", ".star", ".csv", ".jsonl")]
        told = [path for path in texts if str(teacher.path) in path.read_text(encoding="utf-8")]
        assert [path for path in told if path.name not in ("events.jsonl", "project.json")] == []

    return check


def test_the_archive_holds_the_results_bit_by_bit(teacher: Session, bundle: Path) -> None:
    stored = {f"objects/{name}": sha for name, sha in files_of(teacher.store.path / "objects").items()}
    with zipfile.ZipFile(bundle) as archive:
        assert archive.testzip() is None
        names = {name for name in archive.namelist() if name.startswith("objects/")}
    opened = BundleFile.open(bundle)
    assert names == set(stored)
    assert {name: opened.manifest.members[name].sha256 for name in names} == stored
    written = teacher.export(bundle.with_name("second.spa"))
    assert str(written).startswith(f"{bundle.with_name('second.spa')}: 3 jobs, {len(opened.manifest.members)} files")
    assert written.bytes == bundle.with_name("second.spa").stat().st_size
    assert written.left_out == written.not_finished == []


def test_a_learner_has_jobs_decisions_and_history_and_lays_out_only_what_is_asked(
    teacher: Session, bundle: Path, tmp_path: Path, hide: Callable[[Session], None]
) -> None:
    session = Session.open_bundle(bundle, tmp_path / "learner", device="cpu")
    assert session.title == "Workshop"
    assert [repr(job) for job in session] == [repr(job) for job in teacher]
    assert {path.name for path in session.store.path.rglob("*.npy")} == set()
    assert session.decisions.history("picks/mic_1") == [[[1, 2]], [[1, 2], [3, 4]]]
    session.decisions.undo("picks/mic_1")
    assert teacher.decisions["picks/mic_1"] == [[1, 2], [3, 4]]
    for mine, theirs in zip(session, teacher, strict=True):
        assert mine.origin.startswith("from the bundle, ")
        assert (mine.key, mine.params, mine.figures) == (theirs.key, theirs.params, theirs.figures)
        assert [event["kind"] for event in mine.events()] == [event["kind"] for event in theirs.events()]
        for name, path in theirs.files.items():
            if path.suffix not in (".star", ".json"):
                assert mine.path(name).read_bytes() == path.read_bytes()
    assert session["J1"].pictures.keys() == teacher["J1"].pictures.keys()
    assert all(path.is_relative_to(session.path) for path, _ in session["J1"].pictures.values())
    named = session["J2"].table("where")["rlnImageName"].iloc[0].partition("@")[2]
    assert np.array_equal(np.load(resolve_image_path(named, session["J2"].path("where"))), np.load(named))
    hide(session)
    reopened = Session.open_bundle(bundle, tmp_path / "learner")
    assert len(reopened) == 3


def test_what_the_teacher_asked_for_is_answered_and_the_learner_goes_on(
    bundle: Path, open_session: Opener, tmp_path: Path
) -> None:
    opened = Session.open_bundle(bundle, open_session("other").path.with_name("learner2"), device="cpu")
    session = open_session("learner2")
    assert session.toy_iterate(iterations=6) == session["J1"]
    scaled = session.toy_scale(session["J1"], factor=7.0).wait()
    assert scaled.name == "J4"
    assert scaled.origin == "computed by you"
    vector = np.load(session["J1"].path("vector"))
    assert np.array_equal(np.load(scaled.path("scaled")), 7.0 * vector)
    assert session.toy_iterate(iterations=6, noise=0.02).wait().origin == "computed by you"
    assert opened.toy_scale(opened["J1"], factor=7.0) == opened["J4"]

    again = session.export(tmp_path / "again.spa", ["J4"])
    assert again.jobs == ["J1", "J4"]
    third = Session.open_bundle(tmp_path / "again.spa", tmp_path / "third")
    assert np.array_equal(np.load(third["J4"].path("scaled")), 7.0 * vector)
    with pytest.raises(UserError, match="There is no job 'J2'"):
        third["J2"]


def test_a_bundle_stands_behind_a_project_that_is_there(bundle: Path, open_session: Opener) -> None:
    mine = open_session("own")
    mine.toy_iterate(iterations=2).wait()
    session = Session.open_bundle(bundle, mine.path, device="cpu")
    assert len(session) == 1
    assert session.toy_iterate(iterations=6).origin.startswith("from the bundle, ")
    plain = Session(open_session("plain").path, class_store=bundle, device="cpu")
    assert plain.toy_iterate(iterations=6).origin.startswith("from the bundle, ")


def test_a_checkpoint_holds_chosen_jobs_what_they_need_and_their_decisions(teacher: Session, tmp_path: Path) -> None:
    assert teacher.export(tmp_path / "part.spa", [teacher["J2"]]).jobs == ["J1", "J2"]
    part = Session.open_bundle(tmp_path / "part.spa", tmp_path / "part")
    assert [job.name for job in part] == ["J1", "J2"]
    assert list(part.decisions) == ["picks/mic_1"]
    for names, sentence in ((["J9"], "There is no job 'J9'"), (["x"], "There is no job 'x'")):
        with pytest.raises(UserError, match=sentence):
            teacher.export(tmp_path / "none.spa", names)
    assert not (tmp_path / "none.spa").exists()


def test_a_cancelled_export_leaves_nothing(teacher: Session, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    folder = tmp_path / "out"
    with pytest.raises(Cancelled):
        teacher.export(folder / "a.spa", progress=lambda *done: told.append(done[:2]), is_cancelled=lambda: bool(told))
    assert list(folder.iterdir()) == []
    assert 0 < told[0][0] <= told[0][1]


def test_a_damaged_result_is_not_exported_and_a_damaged_copy_is_laid_out_anew(
    open_session: Opener, bundle: Path, tmp_path: Path
) -> None:
    session = open_session("damaged")
    made = session.toy_iterate(iterations=3).wait()
    path = session.store.get(made.key).file("vector.npy")
    content = bytearray(path.read_bytes())
    path.chmod(0o644)
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="is not in the store"):
        session.export(tmp_path / "bad.spa")
    assert not (tmp_path / "bad.spa").exists()

    learner = Session.open_bundle(bundle, tmp_path / "learner3")
    laid = learner.store.get(learner["J1"].key).file("vector.npy")
    original = laid.read_bytes()
    laid.chmod(0o644)
    laid.write_bytes(b"x" + original[1:])
    assert learner["J1"].path("vector").read_bytes() == original


def test_another_result_under_a_key_is_not_taken(bundle: Path, tmp_path: Path) -> None:
    """A bundle cannot answer for a specification with the result of another one."""
    opened = BundleFile.open(bundle)
    one, other = (job.key for job in opened.manifest.jobs[:2])
    members = {name: opened.read(name) for name in opened.manifest.members}
    swapped = {name.replace(one, "X").replace(other, one): data for name, data in members.items()}
    swapped = {name.replace(f"/{other[:2]}/{one}", f"/{one[:2]}/{one}"): data for name, data in swapped.items()}
    swapped = {name: data for name, data in swapped.items() if "X" not in name}
    from tests.spa_widgets.io.test_bundle_file import archive, listed

    about = json.loads(zipfile.ZipFile(bundle).read("manifest.json"))
    about |= {"members": listed(**swapped), "places": {}, "jobs": []}
    session = Session(tmp_path / "mine", class_store=archive(tmp_path / "evil.spa", swapped, about))
    assert session.store.find(one) is None


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two micrographs in a folder with a blank in its name."""
    folder = tmp_path_factory.mktemp("raw") / "my data"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for number in (1, 2):
        write_mrc(folder / f"mic_{number}.mrc", rng.standard_normal((64, 64)).astype(np.float32), 2.0)
    return folder


@pytest.fixture(scope="module")
def imported(open_session: Opener, raw: Path) -> Session:
    session = open_session("imported")
    session.import_micrographs(str(raw / "*.mrc"), **OPTICS).wait()
    return session


def test_raw_files_travel_and_are_named_where_they_are(
    imported: Session, raw: Path, tmp_path: Path, hide: Callable[[Session], None]
) -> None:
    assert imported.export(tmp_path / "all.spa").left_out == []
    session = Session.open_bundle(tmp_path / "all.spa", tmp_path / "mine")
    names = session["J1"].table()["rlnMicrographName"]
    found = [resolve_image_path(name, session["J1"].path("micrographs")) for name in names]
    assert [path.read_bytes() for path in found] == [path.read_bytes() for path in sorted(raw.iterdir())]
    assert all(path.is_relative_to(session.path) for path in found)
    hide(session)


def test_micrographs_left_out_are_told_and_taken_from_where_the_learner_has_them(
    imported: Session, raw: Path, tmp_path: Path
) -> None:
    written = imported.export(tmp_path / "small.spa", micrographs=False)
    assert [name for name, _ in written.left_out] == ["mic_1.mrc", "mic_2.mrc"]
    assert "left out: 2 files, 0.0 MB (mic_1.mrc, mic_2.mrc)" in str(written)
    away = raw.with_name("away")
    here = tmp_path / "here"
    here.mkdir()
    for path in raw.iterdir():
        (here / path.name).write_bytes(path.read_bytes())
    raw.rename(away)
    try:
        session = Session.open_bundle(tmp_path / "small.spa", tmp_path / "mine", device="cpu")
        with pytest.raises(UserError, match="which is not there"):
            resolve_image_path(session["J1"].table()["rlnMicrographName"].iloc[0], session["J1"].path("micrographs"))
        job = session.import_micrographs(str(here / "*.mrc"), **OPTICS)
        assert job.origin.startswith("from the bundle, ")
        assert list(job.table()["rlnMicrographName"]) == [str(here / f"mic_{number}.mrc") for number in (1, 2)]
        assert session["J1"].path("micrographs").read_text(encoding="utf-8") == job.path("micrographs").read_text(
            encoding="utf-8"
        )

        told = Session.open_bundle(tmp_path / "small.spa", tmp_path / "told", raw=str(here))
        assert told["J1"].table()["rlnMicrographName"].iloc[0] == str(here / "mic_1.mrc")
    finally:
        away.rename(raw)


def test_the_commands_say_what_they_did(
    teacher: Session, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["export", str(teacher.path), "J2", "out.spa"]) == 0
    assert "2 jobs" in (told := capsys.readouterr()).out
    assert "Exporting 100%" in told.err
    assert main(["open", "out.spa", "--verify", "--unpack", "--quiet"]) == 0
    assert "2 jobs of 'Workshop'" in capsys.readouterr().out
    assert {"vector.npy", "table.csv"} <= {
        path.name for path in (tmp_path / "out" / "jobs" / "J1-toy_iterate").iterdir()
    }
    assert main(["export", "out.spa"]) == 1
    assert "is not a project" in capsys.readouterr().err
    assert main(["export", "--project", str(teacher.path), "J2"]) == 1
    assert "The last argument is the archive to write" in capsys.readouterr().err
    assert main(["open", "nothing.spa"]) == 1
    assert "cannot be opened as a bundle" in capsys.readouterr().err
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "file").touch()
    assert main(["open", "out.spa", "--out", "taken"]) == 1
    assert "is there and is no project" in capsys.readouterr().err


def test_only_what_is_finished_travels(open_session: Opener, tmp_path: Path) -> None:
    session = open_session("unfinished")
    with pytest.raises(UserError, match="has no finished job"):
        session.export(tmp_path / "none.spa")
    made = session.toy_iterate(iterations=2).wait()
    failed = session.toy_scale(made, factor=13.0)
    with pytest.raises(UserError):
        failed.wait()
    assert session.export(tmp_path / "some.spa").not_finished == ["J2"]
    with pytest.raises(UserError, match=r"J2 .* is failed; only finished jobs are exported"):
        session.export(tmp_path / "none.spa", ["J2"])
    assert [row.name for row in gather(session.project, ["J1"]).rows] == ["J1"]
