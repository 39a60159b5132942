"""What every registered step declares."""

from __future__ import annotations

import pytest

from spa_widgets.session.params import field_unit
from spa_widgets.session.registry import Step, all_steps, load_steps

# ending of the name by unit; what has no unit has none of these endings
ENDINGS = {
    "Å": "_A",
    "Å²": "_A2",
    "px": "_px",
    "°": "_deg",
    "kV": "_kv",
    "mm": "_mm",
    "s": "_s",
    "%": "_percent",
    "e/Å²": "_e_per_A2",
    "nat": "_nats",
}

load_steps()
STEPS = [step for step in all_steps() if step.job.startswith("spa_widgets.")]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_unit_of_a_parameter_is_in_its_name(step: Step) -> None:
    for name in step.params.model_fields:
        unit = field_unit(step.params, name)
        if unit:
            assert name.endswith(ENDINGS[unit]), f"{step.name}.{name} is in {unit}"
        else:
            assert not name.endswith(tuple(ENDINGS.values())), f"{step.name}.{name} states no unit"


@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_every_parameter_explains_itself(step: Step) -> None:
    for name, field in step.params.model_fields.items():
        extra = field.json_schema_extra
        assert isinstance(extra, dict) and extra["label"] and extra["group"] in ("basic", "advanced"), name
        assert field.description and field.description.rstrip().endswith((".", "?")), name
        help_ = field.description
        assert len(help_) <= 400, f"{step.name}.{name}: a help text is read in a glance"
