"""Forms: what stands in them, what is wrong, the code and the job they give."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from spa_widgets import Session, StepForm, steps
from spa_widgets.errors import UserError
from spa_widgets.session.fields import param_fields
from spa_widgets.session.registry import Step, get_step, load_steps
from spa_widgets.steps import ORDER
from spa_widgets.viewers.form.description import schema_of, shown_of
from spa_widgets.viewers.form.state import FormState
from spa_widgets.viewers.form.words import input_label, problem_in_japanese
from spa_widgets.viewers.jobs.rows import figure_rows
from spa_widgets.viewers.labels import in_japanese
from tests.support.widget_data import PIXEL_A, make_micrographs

load_steps()
STEPS = [get_step(name) for name in ORDER]
OPTICS = {"pixel_size_A": PIXEL_A, "voltage_kv": 300, "cs_mm": 1.6, "dose_e_per_A2": 35.0}


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    folder = tmp_path_factory.mktemp("forms")
    star = make_micrographs(folder / "mics")
    found = Session(folder / "project")
    found.import_micrographs(str(star.parent / "*.mrc"), **OPTICS).wait(120)
    found.import_micrographs(str(star.parent / "mic_0001.mrc"), **OPTICS).wait(120)
    yield found
    found.runner.stop()


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_titles_and_labels_are_translated(step: Step) -> None:
    words = [step.title, *(field.label for field in param_fields(step.params))]
    words += [input_label(item) for item in step.inputs]
    assert not [word for word in words if in_japanese(word) == word]


def test_names_of_figures_are_translated() -> None:
    folder = Path(steps.__file__).parent
    calls = (node for path in folder.rglob("*.py") for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {
        call.args[0].value
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "figure"
        if isinstance(call.args[0], ast.Constant)
    }
    rows = figure_rows(dict.fromkeys(names, 1.0))
    assert len(rows) > 40 and not [row["words"] for row in rows if row["words_ja"] == row["words"]]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_step_has_a_form_that_its_defaults_fill(step: Step, session: Session) -> None:
    form = FormState(session, step.name)
    assert form.changed() == []
    needed = {field.name for field in param_fields(step.params) if field.required}
    needed |= {step.argument_name(item) for item in step.inputs if not item.optional}
    assert set(form.problems) - {""} == needed
    json.dumps([schema_of(form), shown_of(form)], allow_nan=False)
    told = set(form.problems.values())
    for field in param_fields(step.params):
        for wrong in ("-1000000000", "1000000000", "0", "much", "2.5", "[-1]"):
            form.set(field.name, wrong)
            told |= set(form.problems.values())
    assert len(told) >= 1 and not [text for text in told if problem_in_japanese(text) == text]


def test_what_is_typed_becomes_the_call(session: Session) -> None:
    form = StepForm(session, "pick_blobs", diameter_A=70)
    assert form.problems == {} and form.code() == (
        "session.pick_blobs(micrographs=session['J2'].output('micrographs.star'), diameter_A=70.0)"
    ), "the newest micrographs are taken"
    assert [choice["value"] for choice in form.filled["choices"]["micrographs"]] == [
        "J2/micrographs.star", "J1/micrographs.star",
    ]  # fmt: skip
    form._ask_form_set("micrographs", "J1/micrographs.star")
    form._ask_form_set("low_pass_A", "2")
    form._ask_form_set("min_ncc", "much")
    assert form.filled["problems"] == {
        "low_pass_A": "Input should be greater than or equal to 4.",
        "min_ncc": "Input should be a valid number, unable to parse string as a number.",
    }
    with pytest.raises(UserError, match="min_ncc: Input should be a valid number"):
        form.submit()
    form._ask_form_set("low_pass_A", "30")
    form._ask_form_set("min_ncc", "")
    assert form.filled["changed"] == ["diameter_A", "low_pass_A"]
    form._ask_form_reset(["low_pass_A"])
    job = form.submit()
    assert form.filled["job"] == job.name and form.job == job
    assert job.code() == form.code() and job.params["diameter_A"] == 70
    assert session.pick_blobs(session["J1"], diameter_A=70) == job
    with pytest.raises(UserError, match="no input or parameter nonsense"):
        form.set(nonsense=1)


def test_what_was_filled_in_stands_there_again(session: Session) -> None:
    first = StepForm(session, "estimate_ctf")
    first.set(tile_A="400", device="cpu")
    first._ask_form_set("high_resolution_A", "bad")
    again = StepForm(Session(session.path), "estimate_ctf")
    assert again.values["tile_A"] == 400 and again.values["high_resolution_A"] == "bad"
    assert StepForm(session, "estimate_ctf", tile_A=350).values["tile_A"] == 350, "values that are given count"
    again.reset()
    assert again.filled["changed"] == []


def test_files_are_inputs_too_and_hostile_names_stay_text(session: Session) -> None:
    form = StepForm(session, "import_micrographs")
    assert "files" in form.problems and "pixel_size_A" in form.problems
    form.set(files="<img src=x onerror=alert(1)>*.mrc")
    assert "No file matches '<img src=x" in form.problems["files"]
    assert form.filled["problems_ja"]["files"].startswith("'<img src=x onerror=alert(1)>*.mrc' に一致するファイル")
    folder = Path(session["J1"].inputs["files"]["files"][0]).parent
    form.set(files=str(folder / "*.mrc"), **OPTICS)
    assert form.problems == {} and form.submit().name == "J1"
    assert "&lt;" not in form.static_html() and "Pixel size" in form.static_html()


def test_a_workspace_has_forms(session: Session) -> None:
    workspace = session.workspace("side")
    form: Any = StepForm(workspace, "pick_blobs", micrographs=session["J1"], diameter_A=60)
    assert form.submit().workspace == "side"


def test_what_looks_wrong_is_told_before_anything_runs_and_mended_by_a_word(session: Session) -> None:
    folder = Path(session["J1"].inputs["files"]["files"][0]).parent
    values = {**OPTICS, "pixel_size_A": 2 * PIXEL_A, "amplitude_contrast": 0.6}
    form = StepForm(session, "import_micrographs", files=str(folder / "*.mrc"), **values)
    first, second = form.check()
    assert first.startswith("The header of ") and "a factor of 2: is one the size before binning?" in first
    assert first.fix == {"pixel_size_A": PIXEL_A} and "ピクセル" in first.ja
    shown = form.findings
    assert [each["text"] for each in shown] == [first, second] and shown[0]["text_ja"] == first.ja
    assert form.problems == {}, "nobody is kept from running it"
    assert session.check("import_micrographs", str(folder / "*.mrc"), **values) == [first, second]
    assert form.fix() == {"pixel_size_A": PIXEL_A} and form.values["pixel_size_A"] == PIXEL_A
    assert len(form.check()) == 1
    form._ask_form_fix(0)
    assert form.values["amplitude_contrast"] == 0.1
    assert form.check() == [] and form.findings == []
    with pytest.raises(UserError, match="there is no finding 0; there are 0"):
        form.fix()
    form.set(voltage_kv=250)
    assert [each.key for each in form.check()] == ["voltage"]
    with pytest.raises(UserError, match="no parameter of this step mends that"):
        form.fix()
    form.set(pixel_size_A="")
    assert form.check() == [], "what is wrong in itself is told beside its field"


def test_results_are_looked_at_once_they_are_there(session: Session, tmp_path: Path) -> None:
    other = Session(tmp_path / "later")
    folder = Path(session["J1"].inputs["files"]["files"][0]).parent
    job = other.import_micrographs(str(folder / "*.mrc"), **{**OPTICS, "voltage_kv": 250})
    form = StepForm(other, "pick_blobs", diameter_A=70)
    job.wait(120)
    form._ask_form_choices()
    assert [each.key for each in form.check()] == ["voltage"]
    other.runner.stop()
    assert session.check("estimate_ctf", session["J1"]) == []
    with pytest.raises(UserError, match="estimate_ctf takes 1 inputs, 2 were given"):
        session.check("estimate_ctf", session["J1"], session["J1"])
