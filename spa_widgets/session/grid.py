"""Grids of values: which arguments of a step make an axis, and the points of all axes together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

from spa_widgets.session.fields import LIST, STRUCTURE, value_kind
from spa_widgets.session.registry import Step


def grid_points(axes: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """Return every combination of the axes' values, the last axis running fastest."""
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def in_order(
    argument: str, axes: Mapping[str, Sequence[Any]], references: Sequence[Mapping[str, Any]], name: str
) -> list[Any]:
    """Return the references of an axis of inputs in the order of its values."""
    inner = math.prod(len(axes[other]) for other in list(axes)[list(axes).index(argument) + 1 :])
    return [references[place * inner][name] for place in range(len(axes[argument]))]


def is_axis(step: Step, name: str, value: Any) -> bool:
    """Tell whether a value is several values; where a list is one value, only a list of lists is several."""
    if not isinstance(value, list | tuple | range) and not hasattr(value, "tolist"):
        return False
    values = axis_values(value)
    kinds = {step.argument_name(item): item.kind for item in step.inputs}
    field = step.params.model_fields.get(name)
    one_is_a_list = kinds.get(name) == "files" or (
        field is not None and value_kind(field.annotation) in (LIST, STRUCTURE)
    )
    return not one_is_a_list or (bool(values) and all(isinstance(each, list | tuple) for each in values))


def axis_values(value: Any) -> list[Any]:
    """Return the values of an axis as a list of plain values."""
    plain = value.tolist() if hasattr(value, "tolist") else value
    return list(plain) if isinstance(plain, list | tuple | range) else [plain]


def example_axis(step: Step) -> str:
    """Write what an axis of a step looks like."""
    name = next((name for name, field in step.params.model_fields.items() if field.annotation is float), None)
    return f"{name}=[…, …]" if name else "name=[…, …]"
