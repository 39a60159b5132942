"""The live job panel against a real session with its runner."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.mrc import write_mrc
from spa_widgets.viewers.jobs.widget import JobPanel, JobView
from tests.support.widget_data import PIXEL_A, ball, make_micrographs


@pytest.fixture
def session(tmp_path: Path) -> Any:
    from spa_widgets import Session

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
    assert not Path(picture["file"]).is_file(), "the folder in which the job worked is gone"
    facts, (content,) = panel._ask_picture("J1", picture["file"])
    assert facts["mime"] == "image/webp" and content[8:12] == b"WEBP"
    with pytest.raises(UserError, match="no longer there"):
        panel._ask_picture("J1", str(tmp_path / "a.mrc"))
    panel.close()
