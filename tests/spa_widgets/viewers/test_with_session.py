"""Widgets on a real session: their decisions become jobs, and are there again when the project is reopened."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets import ClassGallery, CTFInspector, ManualPicker, PickInspector, Session
from spa_widgets.errors import UserError
from spa_widgets.io.star import read_star
from spa_widgets.steps.select_2d.live import LiveClasses
from tests.support.widget_data import PIXEL_A, add_members, make_micrographs, make_spectra, particle_positions


def tenth_best(blobs: Any) -> float:
    """A threshold on NCC that ten candidates reach."""
    scores = np.sort(read_star(blobs.wait(120).path("candidates.star"))["particles"]["rlnAutopickFigureOfMerit"])[::-1]
    return float(scores[9] + scores[10]) / 2


def test_picks_and_thresholds_become_jobs(tmp_path: Path) -> None:
    star = make_micrographs(tmp_path / "mics")
    session = Session(tmp_path / "project")
    mics = session.import_micrographs(
        str(star.parent / "*.mrc"), pixel_size_A=PIXEL_A, voltage_kv=300, cs_mm=1.6, dose_e_per_A2=35.0
    )
    picker = ManualPicker(session, mics)  # the job need not be finished
    for x, y in particle_positions():
        picker.add("mic_0002", x, y)
    manual = picker.submit()
    blobs = session.pick_blobs(mics, diameter_A=70)
    inspector = PickInspector(session, blobs)
    inspector.set(max_power=None, min_power=None, min_ncc=tenth_best(blobs))
    kept = inspector.kept_count
    chosen = inspector.submit()

    table = read_star(manual.wait(120).path("picks"))["particles"]
    assert sorted(zip(table["rlnCoordinateX"], table["rlnCoordinateY"], strict=True)) == sorted(particle_positions())
    assert len(read_star(chosen.wait(120).path("picks"))["particles"]) == kept == 10

    again = Session(tmp_path / "project")
    assert ManualPicker(again, again["J1"]).picks == picker.picks
    proposed = {"mic_0001": [(30.0, 40.0)], "mic_0002": [(1.0, 2.0)]}
    started = ManualPicker(again, again["J1"], start=proposed).picks
    assert started == {**picker.picks, "mic_0001.mrc": [(30.0, 40.0)]}, "a proposal never replaces a person's picks"
    assert ManualPicker(again, again["J1"]).picks == picker.picks, "and is not taken for a decision"
    assert PickInspector(again, again[blobs.name]).thresholds == inspector.thresholds


def test_chosen_micrographs_become_a_job(tmp_path: Path) -> None:
    star = make_micrographs(tmp_path / "mics")
    make_spectra(star)
    session = Session(tmp_path / "project")
    inspector = CTFInspector(session, star)
    inspector.set(worst_resolution_A=8.0)
    inspector.reject("mic_0001.mrc")
    other = CTFInspector(Session(tmp_path / "project"), star)
    assert other.accepted == inspector.accepted == [False, True, False]
    other.undo()
    inspector._ask_refresh()  # what a page asks when it comes to the front
    assert inspector.accepted == [True, True, False]
    inspector.redo()
    job = inspector.submit()
    scope = {"session": session, "ctf": star}
    exec(inspector.code(), scope)
    assert scope["good"] == job, "its code asks for the same job"
    kept = read_star(job.wait(120).path("micrographs"))["micrographs"]["rlnMicrographName"]
    assert [Path(name).name for name in kept] == inspector.accepted_names
    assert CTFInspector(session, job).accepted_names == ["mic_0002.mrc"]


def test_a_gallery_follows_a_job_and_can_be_used_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    add_members(tmp_path / "stack")
    session = Session(tmp_path / "project")
    job = session.classify_2d(tmp_path / "stack" / "particles.star", classes=3, mask_diameter_A=70, iterations=14)
    gallery = ClassGallery(session, job)
    shown: list[tuple[str, list[int], int]] = []

    def note(change: Any) -> None:
        if change.new:
            facts, (picture,) = gallery._ask_atlas()
            shown.append((change.new, sorted(facts["numbers"]), len(picture)))
            with pytest.raises(UserError, match="still runs"):
                gallery._ask_select([1])

    gallery.observe(note, "live")
    job.wait(120)
    counts = {row["number"]: row["count"] for row in LiveClasses(job).news().rows}  # type: ignore[union-attr]
    gallery.select([max(counts, key=lambda number: counts[number])])  # waits until it is loaded
    assert shown and all(numbers == [1, 2, 3] and size > 100 and "iteration" in text for text, numbers, size in shown)
    assert gallery.live == "" and {row["number"]: row["count"] for row in gallery.classes} == counts
    chosen = gallery.submit().wait(120)
    assert chosen.figures["particles"] == gallery.particles_selected == max(counts.values())
    assert ClassGallery(Session(tmp_path / "project"), session[job.name]).selected == gallery.selected
