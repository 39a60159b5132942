"""Every widget opens on a project that is only looked at, and on a bundle, and nothing of the other's changes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from spa_widgets import (
    ClassGallery,
    CTFInspector,
    ImageViewer,
    JobPanel,
    ManualPicker,
    PickInspector,
    Session,
    SessionTree,
    StepForm,
    VolumeViewer,
)
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import write_mrc
from tests.support.widget_data import PIXEL_A, add_members, make_micrographs, particle_positions


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """A project with micrographs, picks, classes and a map."""
    folder = tmp_path_factory.mktemp("other")
    star = make_micrographs(folder / "mics")
    (folder / "stack").mkdir()
    add_members(folder / "stack")
    session = Session(folder / "project", device="cpu")
    optics = {"pixel_size_A": PIXEL_A, "voltage_kv": 300, "cs_mm": 1.6}
    mics = session.import_micrographs(str(star.parent / "*.mrc"), **optics)
    picker = ManualPicker(session, mics.wait(120))
    for x, y in particle_positions():
        picker.add("mic_0002", x, y)
    session.pick_blobs(mics, diameter_A=70).wait(120)
    particles = folder / "stack" / "particles.star"
    session.classify_2d(particles, classes=3, mask_diameter_A=70, iterations=3).wait(240)
    yield session
    session.runner.stop()


@pytest.mark.parametrize("kind", ["project", "bundle"])
def test_every_widget_opens_and_nothing_changes(other: Session, tmp_path: Path, kind: str) -> None:
    source = other.path
    if kind == "bundle":
        source = tmp_path / "all.spa"
        other.export(source)
    before = {path: path.lstat().st_mtime_ns for path in other.path.rglob("*")}
    looker = Session.look_at(source)
    panel = JobPanel(looker)
    for job in looker:
        panel.select(job.name)
        assert panel.details["files"]
    SessionTree(looker).select("J2")
    picker = ManualPicker(looker, looker["J1"])
    assert len(picker.picks["mic_0002.mrc"]) == len(particle_positions())
    picker.add("mic_0001", 20, 20)
    inspector = PickInspector(looker, looker["J2"])
    assert inspector.kept_count > 0
    gallery = ClassGallery(looker, looker["J3"])
    gallery.select([1])
    assert ImageViewer(looker["J1"], picks=looker["J2"]).static_html()
    assert CTFInspector(looker, looker["J1"]).accepted_names
    StepForm(looker, "refine")
    write_mrc(tmp_path / "map.mrc", looker["J3"].classes()[:1].repeat(8, axis=0), 4.0)
    VolumeViewer(tmp_path / "map.mrc")
    for submit in (picker.submit, gallery.submit):
        with pytest.raises(UserError, match="here results are only looked at"):
            submit()
    panel.close()
    now = {path: path.lstat().st_mtime_ns for path in other.path.rglob("*")}
    assert now == before
