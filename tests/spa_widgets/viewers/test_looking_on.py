"""Every widget opens on a project that is only looked at, and on a bundle, and nothing of the other's changes."""

from __future__ import annotations

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
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.keys import file_sha256
from tests.support.widget_data import PIXEL_A, add_members, make_micrographs, make_spectra, particle_positions


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """A project with micrographs, picks, classes and a map."""
    folder = tmp_path_factory.mktemp("other")
    star = make_micrographs(folder / "mics")
    make_spectra(star)
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
    assert session.runner.stop()  # its heartbeat goes into the queue
    return session


def contents(folder: Path) -> dict[Path, str]:
    """Every file with its content, but for those that an open session of the owner touches by itself."""
    own = ("kernel.json", "queue.sqlite-shm", "runner.log")
    return {path: file_sha256(path) for path in folder.rglob("*") if path.is_file() and path.name not in own}


@pytest.mark.parametrize("kind", ["project", "bundle"])
def test_every_widget_opens_and_nothing_changes(other: Session, tmp_path: Path, kind: str) -> None:
    source = other.path
    if kind == "bundle":
        source = tmp_path / "all.spa"
        other.export(source)
    before = contents(other.path)
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
    inspected = CTFInspector(looker, other.path.parent / "mics" / "micrographs.star")
    inspected.reject("mic_0001.mrc")
    assert inspected.accepted_names
    StepForm(looker, "refine")
    write_mrc(tmp_path / "map.mrc", looker["J3"].classes()[:1].repeat(8, axis=0), 4.0)
    VolumeViewer(tmp_path / "map.mrc")
    for submit in (picker.submit, gallery.submit):
        with pytest.raises(UserError, match="here results are only looked at"):
            submit()
    panel.close()
    assert contents(other.path) == before
