"""The manual picker without a browser: what its methods do, keep and say."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from spa_widgets.errors import UserError
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star
from spa_widgets.steps.manual_picks.widget import ManualPicker
from tests.support.widget_data import SIDE, make_micrographs, make_picks, particle_positions


class Decisions(dict):
    """Decisions kept in memory."""


class KeepingSession:
    """What the picker needs of a session: it keeps decisions and takes jobs."""

    def __init__(self) -> None:
        self.decisions = Decisions()
        self.jobs: list[dict[str, Any]] = []

    def decide(self, key: str, value: Any) -> None:
        self.decisions[key] = json.loads(json.dumps(value))

    def manual_picks(self, micrographs: Any, picks: dict[str, Any]) -> Any:
        self.jobs.append({"micrographs": micrographs, "picks": picks})
        return SimpleNamespace(name="J7")


@pytest.fixture
def star(tmp_path: Path) -> Path:
    return make_micrographs(tmp_path / "mics")


def test_picks_are_added_moved_removed_undone_and_redone(star: Path) -> None:
    picker = ManualPicker(None, star)
    picker.add("mic_0001.mrc", 64, 64)
    picker.add("mic_0001", 190.04, 60)
    picker.add(1, 10, 20)
    assert picker.picks == {"mic_0001.mrc": [(64.0, 64.0), (190.0, 60.0)], "mic_0002.mrc": [(10.0, 20.0)]}
    picker.move("mic_0001.mrc", 1, 192, 64)
    picker.remove("mic_0001.mrc", 60, 60)
    assert picker.picks["mic_0001.mrc"] == [(192.0, 64.0)]
    for _ in range(2):
        picker.undo()
    assert picker.picks["mic_0001.mrc"] == [(64.0, 64.0), (190.0, 60.0)]
    picker.redo()
    picker.redo()
    assert picker.picks["mic_0001.mrc"] == [(192.0, 64.0)]
    assert picker.counts == [1, 1, 0] and picker.count == 2


def test_undo_goes_to_the_micrograph_of_the_change(star: Path) -> None:
    picker = ManualPicker(None, star)
    picker.add(0, 5, 5)
    picker.next()
    assert picker.current == 1
    picker.undo()
    assert picker.current == 0 and picker.count == 0


def test_its_code_reproduces_the_picks(star: Path) -> None:
    picker = ManualPicker(None, star)
    for x, y in particle_positions():
        picker.add(2, x, y)
    session, ctf = KeepingSession(), "ctf"
    exec(picker.code(), {"session": session, "ctf": ctf})
    assert session.jobs[0]["picks"] == picker.picks
    again = ManualPicker(None, star, picks=session.jobs[0]["picks"])
    assert again.picks == picker.picks


def test_every_click_is_kept_in_the_file(star: Path, tmp_path: Path) -> None:
    file = tmp_path / "picks.json"
    ManualPicker(None, star, autosave=file).add(0, 12, 34)
    assert json.loads(file.read_text(encoding="utf-8")) == {"picks": {"mic_0001.mrc": [[12.0, 34.0]]}}
    assert ManualPicker(None, star, autosave=file).picks == {"mic_0001.mrc": [(12.0, 34.0)]}


def test_every_click_is_kept_in_the_session_and_comes_back(star: Path) -> None:
    session = KeepingSession()
    picker = ManualPicker(session, star)
    picker.add(0, 1, 2)
    picker.add(0, 3, 4)
    picker.undo()
    assert ManualPicker(session, star).picks == {"mic_0001.mrc": [(1.0, 2.0)]}
    assert picker.submit().name == "J7"
    assert session.jobs == [{"micrographs": star, "picks": {"mic_0001.mrc": [(1.0, 2.0)]}}]


def test_the_picture_shows_the_particles_where_they_are(star: Path) -> None:
    picker = ManualPicker(None, star, low_pass_A=20)
    facts, (jpeg,) = picker._ask_image(0, 20.0, 0.0, False)
    picture = np.asarray(Image.open(io.BytesIO(jpeg)), float)
    assert (facts["width"], facts["height"], facts["pixel_size_A"]) == (SIDE, SIDE, 2.464)
    assert picture.shape == (SIDE, SIDE)
    inside = [picture[y - 5 : y + 6, x - 5 : x + 6].mean() for x, y in particle_positions()]
    assert max(inside) < picture.mean() - 20, "the discs are dark, first row on top"


def test_suggestions_are_accepted_by_one_step_and_dismissed(star: Path) -> None:
    proposed = {"mic_0001": particle_positions(), "mic_0002.mrc": [(30, 40)]}
    picker = ManualPicker(None, star, suggestions=proposed, diameter_A=80)
    assert len(picker.suggested(0)) == 5 and picker.count == 0, "a suggestion is not a pick"
    picker.add(0, 66, 62)
    assert (64.0, 64.0) not in picker.suggested("mic_0001"), "a pick takes the place of the suggestion beside it"
    picker.dismiss(0, 120, 130)
    picker.accept(0)
    assert sorted(picker.picks["mic_0001.mrc"]) == [(64.0, 192.0), (66.0, 62.0), (192.0, 64.0), (192.0, 192.0)]
    assert picker.suggested(0) == []
    picker.undo()
    assert picker.picks["mic_0001.mrc"] == [(66.0, 62.0)] and len(picker.suggested(0)) == 3
    _, (picks, suggested) = picker._ask_picks(1)
    assert picks == b"" and np.frombuffer(suggested, "<f4").tolist() == [30.0, 40.0]


def test_suggestions_come_from_a_file_of_picks(star: Path) -> None:
    picker = ManualPicker(None, star, suggestions=make_picks(star))
    assert len(picker.suggested("mic_0002")) == 25
    with pytest.raises(UserError, match="no micrograph is called 'other'"):
        ManualPicker(None, star, suggestions={"other": [(1, 2)]})


def test_a_thumbnail_is_the_micrograph_in_small(star: Path) -> None:
    facts, (jpeg,) = ManualPicker(None, star)._ask_thumbnail(1)
    picture = np.asarray(Image.open(io.BytesIO(jpeg)), float)
    assert picture.shape == (128, 128) and len(jpeg) < 12_000 and facts["mime"] == "image/jpeg"
    assert picture[28:36, 28:36].mean() < picture.mean() - 20, "a particle at (64, 64) px"


def test_a_large_picture_is_binned_by_its_low_pass_and_stays_small(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal((3000, 2800), np.float32)
    write_mrc(tmp_path / "large.mrc", noise, 1.232)
    picker = ManualPicker(None, tmp_path / "large.mrc")
    for low_pass_A, side in ((20.0, 750), (0.0, 1500)):
        facts, (jpeg,) = picker._ask_image(0, low_pass_A, 0.0, False)
        assert Image.open(io.BytesIO(jpeg)).height == side and len(jpeg) <= 700_000
        assert (facts["height"], facts["width"]) == (3000, 2800)


def test_denoising_shows_particles_on_flat_ice(star: Path) -> None:
    picker = ManualPicker(None, star)
    plain, clean = (picker._mics.picture(0, 0.0, denoise=on).astype(float) for on in (False, True))
    ice = (slice(90, 112), slice(20, 112))
    particle = (slice(186, 199), slice(186, 199))
    contrast = [(p[ice].mean() - p[particle].mean()) / p[ice].std() for p in (plain, clean)]
    assert contrast[1] > 3 * contrast[0] > 0


def test_picks_are_written_as_star(star: Path, tmp_path: Path) -> None:
    picker = ManualPicker(None, star, picks={"mic_0002": [(7, 8)]})
    table = read_star(picker.save(tmp_path / "picks.star"))["particles"]
    assert table[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy().tolist() == [[7.0, 8.0]]
    assert table["rlnMicrographName"][0].endswith("mic_0002.mrc")


def test_a_view_cannot_edit_what_is_read_only(star: Path) -> None:
    picker = ManualPicker(None, star, read_only=True)
    sent: list[Any] = []
    picker.send = lambda content, buffers=None: sent.append(content)  # type: ignore[method-assign]
    picker._receive(picker, {"ask": "edit", "id": "1", "args": {"action": "add", "name": 0, "x": 1, "y": 1}}, [])
    assert "only shows" in sent[-1]["error"] and sent[-1]["reply"] == "1"
    picker._receive(picker, {"ask": "edit", "id": "2", "args": {"action": "__init__"}}, [])
    assert "error" in sent[-1]
    assert picker.picks == {}


def test_mistakes_are_told_in_one_sentence(star: Path, tmp_path: Path) -> None:
    picker = ManualPicker(None, star)
    with pytest.raises(UserError, match="no micrograph is called 'mic_9'"):
        picker.add("mic_9", 1, 1)
    with pytest.raises(UserError, match="outside the micrograph of 256 x 256"):
        picker.add(0, 400, 1)
    with pytest.raises(UserError, match="no pick to remove"):
        picker.remove(0, 1, 1)
    with pytest.raises(UserError, match="no session"):
        picker.submit()
    with pytest.raises(UserError, match="has no option 'lowpass'"):
        ManualPicker(None, star, lowpass=3)
    with pytest.raises(UserError, match="no file is called"):
        ManualPicker(None, tmp_path / "nothing*.mrc")


def test_the_report_carries_a_picture(star: Path) -> None:
    picker = ManualPicker(None, star, picks={"mic_0001": [(64, 64)]})
    data, _ = picker._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/html"].startswith('<img alt="mic_0001.mrc: 1 picks')


def test_waits_for_a_running_job_without_blocking(star: Path) -> None:
    import threading

    done = threading.Event()

    class Running:
        name, step = "J2", SimpleNamespace(title="Patch CTF estimation", name="estimate_ctf")

        @property
        def status(self) -> str:
            return "finished" if done.is_set() else "running"

        def wait(self) -> None:
            done.wait(10)

        def path(self, name: str) -> Path:
            return star

    picker = ManualPicker(None, Running())
    assert "J2 Patch CTF estimation: running" in picker.waiting
    done.set()
    assert picker.picks == {} and len(picker.micrographs) == 3
    picker._loader.join(5)
    assert picker.waiting == ""
