"""What forms and commands are made of is what the model declares."""

from __future__ import annotations

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.fields import param_fields, value_of_text
from spa_widgets.session.params import param_problems
from spa_widgets.session.registry import all_steps, get_step, load_steps

load_steps()


def test_bounds_kinds_and_defaults_are_the_models() -> None:
    fields = {field.name: field for field in param_fields(get_step("refine").params)}
    assert (fields["symmetry"].kind, fields["symmetry"].default) == ("text", "C1")
    assert fields["mask_diameter_A"].may_be_none and fields["mask_diameter_A"].unit == "Å"
    step = {field.name: field for field in param_fields(get_step("pick_templates").params)}["angle_step_deg"]
    assert (step.low, step.low_is_open, step.high, step.high_is_open) == (0, True, 180, False)
    kinds = {field.name: field.kind for field in param_fields(get_step("simulate").params)}
    assert kinds["preset"] == "choice" and kinds["expand"] == "boolean" and kinds["micrographs"] == "integer"
    picks = param_fields(get_step("manual_picks").params)[0]
    assert picks.kind == "structure"


@pytest.mark.parametrize("step", all_steps(), ids=lambda step: step.name)
def test_every_default_is_a_value_of_its_field(step) -> None:  # type: ignore[no-untyped-def]
    fields = param_fields(step.params)
    required = {field.name for field in fields if field.required}
    assert set(param_problems(step.params, {})) <= required | {""}
    assert [field.required for field in fields] == sorted((field.required for field in fields), reverse=True)


def test_problems_are_told_for_each_parameter_at_once() -> None:
    model = get_step("pick_templates").params
    found = param_problems(model, {"low_pass_A": 1, "angle_step_deg": "x", "symmetry": 3})
    assert set(found) == {"low_pass_A", "angle_step_deg", "symmetry"}
    assert found["low_pass_A"] == "Input should be greater than or equal to 4."
    assert param_problems(get_step("refine").params, {"symmetry": "Q7"})["symmetry"].endswith(".")


def test_text_becomes_the_value_that_was_meant() -> None:
    annotations = {name: field.annotation for name, field in get_step("select_2d").params.model_fields.items()}
    assert value_of_text("classes", annotations["classes"], "1, 2,3") == ["1", "2", "3"]
    optional = get_step("refine").params.model_fields["mask_diameter_A"].annotation
    assert value_of_text("mask", optional, " ") is None and value_of_text("mask", optional, "12") == "12"
    with pytest.raises(UserError, match="picks is not JSON"):
        value_of_text("picks", get_step("manual_picks").params.model_fields["picks"].annotation, "{")
