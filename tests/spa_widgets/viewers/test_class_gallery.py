"""The class gallery without a browser."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from engine.classification.select import select_classes
from spa_widgets.errors import UserError
from spa_widgets.steps.select_2d.widget import ClassGallery
from tests.support.widget_data import add_members, make_classes


@pytest.fixture
def gallery(tmp_path: Path) -> ClassGallery:
    return ClassGallery(None, make_classes(tmp_path / "classes"))


def test_it_tells_count_resolution_and_effective_classes(gallery: ClassGallery) -> None:
    assert gallery.classes[1] == {"number": 2, "count": 200, "resolution_A": 6.0, "effective_classes": 1.5}
    assert len(gallery.classes) == 6


def test_selection_by_numbers_by_click_all_none_inverted(gallery: ClassGallery) -> None:
    gallery.select([4, 1])
    gallery.toggle(4)
    gallery.toggle(6)
    assert gallery.selected == [1, 6] and gallery.particles_selected == 700
    gallery.invert_selection()
    assert gallery.selected == [2, 3, 4, 5]
    gallery.select_all()
    assert gallery.particles_selected == 2100
    gallery.select_none()
    assert gallery.selected == []


def test_selection_by_quality(gallery: ClassGallery) -> None:
    gallery.select_where(min_count=200, max_resolution_A=8.0)
    assert gallery.selected == [2, 3, 4]
    gallery.select_where(max_effective_classes=1.0)
    assert gallery.selected == [1]


def test_the_atlas_holds_every_class_in_order(gallery: ClassGallery) -> None:
    facts, (picture,) = gallery._ask_atlas()
    levels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float)
    assert levels.shape == (2 * 32, facts["columns"] * 32) and facts["numbers"] == [1, 2, 3, 4, 5, 6]
    for place in range(6):
        row, column = divmod(place, facts["columns"])
        line = levels[row * 32 + 16, column * 32 + 16 : column * 32 + 32]
        assert abs(int(np.argmax(line)) - 2 * (place + 1)) <= 1, (
            f"class {place + 1} has its ring at {2 * (place + 1)} px"
        )


def test_its_code_reproduces_the_selection(gallery: ClassGallery) -> None:
    gallery.select([3, 5])
    assert gallery.code() == "selected = session.select_2d(classes, classes=[3, 5])"


def test_mistakes_are_told(gallery: ClassGallery, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no class 9; there are 1 to 6"):
        gallery.select([9])
    with pytest.raises(UserError, match="no session"):
        gallery.submit()
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds none of class_averages\.mrcs"):
        ClassGallery(None, tmp_path / "empty")


def test_classes_without_a_table_have_unknown_counts(tmp_path: Path) -> None:
    folder = make_classes(tmp_path / "classes")
    (folder / "classes.csv").unlink()
    gallery = ClassGallery(None, folder / "class_averages.mrcs")
    assert gallery.classes[0]["count"] is None and gallery.particles_selected == 0
    assert "class 1" in gallery.static_html()


def judged_classes(folder: Path) -> Path:
    """Classes with the figures that the automatic choice looks at: 2, 4 and 5 carry detail."""
    make_classes(folder)
    table = pd.read_csv(folder / "classes.csv")
    gain = np.array([0.01, 2.0, 0.005, 1.5, 1.8, 0.0])
    score = np.where(gain > 1, 60.0, 2.0)
    same = {"width_A": 100.0, "mass": 1000.0, "object": 1, "resolution_A": 9.0, "effective_classes": 1.2}
    table = table.assign(detail_gain=gain, mean_score=score, **same)
    table.to_csv(folder / "classes.csv", index=False)
    return folder


def test_it_starts_from_the_automatic_choice_when_asked(tmp_path: Path) -> None:
    folder = judged_classes(tmp_path / "classes")
    table = pd.read_csv(folder / "classes.csv")
    expected = [int(index) + 1 for index in select_classes({str(name): table[name].to_numpy() for name in table})]
    assert expected == [2, 4, 5]
    gallery = ClassGallery(None, folder, propose=True)
    assert gallery.selected == expected and gallery.can_propose
    gallery.toggle(4)
    assert gallery.selected == [2, 5]
    assert gallery.propose() == expected
    assert ClassGallery(None, folder, propose=True, selected=[6]).selected == [6], "a person's own choice comes first"
    assert ClassGallery(None, folder).selected == []


def test_what_cannot_be_proposed_is_said(gallery: ClassGallery, tmp_path: Path) -> None:
    assert not gallery.can_propose
    with pytest.raises(UserError, match="classify again"):
        gallery.propose()
    (tmp_path / "classes" / "classes.csv").unlink()
    with pytest.raises(UserError, match="by hand"):
        ClassGallery(None, tmp_path / "classes").propose()
    without = ClassGallery(None, tmp_path / "classes", propose=True)
    assert without.no_proposal and without.selected == []


def test_every_change_of_the_selection_can_be_taken_back(tmp_path: Path) -> None:
    gallery = ClassGallery(None, judged_classes(tmp_path / "classes"), propose=True)
    proposal = list(gallery.selected)
    gallery.toggle(6)
    gallery.select_none()
    gallery.undo()
    assert gallery.selected == [*proposal, 6]
    gallery.undo()
    assert gallery.selected == proposal and not gallery.can_undo, "back to the proposal"
    gallery.redo()
    assert gallery.selected == [*proposal, 6] and gallery.can_redo
    gallery.select([1])
    assert not gallery.can_redo


def spots_of(picture: bytes) -> np.ndarray:
    """Middle (y, x) of the bright spot in each tile of 32 px of a picture."""
    levels = np.asarray(Image.open(io.BytesIO(picture)).convert("L"), float)
    tiles = levels.reshape(len(levels) // 32, 32, -1, 32).swapaxes(1, 2).reshape(-1, 32, 32)
    seen = [tile for tile in tiles if tile.std() > 3]  # what is left over is plain
    return np.array([np.argwhere(tile > 0.9 * tile.max()).mean(axis=0) for tile in seen])


def test_members_are_drawn_as_their_average_is(tmp_path: Path) -> None:
    """Particles of class 2 are one spot, moved and turned; laid on each other they are that spot again."""
    folder = make_classes(tmp_path / "classes")
    add_members(folder)
    gallery = ClassGallery(None, folder)
    table = gallery.members(2)
    assert table["rlnMaxValueProbDistribution"].tolist() == sorted(table["rlnMaxValueProbDistribution"], reverse=True)
    facts, (picture,) = gallery._ask_members(2, 1, True, 0.0)
    assert (facts["count"], facts["pages"]) == (30, 2)
    spots = spots_of(picture)
    assert len(spots) == 14, "so many are left for the second page"
    assert np.abs(spots - [16, 22]).max() < 1.0
    _, (raw,) = gallery._ask_members(2, 1, False, 0.0)
    assert spots_of(raw).std(axis=0).min() > 2.0, "as they were cut out they lie anywhere"
    assert gallery._ask_members(5, 0, True, 20.0) == ({"found": False}, [])
    with pytest.raises(UserError, match="no particle on page 8"):
        gallery._ask_members(2, 7, True, 20.0)


def test_what_is_not_there_is_said(gallery: ClassGallery) -> None:
    with pytest.raises(UserError, match=r"no particles\.star beside"):
        gallery.members(1)
    assert gallery._ask_frc(1) == ({"found": False}, [])
