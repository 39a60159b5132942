"""Methods of a session made from the declarations of steps: real signatures, real docstrings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from pydantic_core import PydanticUndefined

from spa_widgets.errors import UserError, unknown_name
from spa_widgets.session.params import field_unit
from spa_widgets.session.registry import Input, Step


def step_method(step: Step) -> Callable[..., Any]:
    """Make the method of a step: inputs by position or name, parameters by name; it returns a job at once.

    The method calls ``self.submit(step name, inputs, parameters, device=…)``.
    """
    signature = step_signature(step)

    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        given = _given(step, args, kwargs)
        device = given.pop("device", None)
        inputs = {item.name: given.pop(argument, None) for item, argument in arguments}
        inputs = {name: value for name, value in inputs.items() if value is not None}
        return self.submit(step.name, inputs, given, device=device)

    arguments = [(item, step.argument_name(item)) for item in step.inputs]
    method.__name__ = step.name
    method.__qualname__ = f"Session.{step.name}"
    method.__doc__ = step_docstring(step)
    method.__signature__ = signature  # type: ignore[attr-defined]
    return method


def _given(step: Step, args: tuple[Any, ...], values: dict[str, Any]) -> dict[str, Any]:
    """Sort what a call gave by name; what is missing is told where inputs and parameters are checked."""
    inputs = [step.argument_name(item) for item in step.inputs]
    if len(args) > len(inputs):
        few = f"only its inputs ({', '.join(inputs)})" if inputs else "nothing"
        raise UserError(f"{step.name} takes {few} by position, {len(args)} values were given; name its parameters.")
    by_position = dict(zip(inputs, args, strict=False))
    if twice := [name for name in by_position if name in values]:
        raise UserError(f"{step.name} was given {twice[0]} by position and by name; give it once.")
    names = [*inputs, *step.params.model_fields, "device"]
    if unknown := [name for name in values if name not in names]:
        raise UserError(unknown_name(f"{step.name} has no parameter {unknown[0]}", unknown[0], names, "it takes"))
    return {**by_position, **values}


def step_signature(step: Step) -> inspect.Signature:
    """Return the signature of a step's method."""
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter("self", kind)]
    for item in step.inputs:
        default = None if _may_be_left_out(step, item) else inspect.Parameter.empty
        parameters.append(inspect.Parameter(step.argument_name(item), kind, default=default))
    for name, field in _fields_needed_first(step):
        default = inspect.Parameter.empty if field.is_required() else _default(field)
        parameters.append(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=field.annotation)
        )
    parameters.append(
        inspect.Parameter("device", inspect.Parameter.KEYWORD_ONLY, default=None, annotation="str | None")
    )
    return inspect.Signature(_defaults_last(parameters), return_annotation="Job")


def _fields_needed_first(step: Step) -> list[tuple[str, Any]]:
    fields = step.params.model_fields.items()
    own = step.params.__annotations__  # what is inherited (the seed) comes last
    return sorted(fields, key=lambda item: (not item[1].is_required(), item[0] not in own))


def _default(field: Any) -> Any:
    return field.get_default(call_default_factory=True)


def _may_be_left_out(step: Step, item: Input) -> bool:
    """Tell whether an input is optional, or may come from the job that gave an earlier input of its kind."""
    earlier = step.inputs[: step.inputs.index(item)]
    return item.optional or any(other.kind == item.kind for other in earlier)


def _defaults_last(parameters: list[inspect.Parameter]) -> list[inspect.Parameter]:
    """Give a default to every positional parameter after one that has a default, as Python demands."""
    result, seen = [], False
    for parameter in parameters:
        if parameter.kind is inspect.Parameter.POSITIONAL_OR_KEYWORD:
            if seen and parameter.default is inspect.Parameter.empty:
                parameter = parameter.replace(default=None)
            seen = seen or parameter.default is not inspect.Parameter.empty
        result.append(parameter)
    return result


def step_docstring(step: Step) -> str:
    """Return the docstring of a step's method, from its declaration."""
    lines = [f"{step.title}. {step.summary}".strip(), "", "Parameters", "----------"]
    for item in step.inputs:
        lines.append(
            f"{step.argument_name(item)} : job, output or path of {item.kind}{', optional' if item.optional else ''}"
        )
        lines += [f"    {item.help}"] if item.help else []
    for name, field in _fields_needed_first(step):
        lines += parameter_help(step, name, field)
    lines += ["device : str, optional", "    auto, cpu or gpu; the session's by default.", ""]
    lines += ["Returns", "-------", "Job", "    At once; its outputs are " + _outputs(step) + "."]
    return "\n".join(lines)


def _outputs(step: Step) -> str:
    return ", ".join(f"{output.name} ({output.file})" for output in step.outputs) or "its files"


def parameter_help(step: Step, name: str, field: Any) -> list[str]:
    """Return the two lines that describe a parameter: name, type, default; label, unit, help."""
    kind = getattr(field.annotation, "__name__", None) or str(field.annotation)
    default = "" if field.is_required() or field.default is PydanticUndefined else f", default {field.default!r}"
    unit = field_unit(step.params, name)
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    label = f"{extra.get('label', name)}{f' ({unit})' if unit else ''}"
    return [f"{name} : {kind}{default}", f"    {label}. {field.description or ''}".rstrip()]
