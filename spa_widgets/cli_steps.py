"""Commands made from the declarations of steps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import click

from spa_widgets.errors import UserError
from spa_widgets.session.fields import (
    BOOLEAN,
    CHOICE,
    INTEGER,
    LIST,
    NUMBER,
    STRUCTURE,
    alternatives,
    value_kind,
    value_of_text,
)
from spa_widgets.session.params import StepParams, field_unit
from spa_widgets.session.registry import Input, Step, get_step

DEVICES = ("auto", "cpu", "gpu")
_CLUSTER_HELP = (
    "Compute on LocalCluster:N, slurm:N, gateway:NAME or the tls:// address of a Dask scheduler [this process]."
)
IMPORT_STEP = "import_micrographs"
SHORT_NAMES = {"import": IMPORT_STEP}


def command_name(step: Step) -> str:
    """Return the command of a step: ``classify-2d`` for ``classify_2d``, ``import`` for the import of micrographs."""
    short = {long: name for name, long in SHORT_NAMES.items()}
    return short.get(step.name, step.name.replace("_", "-"))


def step_command(step: Step, name: str) -> click.Command:
    """Make the command of a step: inputs as arguments, parameters as options."""
    return click.Command(
        name,
        params=[*step_options(step), *common_options()],
        callback=_callback(step),
        help=f"{step.title}. {step.summary}\n\n{_inputs_help(step)}",
        short_help=step.title,
    )


def step_options(step: Step) -> list[click.Parameter]:
    """Make arguments of a step's inputs and options of its parameters."""
    positional = [item for item in step.inputs if not is_option(item)]
    arguments: list[click.Parameter] = [
        click.Argument([f"input_{item.name}"], nargs=-1 if takes_many(step, item) else 1, metavar=_metavar(step, item))
        for item in positional
    ]
    options = [_input_option(item) for item in step.inputs if is_option(item)]
    options += [param_option(step.params, field) for field in step.params.model_fields if field != "seed"]
    if takes_images(step):
        model = get_step(IMPORT_STEP).params
        own = set(step.params.model_fields)
        options += [param_option(model, field, note="when image files are given") for field in model.model_fields
                    if field not in own]  # fmt: skip
    return [*arguments, *options]


def is_option(item: Input) -> bool:
    """Tell whether an input is given by an option rather than by position."""
    return item.optional or bool(item.option)


def takes_images(step: Step) -> bool:
    """Tell whether a step may be given image files, which are then imported first."""
    needed = [item for item in step.inputs if not is_option(item)]
    return step.name != IMPORT_STEP and len(needed) == 1 and needed[0].kind == "micrographs"


def takes_many(step: Step, item: Input) -> bool:
    """Tell whether an argument takes several files."""
    return item.kind == "files" or takes_images(step)


def _metavar(step: Step, item: Input) -> str:
    return f"{item.name.upper()}..." if takes_many(step, item) else item.name.upper()


def _inputs_help(step: Step) -> str:
    lines = [f"{item.name.upper()}: {item.help or 'file of ' + item.kind}" for item in step.inputs
             if not is_option(item)]  # fmt: skip
    outputs = ", ".join(output.file for output in step.outputs if not output.optional)
    return "\n\n".join([*lines, f"Writes {outputs} and report.json into the folder --out."])


def _input_option(item: Input) -> click.Option:
    flag = item.option or f"--{item.name.replace('_', '-')}"
    return click.Option([flag, f"input_{item.name}"], metavar="FILE", required=not item.optional, help=item.help)


def common_options() -> list[click.Parameter]:
    """Options that every step has."""
    return [
        click.Option(["--out"], metavar="DIR", required=True, help="Folder for the results; made when missing."),
        click.Option(["--device"], type=click.Choice(DEVICES), default="auto", help="Where to compute."),
        click.Option(["--cluster"], metavar="NAME", help=_CLUSTER_HELP),
        click.Option(["--seed"], type=click.IntRange(0, 2**31 - 1), help="Start of the random numbers (default 0)."),
        click.Option(["--store"], metavar="DIR", help="Store of results [SPA_STORE, else .spa/store beside DIR]."),
        click.Option(["--quiet"], is_flag=True, help="No progress on stderr."),
        click.Option(["--debug"], is_flag=True, expose_value=False, help="Print a traceback when something fails."),
    ]


def param_option(model: type[StepParams], name: str, note: str = "") -> click.Option:
    """Make the option of a parameter; pydantic checks the value, so option, form and method say the same."""
    field = model.model_fields[name]
    flag = f"--{name.replace('_', '-')}"
    unit = field_unit(model, name)
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    remarks = [unit, note, "" if default in (None, [], {}, ()) else f"default {_shown(default)}"]
    described = f"{field.description or ''} [{'; '.join(part for part in remarks if part)}]".replace(" []", "")
    if value_kind(field.annotation) == BOOLEAN:
        return click.Option([f"{flag}/--no{flag[1:]}", name], default=None, help=described)
    return click.Option([flag, name], metavar=_type_name(field.annotation), default=None, help=described)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ",".join(str(item) for item in value)
    return str(value)


def _type_name(annotation: Any) -> str:
    kind = value_kind(annotation)
    if kind == CHOICE:
        return "|".join(str(item) for item in get_args(alternatives(annotation)[0]))
    return {NUMBER: "NUMBER", INTEGER: "INTEGER", LIST: "A,B,...", STRUCTURE: "JSON"}.get(kind, "TEXT")


def param_values(model: type[StepParams], given: Mapping[str, Any]) -> dict[str, Any]:
    """Turn options that were given into values for validation: lists from commas, the rest as text.

    Raises
    ------
    UserError
        If a value that must be JSON is not.
    """
    values: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        if (text := given.get(name)) is not None:
            values[name] = _param_value(name, field.annotation, text)
    return values


def _param_value(name: str, annotation: Any, text: Any) -> Any:
    option = f"--{name.replace('_', '-')}"
    if value_kind(annotation) == STRUCTURE and isinstance(text, str) and text.startswith("@"):
        text = Path(text[1:]).read_text(encoding="utf-8")
    try:
        return value_of_text(option, annotation, text)
    except UserError as error:
        raise UserError(f"{str(error).rstrip('.')}, or @FILE with it.") from error.__cause__


def _callback(step: Step) -> Any:
    def run(**given: Any) -> int:
        from spa_widgets.cli_run import run_step

        return run_step(step, given)

    return run
