"""Names, cells and labels that are markup stay text in everything that a notebook shows without a kernel."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "spa_widgets" / "session"))

from session_support import end_runner

from spa_widgets import (
    ClassGallery,
    CTFInspector,
    FSCPlot,
    ImageViewer,
    JobPanel,
    JobView,
    ManualPicker,
    PickInspector,
    Session,
    SessionTree,
    StepForm,
    VolumeViewer,
)
from spa_widgets.session.figures import Figures
from spa_widgets.tutorial.report import Check, RunReport
from tests.support.widget_data import PIXEL_A, make_hostile

HOSTILE = """'"><evil onclick=x()><img src=x onerror=x()>&lt;evil"""
TAGS = {"b", "br", "caption", "code", "defs", "div", "g", "i", "img", "path", "polyline", "progress", "rect", "span",
        "svg", "table", "tbody", "td", "text", "th", "thead", "title", "tr"}  # fmt: skip


class Checker(HTMLParser):
    """Refuse elements and attributes that the project never writes."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in TAGS, self.get_starttag_text()
        for name, value in attrs:
            assert not name.startswith("on") and name not in ("srcdoc", "href", "formaction"), self.get_starttag_text()
            if name == "src":
                assert (value or "").startswith("data:image/"), self.get_starttag_text()
            self.text.append(value or "")

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def checked(html: str) -> str:
    """Check markup; return what it says."""
    checker = Checker()
    checker.feed(html)
    checker.close()
    return " ".join(checker.text)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files whose names are markup, with STAR cells that are markup."""
    place = tmp_path_factory.mktemp("hostile") / HOSTILE.replace("/", "")
    make_hostile(place, HOSTILE)
    return place


@pytest.fixture(scope="module")
def session(folder: Path) -> Iterator[Session]:
    """A project whose title, workspace and input are markup, with a job that warns of a hostile name."""
    (folder / f"{HOSTILE}2.mrc").write_bytes(b"cut short")
    opened = Session(folder / "project", title=HOSTILE, device="cpu")
    opened.workspace(HOSTILE)
    opened.import_micrographs(
        str(folder / f"{HOSTILE}[12].mrc"), pixel_size_A=PIXEL_A, voltage_kv=300, cs_mm=2.7
    ).wait()
    yield opened
    end_runner(opened)


WIDGETS: dict[str, Callable[[Path, Session], Any]] = {
    "ctf": lambda folder, session: CTFInspector(None, folder / "micrographs.star"),
    "picks": lambda folder, session: PickInspector(None, folder / "picks.star"),
    "picker": lambda folder, session: ManualPicker(None, folder / "micrographs.star"),
    "flat": lambda folder, session: ImageViewer(folder / "micrographs.star", picks=folder / "picks.star"),
    "classes": lambda folder, session: ClassGallery(None, folder / "classes"),
    "fsc": lambda folder, session: FSCPlot(folder / "fsc.csv", labels=[HOSTILE]),
    "volume": lambda folder, session: VolumeViewer(folder / f"{HOSTILE}.mrc", names=[HOSTILE]),
    "form": lambda folder, session: StepForm(session, "pick_blobs", micrographs=f"{HOSTILE}.star"),
    "jobs": lambda folder, session: JobPanel(session),
    "tree": lambda folder, session: SessionTree(session),
    "job": lambda folder, session: JobView(session.jobs[0]),
}
NAMELESS = {"classes", "fsc", "jobs", "tree", "job"}  # only numbers and titles of steps


@pytest.mark.parametrize("name", WIDGETS)
def test_widgets_show_hostile_names_as_text(folder: Path, session: Session, name: str) -> None:
    widget = WIDGETS[name](folder, session)
    widget._need()
    html = widget.static_html()
    assert html
    assert "evil" in checked(html) or name in NAMELESS
    widget.close()


def test_jobs_and_sessions_show_hostile_text_as_text(session: Session) -> None:
    assert checked(session._repr_html_()).count(HOSTILE) >= 2
    (job,) = session.jobs
    shown = checked(job._repr_html_())
    assert shown.count(HOSTILE) >= 2 and any(HOSTILE in text for text in job.warnings)
    figures = Figures({"resolution_A": 3.0, HOSTILE: HOSTILE, "names": [HOSTILE]})
    assert HOSTILE in checked(figures._repr_html_())


def test_reports_show_hostile_text_as_text() -> None:
    check = Check(HOSTILE, [(HOSTILE, HOSTILE, HOSTILE), ("number", np.float64(3), "Å")])
    report = RunReport({"a": check}, [{"job": HOSTILE, "step": HOSTILE, "seconds": 1.0}])
    assert checked(report._repr_html_()).count(HOSTILE) >= 4


def test_the_checker_finds_what_it_looks_for() -> None:
    for bad in (f"<b>{HOSTILE}</b>", "<img src='http://x'>", "<script>1</script>", "<b onclick='x()'>1</b>"):
        with pytest.raises(AssertionError):
            checked(bad)
