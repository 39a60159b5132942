"""The pick inspector and the CTF inspector without a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.star import read_star, write_star
from spa_widgets.steps._pick_scores import within_thresholds
from spa_widgets.steps.estimate_ctf.widget import CTFInspector
from spa_widgets.steps.inspect_picks.params import Params
from spa_widgets.steps.inspect_picks.widget import PickInspector
from tests.support.widget_data import make_micrographs, make_picks, make_spectra, particle_positions


@pytest.fixture
def star(tmp_path: Path) -> Path:
    found = make_micrographs(tmp_path / "mics")
    make_spectra(found)
    return found


def test_thresholds_keep_exactly_the_good_picks(star: Path) -> None:
    inspector = PickInspector(None, make_picks(star))
    assert inspector.kept_count == 75 and inspector.counts == [25, 25, 25]
    inspector.set(min_ncc=0.3)
    assert inspector.kept_count == 45
    inspector.set(max_power=5.0)
    assert inspector.kept_count == 15 and inspector.counts == [5, 5, 5]
    assert np.array_equal(np.flatnonzero(inspector.kept)[:6], [0, 1, 2, 3, 4, 25])
    assert inspector.code() == (
        "good = session.inspect_picks(picks, min_ncc=0.3, max_power=5, automatic_thresholds=False)"
    )
    inspector.set(min_ncc=None, max_power=None)
    assert inspector.kept_count == 75


def test_a_threshold_at_a_score_keeps_it(star: Path) -> None:
    """The scores are float32: 0.1 as a double is below 0.1 as a float."""
    inspector = PickInspector(None, make_picks(star), min_ncc=0.1)
    assert inspector.kept_count == 75


def test_the_view_gets_the_scores_once(star: Path) -> None:
    facts, buffers = PickInspector(None, make_picks(star))._ask_scores()
    assert facts["count"] == 75 and [len(b) for b in buffers] == [300] * 5 + [0]
    assert np.frombuffer(buffers[4], "<i4").tolist() == [0] * 25 + [1] * 25 + [2] * 25


def test_picks_are_bounded_from_above_too(star: Path) -> None:
    inspector = PickInspector(None, make_picks(star), max_ncc=0.3)
    assert inspector.kept_count == 30
    assert "max_ncc=0.3" in inspector.code()


def test_precision_and_recall_are_those_of_the_kept(star: Path) -> None:
    truth = {f"mic_{number + 1:04d}": particle_positions() for number in range(3)}
    inspector = PickInspector(None, make_picks(star), truth=truth, diameter_A=40, min_ncc=0.3, max_power=5)
    assert inspector.against_truth == {"precision": 1.0, "recall": 1.0}
    inspector.set(max_power=None)
    assert inspector.against_truth == {"precision": pytest.approx(15 / 45), "recall": 1.0}
    inspector.set(max_ncc=0.3)
    assert inspector.against_truth["recall"] == 0.0
    facts, buffers = inspector._ask_scores()
    assert facts["truth_count"] == 15 and sorted(set(np.frombuffer(buffers[5], "<i4"))) == [-1, *range(15)]
    assert PickInspector(None, make_picks(star)).against_truth == {}


def test_calibrated_scores_are_those_that_the_job_thresholds(star: Path) -> None:
    """NCC grows with defocus, so noise of the third micrograph passes a threshold that particles of the first need."""
    path = make_picks(star)
    table = read_star(path)["particles"]
    number = table["rlnMicrographName"].str.extract(r"(\d+)\.mrc$")[0].astype(int) - 1
    table["spaMicrographDefocusA"] = 10000.0 + 3000 * number
    table["rlnAutopickFigureOfMerit"] += 0.1 * (number - 1)
    noise = np.flatnonzero((number == 2) & (table["spaPickPower"] == 1.0))[0]
    table.loc[noise, "rlnAutopickFigureOfMerit"] = 0.42
    write_star(path, {"particles": table})
    inspector = PickInspector(None, path, min_ncc=0.38, max_power=5)
    assert inspector.counts == [5, 5, 6] and inspector.has_defocus
    inspector.calibrate_to_defocus = True
    assert inspector.counts == [5, 5, 5]
    params = Params(min_ncc=0.38, max_power=5, automatic_thresholds=False, calibrate_to_defocus=True)
    assert np.array_equal(inspector.kept, within_thresholds(table, None, params)[1])
    assert inspector.code().endswith("max_power=5, calibrate_to_defocus=True, automatic_thresholds=False)")


def test_wrong_thresholds_are_told(star: Path) -> None:
    inspector = PickInspector(None, make_picks(star))
    with pytest.raises(UserError, match="no threshold 'ncc'"):
        inspector.set(ncc=0.3)
    with pytest.raises(UserError, match="no session"):
        inspector.submit()


def test_micrographs_are_rejected_by_limit_and_by_hand(star: Path, tmp_path: Path) -> None:
    inspector = CTFInspector(None, star.parent)
    assert inspector.accepted == [True, True, True]
    inspector.set(worst_resolution_A=8.0)
    assert inspector.accepted == [True, True, False]
    inspector.accept("mic_0003.mrc")
    inspector.reject(0)
    assert inspector.accepted == [False, True, True]
    assert inspector.code() == (
        "good = session.select_micrographs(ctf, worst_resolution_A=8.0, accept=['mic_0003.mrc'], "
        "reject=['mic_0001.mrc'])"
    )
    assert inspector.reasons == [["by hand"], [], []]
    inspector.save(tmp_path / "good.star")
    assert len(read_star(tmp_path / "good.star")["micrographs"]) == 2
    assert inspector.table["defocus_A"].tolist() == [10000.0, 13000.0, 16000.0]


def test_the_spectrum_is_sent_with_its_curves(star: Path) -> None:
    facts, buffers = CTFInspector(None, star)._ask_spectrum(1)
    assert facts["found"] and len(buffers) == 6
    fit, frequency = np.frombuffer(buffers[4], "<f4"), np.frombuffer(buffers[1], "<f4")
    assert np.allclose(fit, np.sin(40 * frequency) ** 2, atol=2e-3)


def test_without_spectra_the_table_is_still_there(star: Path) -> None:
    (star.parent / "spectra.npz").unlink()
    inspector = CTFInspector(None, star)
    assert inspector._ask_spectrum(0) == ({"found": False}, [])
    assert "mic_0001.mrc" in inspector.static_html()


def test_every_decision_can_be_taken_back(star: Path) -> None:
    inspector = CTFInspector(None, star)
    inspector.set(worst_resolution_A=8.0)
    inspector.reject(0, 1)
    inspector.worst_resolution_A = None
    assert inspector.accepted == [False, False, True] and inspector.can_undo
    inspector.undo()
    assert inspector.worst_resolution_A == 8.0 and inspector.accepted == [False, False, False]
    inspector.undo()
    assert inspector.accepted == [True, True, False] and inspector.can_redo
    inspector.redo()
    assert inspector.rejected_by_hand == [0, 1]
    inspector.undo()
    inspector.undo()
    assert inspector.accepted == [True, True, True] and not inspector.can_undo
    inspector._ask_limit(max_defocus_A=12000)
    inspector._ask_decide([2], True)
    assert inspector.decision == {"max_defocus_A": 12000.0, "accept": ["mic_0003.mrc"]} and not inspector.can_redo
    inspector._ask_clear()
    assert inspector.decision == {}
    inspector.undo()
    assert inspector.accepted_names == ["mic_0001.mrc", "mic_0003.mrc"]


def test_limits_that_do_not_exist_are_told(star: Path) -> None:
    inspector = CTFInspector(None, star)
    with pytest.raises(UserError, match="no limit 'ice'"):
        inspector.set(ice=1.0)
    with pytest.raises(UserError, match="no ice"):
        inspector.set(max_ice=1.0)
    with pytest.raises(UserError, match="no session"):
        inspector.submit()


def test_the_landscape_is_that_of_the_fitted_surface(star: Path) -> None:
    assert CTFInspector(None, star)._ask_landscape(0) == ({"found": False}, [])
    tables = read_star(star)
    for power, coefficient in enumerate((0.0, 100.0, -40.0, 0.0, 0.0, 0.0)):
        tables["micrographs"][f"spaDefocusSurface{power}"] = coefficient
    write_star(star, tables)
    facts, (buffer,) = CTFInspector(None, star)._ask_landscape(1)
    heights = np.frombuffer(buffer, "<f4").reshape(facts["side"], facts["side"])
    assert (heights[0, 0], heights[0, -1], heights[-1, 0]) == (-60.0, 140.0, -140.0) and facts["aspect"] == 1.0


def test_spectra_are_found_by_name_for_some_of_the_micrographs(star: Path, tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    tables = read_star(star)
    write_star(tmp_path / "some" / "micrographs.star", {**tables, "micrographs": tables["micrographs"].iloc[1:]})
    with np.load(star.parent / "spectra.npz") as stored:
        names = [f"mic_{i + 1:04d}.mrc" for i in range(3)]
        np.savez(tmp_path / "some" / "spectra.npz", **{**stored, "names": np.array(names)})
    whole, part = (CTFInspector(None, path) for path in (star, tmp_path / "some"))
    assert part._ask_spectrum(0) == whole._ask_spectrum(1) != whole._ask_spectrum(0)
