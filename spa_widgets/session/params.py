"""Parameters are declared once: form, option, validation, hash, provenance and help come from that declaration."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from spa_widgets.errors import UserError, unknown_name


def _known_group(name: str) -> str:
    """Check the name of a point group and write it in one way: capitals, and ``I2`` for ``I``."""
    from engine.symmetry import parse_symmetry

    family, order = parse_symmetry(name)
    return f"{family}{order or ''}"


PointGroup = Annotated[str, AfterValidator(_known_group)]
"""Type of a parameter that names a point group (``C8``, ``D2``, ``O`` …)."""


class StepParams(BaseModel):
    """Base of the parameters of a step: immutable, unknown names refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)


class SeededParams(StepParams):
    """Parameters of a step that draws random numbers."""

    seed: int = Field(
        default=0,
        ge=0,
        le=2**31 - 1,
        json_schema_extra={"label": "Seed", "unit": "", "group": "advanced"},
        description="Start of the random numbers: the same seed gives the same result.",
    )


def param(
    default: Any = ...,
    *,
    label: str,
    help: str,
    unit: str = "",
    group: str = "basic",
    **bounds: Any,
) -> Any:
    """Declare one parameter of a step.

    Parameters
    ----------
    default : object
        Its default; leave it out for a parameter that must be given.
    label : str
        Name on a form.
    help : str
        One sentence for a person who meets it for the first time.
    unit : str
        Unit shown behind the value (``Å``, ``px``, ``°``, ``kV``, ``mm``).
    group : str
        ``basic`` or ``advanced``.
    **bounds : object
        pydantic bounds: ``ge``, ``gt``, ``le``, ``lt``, ``min_length`` …
    """
    extra: dict[str, Any] = {"label": label, "unit": unit, "group": group}
    return Field(default, description=help, json_schema_extra=extra, **bounds)


def validate_params(model: type[StepParams], values: dict[str, Any], step: str) -> StepParams:
    """Check the parameters of a step.

    Raises
    ------
    UserError
        One sentence that names the parameter, what was found and what is allowed.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise UserError(_sentence(model, error.errors()[0], step)) from error


def _sentence(model: type[StepParams], found: Any, step: str) -> str:
    name = ".".join(str(part) for part in found["loc"])
    if found["type"] == "extra_forbidden":
        return unknown_name(f"{step} has no parameter {name}", name, model.model_fields, "it takes")
    if found["type"] == "missing":
        unit = field_unit(model, name)
        return f"{step} needs the parameter {name}{f' (in {unit})' if unit else ''}; give it."
    if not found["loc"]:  # parameters that do not go together
        return f"{step}: {_lower(found['msg']).rstrip('.')}."
    return f"{step}: {name} is {found['input']!r}, but {_lower(found['msg']).rstrip('.')}."


def param_problems(model: type[StepParams], values: dict[str, Any]) -> dict[str, str]:
    """Tell what is wrong with each parameter: the model's own sentence by name, under ``""`` of all together."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for found in error.errors():
            name = str(found["loc"][0]) if found["loc"] else ""
            text = found["msg"].removeprefix("Value error, ").rstrip(".")
            problems.setdefault(name, f"{text[:1].upper()}{text[1:]}.")
        return problems
    return {}


def field_unit(model: type[StepParams], name: str) -> str:
    """Return the unit of a parameter, or an empty string."""
    field = model.model_fields.get(name)
    extra = field.json_schema_extra if field else None
    return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def _lower(text: str) -> str:
    message = text.removeprefix("Value error, ")
    return message[:1].lower() + message[1:]
