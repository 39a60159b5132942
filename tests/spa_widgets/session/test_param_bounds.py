"""Every bound of every parameter of every step: one beyond it gives one sentence that names it, on it gives none."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest

from spa_widgets.errors import UserError
from spa_widgets.session.fields import INTEGER, NUMBER, ParamField, param_fields
from spa_widgets.session.params import param_problems, validate_params
from spa_widgets.session.registry import Step, get_step, load_steps
from spa_widgets.steps import ORDER

load_steps()
CASES = [
    pytest.param(get_step(name), field, id=f"{name}.{field.name}")
    for name in ORDER
    for field in param_fields(get_step(name).params)
    if field.kind in (NUMBER, INTEGER)
]


def beyond(field: ParamField) -> Iterator[float]:
    """Values that a field does not take."""
    if field.low is not None:
        yield field.low - 1
        if field.low_is_open:
            yield field.low
    if field.high is not None:
        yield field.high + 1
        if field.high_is_open:
            yield field.high
    if field.kind == INTEGER:
        yield 2.5
    yield math.nan
    yield math.inf


def on_the_bound(field: ParamField) -> Iterator[float]:
    """Values at the very end of what a field takes."""
    if field.low is not None and not field.low_is_open:
        yield field.low
    if field.high is not None and not field.high_is_open:
        yield field.high


@pytest.mark.parametrize(("step", "field"), CASES)
def test_beyond_a_bound_one_sentence_names_the_parameter(step: Step, field: ParamField) -> None:
    for value in beyond(field):
        assert field.name in param_problems(step.params, {field.name: value}), value
        with pytest.raises(UserError) as told:
            validate_params(step.params, {field.name: value}, step.name)
        needed = param_problems(step.params, {})
        if not set(needed) - {""}:
            sentence = str(told.value)
            assert sentence.startswith(f"{step.name}: {field.name} is "), sentence
            assert len(sentence.splitlines()) == 1 and len(sentence) < 300
    for value in on_the_bound(field):
        assert field.name not in param_problems(step.params, {field.name: value}), value


def test_every_number_has_a_bound() -> None:
    free = [case.id for case in CASES if case.values[1].low is None and case.values[1].high is None]
    assert free == []
