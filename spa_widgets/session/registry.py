"""The one list of steps: session methods, commands and forms are made from its entries."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from spa_widgets.errors import UserError, unknown_name
from spa_widgets.session.params import StepParams


@dataclass(frozen=True)
class Input:
    """One input of a step.

    Attributes
    ----------
    name : str
        Its name in the job and in the session's method.
    kind : str
        ``micrographs``, ``picks``, ``particles``, ``classes``, ``templates``, ``volume``, ``half_map``, ``mask`` or
        ``files``.
    optional : bool
        May be left out.
    help : str
        One line for the help text.
    option : str
        Command-line option that gives it, such as ``--reference``; by default needed inputs are positional and
        optional ones are options of their own name.
    """

    name: str
    kind: str
    optional: bool = False
    help: str = ""
    option: str = ""


@dataclass(frozen=True)
class Output:
    """One output of a step: a file of the job's folder.

    Attributes
    ----------
    name : str
        Its name.
    kind : str
        What it is; an input of that kind accepts it.
    file : str
        File name in the folder of the result.
    optional : bool
        The step may leave it out.
    """

    name: str
    kind: str
    file: str
    optional: bool = False


@dataclass(frozen=True)
class Step:
    """A step of the analysis.

    Attributes
    ----------
    name : str
        Method of the session, and command (with hyphens).
    version : int
        Part of the key of a job; raise it when the same parameters may give another result.
    params : type
        Its parameters.
    title : str
        Name shown to people.
    inputs, outputs : sequences
        What goes in and what comes out.
    job : str
        ``module:function`` that does the work; imported only where the job runs.
    widget : str
        ``module:class`` of its widget, if any; imported only when a widget is asked for.
    summary : str
        One sentence for help texts.
    quick : bool
        Takes seconds at most: may run beside a long job instead of waiting for its end.
    """

    name: str
    version: int
    params: type[StepParams]
    title: str
    job: str
    inputs: list[Input] = field(default_factory=list)
    outputs: list[Output] = field(default_factory=list)
    widget: str = ""
    summary: str = ""
    quick: bool = False

    def load(self) -> Callable[[Any], None]:
        """Import the function that does the work."""
        return _import(self.job)

    def argument_name(self, item: Input) -> str:
        """Return the name of an input's argument: its own, unless a parameter has that name."""
        return f"{item.name}_input" if item.name in self.params.model_fields else item.name


def _import(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


_STEPS: dict[str, Step] = {}

_ALSO_ACCEPTED = {"volume": ("half_map",), "templates": ("classes",), "picks": ("particles",)}


def accepts(wanted: str, given: str) -> bool:
    """Tell whether an input of one kind takes an output of another: a half map is a volume, particles are picks."""
    return given == wanted or given in _ALSO_ACCEPTED.get(wanted, ())


EXTRA_STEPS_VARIABLE = "SPA_EXTRA_STEPS"
"""Environment variable: modules (separated by commas) that register steps of one's own."""


def load_steps() -> None:
    """Register the steps of the package, and those of the modules that the environment names."""
    for module in ("spa_widgets.steps", *filter(None, os.environ.get(EXTRA_STEPS_VARIABLE, "").split(","))):
        importlib.import_module(module)


def register(step: Step) -> Step:
    """Add a step to the list (again is fine when it is the same one, as on a reload)."""
    known = _STEPS.get(step.name)
    if known is not None and known.job != step.job:
        raise ValueError(f"Two steps are called {step.name}: {known.job} and {step.job}.")
    _STEPS[step.name] = step
    return step


def get_step(name: str) -> Step:
    """Return a step by name.

    Raises
    ------
    UserError
        When there is none; the sentence lists those there are.
    """
    wanted = name.replace("-", "_")
    if wanted not in _STEPS:
        raise UserError(unknown_name(f"There is no step {name!r}", wanted, sorted(_STEPS)))
    return _STEPS[wanted]


def all_steps() -> list[Step]:
    """Return every registered step in the order of registration."""
    return list(_STEPS.values())
