"""A job as the line of Python that asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spa_widgets.session.registry import Step


def call_code(step: Step, inputs: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]) -> str:
    """Write the call of a step's method with only what differs from the defaults.

    Parameters
    ----------
    step
        The step.
    inputs
        References to inputs as the queue keeps them, by the names that the step declares.
    params
        Parameters as JSON values.
    """
    given = [f"{step.argument_name(item)}={ref_code(inputs[item.name])}" for item in step.inputs if item.name in inputs]
    given += [f"{name}={value!r}" for name, value in changed_params(step, params).items()]
    return f"session.{step.name}({', '.join(given)})"


def changed_params(step: Step, params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that differ from the step's defaults."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in step.params.model_fields.items()}
    return {name: value for name, value in params.items() if name not in defaults or value != _plain(defaults[name])}


def ref_code(ref: Mapping[str, Any]) -> str:
    """Write a reference to an input as Python."""
    if "job" in ref:
        return f"session['J{ref['job']}'].output({ref['file']!r})"
    if "files" in ref:
        return repr(ref["files"][0] if len(ref["files"]) == 1 else ref.get("pattern") or ref["files"])
    return f"session.stored({ref['key']!r}, {ref['file']!r})"


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
