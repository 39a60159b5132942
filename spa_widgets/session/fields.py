"""What a form or a command needs to know of a parameter: kind of value, unit, bounds, default, words."""

from __future__ import annotations

import json
import types
import typing
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from spa_widgets.errors import UserError
from spa_widgets.session.params import StepParams, field_unit

BOOLEAN, INTEGER, NUMBER, CHOICE, TEXT, LIST, STRUCTURE = (
    "boolean", "integer", "number", "choice", "text", "list", "structure",
)  # fmt: skip
_SEQUENCES = (list, tuple, set, frozenset)


@dataclass(frozen=True)
class ParamField:
    """One parameter as a person meets it.

    Attributes
    ----------
    name, label, unit, help, group : str
        As declared with `param`.
    kind : str
        ``boolean``, ``integer``, ``number``, ``choice``, ``text``, ``list`` or ``structure`` (JSON).
    choices : tuple of str
        What a choice may be.
    may_be_none : bool
        It may be left empty.
    required : bool
        There is no default.
    default : object
        As a JSON value; None when there is none.
    low, high : float or None
        Bounds; `low_is_open` and `high_is_open` tell whether the bound itself is not allowed.
    """

    name: str
    label: str
    unit: str
    help: str
    group: str
    kind: str
    choices: tuple[str, ...] = ()
    may_be_none: bool = False
    required: bool = False
    default: Any = None
    low: float | None = None
    high: float | None = None
    low_is_open: bool = False
    high_is_open: bool = False


def param_fields(model: type[StepParams]) -> list[ParamField]:
    """Describe every parameter of a step, those that must be given first."""
    fields = [_field(model, name) for name in model.model_fields]
    return sorted(fields, key=lambda field: not field.required)


def _field(model: type[StepParams], name: str) -> ParamField:
    info = model.model_fields[name]
    extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
    bounds = {
        key: float(value)
        for item in info.metadata
        for key in ("ge", "gt", "le", "lt")
        if (value := getattr(item, key, None)) is not None
    }
    kind = value_kind(info.annotation)
    default = None if info.is_required() else info.get_default(call_default_factory=True)
    return ParamField(
        name=name,
        label=str(extra.get("label", name)),
        unit=field_unit(model, name),
        help=info.description or "",
        group=str(extra.get("group", "basic")),
        kind=kind,
        choices=tuple(str(item) for item in get_args(alternatives(info.annotation)[0])) if kind == CHOICE else (),
        may_be_none=may_be_none(info.annotation),
        required=info.is_required(),
        default=list(default) if isinstance(default, tuple | set | frozenset) else default,
        low=bounds.get("ge", bounds.get("gt")),
        high=bounds.get("le", bounds.get("lt")),
        low_is_open="gt" in bounds,
        high_is_open="lt" in bounds,
    )


def alternatives(annotation: Any) -> list[Any]:
    """Return the types that an annotation allows besides None, Annotated stripped."""
    if get_origin(annotation) is typing.Annotated:
        return alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return [kind for item in get_args(annotation) if item is not type(None) for kind in alternatives(item)]
    return [annotation]


def may_be_none(annotation: Any) -> bool:
    """Tell whether None is allowed."""
    return type(None) in get_args(annotation)


def value_kind(annotation: Any) -> str:
    """Return the kind of value that an annotation stands for (see `ParamField`)."""
    kind = alternatives(annotation)[0]
    if get_origin(kind) is Literal:
        return CHOICE
    if get_origin(kind) in _SEQUENCES:
        return LIST if _holds_plain_values(kind) else STRUCTURE
    if kind is dict or get_origin(kind) is dict:
        return STRUCTURE
    return {bool: BOOLEAN, int: INTEGER, float: NUMBER}.get(kind, TEXT)


def _holds_plain_values(kind: Any) -> bool:
    inner = get_args(kind)
    return all(not get_args(item) or item is Ellipsis or get_origin(item) is Literal for item in inner)


def value_of_text(name: str, annotation: Any, text: Any) -> Any:
    """Turn what a person typed into a value for validation: lists from commas, structures from JSON, the rest as text.

    Raises
    ------
    UserError
        If a value that must be JSON is not.
    """
    if not isinstance(text, str):
        return text
    if may_be_none(annotation) and text.strip().lower() in ("none", ""):
        return None
    kind = value_kind(annotation)
    if kind == LIST:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind != STRUCTURE:
        return text
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{name} is not JSON ({error}); give JSON.") from error
