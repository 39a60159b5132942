"""The live job panel against a real session with its runner."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spa_widgets import Session
from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import Cancelled
from spa_widgets.viewers.jobs.widget import JobPanel, JobView, SessionTree
from tests.support.widget_data import PIXEL_A, ball, make_micrographs


@pytest.fixture
def session(tmp_path: Path) -> Any:
    found = Session(tmp_path / "project")
    yield found
    runner = getattr(found.runner, "stop", None)
    if callable(runner):
        runner()


def test_a_job_appears_runs_and_ends_in_the_panel(session: Any, tmp_path: Path) -> None:
    star = make_micrographs(tmp_path / "mics")
    panel = JobPanel(session)
    assert panel.jobs == []
    job = session.import_micrographs(
        str(star.parent / "*.mrc"), pixel_size_A=PIXEL_A, voltage_kv=300, cs_mm=1.6, dose_e_per_A2=35.0
    )
    job.wait(120)
    deadline = time.monotonic() + 10  # the panel's own thread sees the end; nobody calls refresh here
    while not (panel.jobs and panel.jobs[0]["status"] == "finished") and time.monotonic() < deadline:
        time.sleep(0.05)
    row = panel.jobs[0]
    assert (row["name"], row["step"], row["status"], row["progress"]) == ("J1", "import_micrographs", "finished", 1.0)
    panel.select("J1")
    assert panel.details["name"] == "J1" and panel.details["code"].startswith("session.import_micrographs(")
    assert JobView(job).jobs[0]["name"] == "J1"
    with pytest.raises(UserError, match="no job 'J9'"):
        panel.cancel("J9")
    assert "Import" in panel.static_html()
    panel.close()


def test_pictures_of_a_finished_job_are_still_shown(session: Any, tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_mrc(tmp_path / f"{name}.mrc", ball(), 4.0)
    job = session.compare_maps(str(tmp_path / "a.mrc"), str(tmp_path / "b.mrc"), align=False)
    job.wait(120)
    panel = JobPanel(session, selected="J1")
    (picture,) = panel.details["pictures"]
    facts, (content,) = panel._ask_picture("J1", picture["name"])
    assert facts["mime"] == "image/webp" and content[8:12] == b"WEBP"
    with pytest.raises(UserError, match="no longer there"):
        panel._ask_picture("J1", "../a")
    panel.close()
    again = Session(tmp_path / "other", store=session.store.path)
    reused = again.compare_maps(str(tmp_path / "a.mrc"), str(tmp_path / "b.mrc"), align=False).wait(60)
    panel = JobPanel(again, selected=reused.name)
    assert [picture["name"] for picture in panel.details["pictures"]] == ["slices"], "a reused result has its pictures"
    panel.close()


def test_results_and_log_of_a_job_are_at_hand(session: Any, tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", ball(), 4.0)
    job = session.flip_hand(str(tmp_path / "a.mrc")).wait(120)
    panel = JobPanel(session, selected="J1")
    files = {each["file"]: each for each in panel.details["files"]}
    declared = job.step.outputs[0]
    assert files[declared.file]["kind"] == declared.kind and not panel.details["can_resume"]
    facts, (content,) = panel._ask_file("J1", declared.file)
    assert facts["name"] == f"J1_{declared.file}" and content == job.path(declared.file).read_bytes()
    with pytest.raises(UserError, match="has no file"):
        panel._ask_file("J1", "../../project.json")
    assert panel.details["device"] == "cpu" and any("started" in text for _, text in panel.details["log"])
    assert panel.jobs[0]["bytes"] >= len(content) and SessionTree(session).disk_bytes == panel.jobs[0]["bytes"]
    panel.close()


def test_a_cancelled_job_is_resumed_and_a_job_is_cloned_with_changes(session: Any) -> None:
    panel = JobPanel(session)
    job = session.simulate(micrographs=40)
    panel.cancel(job.name)
    with pytest.raises(Cancelled):
        job.wait(120)
    panel.select(job.name)
    assert panel.details["can_resume"]
    assert panel.resume(job.name) == job and job.status in ("queued", "running")
    panel.cancel(job.name)
    panel._ask_edit(job.name)
    assert panel.schema["step"] == "simulate" and panel.filled["values"]["micrographs"] == "40"
    panel._ask_form_set("micrographs", "1")
    panel._ask_form_set("size_px", "256")
    assert panel.filled["code"] == "session.simulate(micrographs=1, size_px=256)" and panel.filled["problems"] == {}
    name = panel._ask_form_run()["job"]
    assert panel.schema == {} and panel.selected == name != job.name and session[name].params["micrographs"] == 1
    session[name].cancel()
    panel.close()


def test_what_leads_to_a_job_is_exported_as_one_archive(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_mrc(tmp_path / "a.mrc", ball(), 4.0)
    flipped = session.flip_hand(str(tmp_path / "a.mrc")).wait(120)
    session.flip_hand(flipped).wait(120)
    panel = JobPanel(session)
    whole = panel.export()
    assert panel.exporting["bytes"] == whole.stat().st_size and panel.exporting["count"] == 2
    assert whole == tmp_path / "project.spa" and panel.export() == tmp_path / "project_2.spa"
    assert [job.name for job in Session.look_at(whole).jobs] == ["J1", "J2"]
    assert [job.name for job in Session.look_at(panel.export(jobs=["J2"])).jobs] == ["J1", "J2"]
    panel._ask_export("J1")
    deadline = time.monotonic() + 60
    while panel.exporting["state"] == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    facts, (content,) = panel._ask_exported()
    assert facts["name"] == "project_J1.spa" and content == (tmp_path / "project_J1.spa").read_bytes()
    assert [job.name for job in Session.look_at(tmp_path / "project_J1.spa").jobs] == ["J1"]
    assert JobView(flipped).export().name == "project_J1_2.spa"
    panel.without_micrographs = True  # a.mrc was given as a file: an image like micrographs
    assert panel.export(tmp_path / "small.spa").stat().st_size < whole.stat().st_size
    assert panel.exporting["lacks"] == 1
    panel.close()


def test_an_export_that_cannot_be_written_says_why_and_leaves_nothing(session: Any, tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", ball(), 4.0)
    session.flip_hand(str(tmp_path / "a.mrc")).wait(120)
    panel = JobPanel(session)
    out = tmp_path / "out"
    taken = panel.export(out / "taken.spa")
    with pytest.raises(UserError, match=r"taken\.spa is there already; choose another name"):
        panel.export(taken)
    assert panel.exporting["state"] == "failed" and "choose another name" in panel.exporting["error"]
    with pytest.raises(UserError, match="no longer there"):
        panel._ask_exported()
    with pytest.raises(UserError, match="J9"):
        panel.export(out / "j9.spa", jobs=["J9"])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("spa_widgets.io.archives.shutil.disk_usage", lambda _folder: SimpleNamespace(free=1))
        with pytest.raises(UserError, match="are needed: choose another"):
            panel.export(out / "full.spa")
    answered: list[str] = []

    def ask_while_it_is_written(change: Any) -> None:
        """Ask from another thread, as a view does, then cancel."""
        if change["new"]["state"] == "running" and change["new"]["total"]:
            asking = threading.Thread(target=panel._receive, args=(panel, {"ask": "export", "id": "1"}, []))
            asking.start()
            asking.join(60)
            panel.cancel_export()

    panel.send = lambda content, buffers=(): answered.append(content["error"])  # type: ignore[method-assign]
    panel.observe(ask_while_it_is_written, names=["exporting"])
    with pytest.raises(Cancelled):
        panel.export(out / "cancelled.spa")
    assert panel.exporting["state"] == "cancelled" and [path.name for path in out.iterdir()] == ["taken.spa"]
    assert answered == ["An export is going on already; wait until it has ended, or cancel it."]
    panel.close()


def test_what_ended_while_nobody_looked_is_news(session: Any, tmp_path: Path) -> None:
    write_mrc(tmp_path / "a.mrc", ball(), 4.0)
    session.flip_hand(str(tmp_path / "a.mrc")).wait(120)
    JobPanel(session).close()
    session.sharpen(str(tmp_path / "a.mrc"), resolution_A=20, b_factor_A2=0).wait(120)
    panel = JobPanel(Session(session.path))
    assert [row["is_news"] for row in panel.jobs] == [False, True]
    panel.close()
    assert not any(row["is_news"] for row in JobPanel(Session(session.path)).jobs)


def test_a_workspace_has_a_panel_of_its_own_jobs(session: Any) -> None:
    side = session.workspace("side")
    assert JobPanel(side).jobs == []
    tree = SessionTree(side, search="x")
    assert (tree.show, tree.search) == ("tree", "x")
