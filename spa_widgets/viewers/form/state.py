"""What stands in a form: inputs and parameters of a step, what is wrong with them, and the job they ask for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.code import call_code, changed_params
from spa_widgets.session.fields import INTEGER, NUMBER, param_fields, value_of_text
from spa_widgets.session.inputs import input_ref
from spa_widgets.session.params import param_problems
from spa_widgets.session.project import Project
from spa_widgets.session.queue import CANCELLED, FAILED, JobRow
from spa_widgets.session.registry import Input, accepts, get_step
from spa_widgets.session.spec import canonical_params
from spa_widgets.viewers.form.words import first_large

DEVICES = ("auto", "cpu", "gpu")


class FormState:
    """The content of a form.

    Parameters
    ----------
    session : Session or Workspace
        Where the job is asked for, and whose results may be inputs.
    step : str
        Name of the step.
    device : str
        ``"auto"``, ``"cpu"`` or ``"gpu"``; the session's when empty.

    Attributes
    ----------
    fields : dict
        The parameters of the step by name.
    names : dict
        The inputs of the step by the names of its method.
    inputs : dict
        By the step's names: a reference as the queue keeps it, or a path that names no file (yet).
    values : dict
        Every parameter, as a JSON value where it can be read as one.
    job : str
        Name of the job asked for last.
    """

    def __init__(self, session: Any, step: str, device: str = "") -> None:
        self.session, self.step = session, get_step(step)
        self.project: Project = getattr(session, "session", session).project
        self.fields = {field.name: field for field in param_fields(self.step.params)}
        self.names = {self.step.argument_name(item): item for item in self.step.inputs}
        self.values = {field.name: field.default for field in self.fields.values() if not field.required}
        self.inputs: dict[str, Any] = {}
        self.device = device or getattr(session, "session", session).device
        self.job = ""

    # ---- filling -------------------------------------------------------------------------------------------------
    def fill(self, row_spec: Mapping[str, Any]) -> None:
        """Take inputs and parameters from the specification of a job."""
        self.inputs = {name: dict(ref) for name, ref in row_spec["inputs"].items()}
        self.values = {**self.values, **row_spec["params"]}

    def suggest_inputs(self) -> None:
        """Take for every needed input that is empty the newest output that fits."""
        for place, item in enumerate(self.step.inputs):
            if item.optional or item.name in self.inputs:
                continue
            same_kind = sum(other.kind == item.kind for other in self.step.inputs[:place])
            for row in reversed(self.rows()):
                fitting = [output for output in get_step(row.step).outputs if accepts(item.kind, output.kind)]
                if fitting and not fitting[0].optional:
                    chosen = fitting[min(same_kind, len(fitting) - 1)]
                    self.inputs[item.name] = {"job": row.number, "file": chosen.file}
                    break

    def set(self, name: str, value: Any) -> None:
        """Set an input, a parameter (a value or what was typed) or ``device``.

        Raises
        ------
        UserError
            If there is no such name.
        """
        if name in self.names:
            self._set_input(self.names[name], value)
        elif name in self.fields:
            self.values[name] = self._read(name, value)
        elif name == "device":
            if value not in DEVICES:
                raise UserError(f"device is {value!r}; expected one of {', '.join(DEVICES)}.")
            self.device = value
        else:
            known = ", ".join([*self.names, *self.fields, "device"])
            raise UserError(f"{self.step.name} has no input or parameter {name}; it has {known}.")

    def reset(self, names: Iterable[str] = ()) -> None:
        """Put parameters back to their defaults: those named, or all."""
        for name in list(names) or list(self.fields):
            if name not in self.fields:
                raise UserError(f"{self.step.name} has no parameter {name}; it has {', '.join(self.fields)}.")
            self.values.pop(name, None)
            if not self.fields[name].required:
                self.values[name] = self.fields[name].default

    def _set_input(self, item: Input, value: Any) -> None:
        if value is None or value == "":
            self.inputs.pop(item.name, None)
            return
        number, _, file = str(value).partition("/")
        if isinstance(value, str) and file and number[:1] == "J" and number[1:].isdigit():  # chosen from the list
            self.inputs[item.name] = {"job": int(number[1:]), "file": file}
            return
        try:
            self.inputs[item.name] = input_ref(self.step, item, value, self.project)
        except UserError:
            if not isinstance(value, str):
                raise
            self.inputs[item.name] = value  # a path that names nothing is told beside the field

    def _read(self, name: str, value: Any) -> Any:
        field = self.fields[name]
        try:
            read = value_of_text(name, self.step.params.model_fields[name].annotation, value)
        except UserError:
            return value  # told beside the field
        if isinstance(read, str) and field.kind in (NUMBER, INTEGER):
            try:
                return int(read) if field.kind == INTEGER else float(read)
            except ValueError:
                return read
        return float(read) if field.kind == NUMBER and type(read) is int else read

    # ---- looking -------------------------------------------------------------------------------------------------
    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, a sentence for each input or parameter (by the names of the step's method; "" is of all)."""
        found = {name: text for name, item in self.names.items() if (text := self._input_problem(item))}
        unset = {name for name, field in self.fields.items() if field.required and self.values.get(name) in (None, "")}
        found |= {name: "This value is needed." for name in unset}
        values = {name: value for name, value in self.values.items() if name not in unset}
        told = param_problems(self.step.params, values)
        return {**{name: text for name, text in told.items() if name not in unset}, **found}

    def _input_problem(self, item: Input) -> str:
        given = self.inputs.get(item.name)
        if given is None:
            return "" if item.optional else f"Choose {item.kind.replace('_', ' ')}, or give a path."
        if isinstance(given, Mapping):
            return ""
        try:
            self.inputs[item.name] = input_ref(self.step, item, given, self.project)
        except UserError as problem:
            return first_large(str(problem).removeprefix(f"{self.step.name}: "))
        return ""

    def params(self) -> dict[str, Any]:
        """Return the parameters as the queue keeps them when they are valid, else as they stand."""
        try:
            return canonical_params(self.step.params.model_validate(self.values))
        except ValueError:
            return dict(self.values)

    def changed(self) -> list[str]:
        """Name the parameters that differ from their defaults."""
        return list(changed_params(self.step, self.params()))

    def code(self) -> str:
        """Write the call of the step's method with only what differs from the defaults."""
        refs = {name: ref if isinstance(ref, Mapping) else {"files": [ref]} for name, ref in self.inputs.items()}
        return call_code(self.step, refs, self.params())

    def submit(self) -> Any:
        """Ask for the job.

        Raises
        ------
        UserError
            If anything is wrong: the first sentence of `problems`.
        """
        for name, text in self.problems.items():
            raise UserError(f"{self.step.name}: {f'{name}: ' if name else ''}{text}")
        job = self.session.submit(self.step.name, self.inputs, self.values, device=self.device)
        self.job = job.name
        return job

    def rows(self) -> list[JobRow]:
        """Return the jobs whose outputs may be inputs: those that have not failed and were not cancelled."""
        return [row for row in self.project.queue.jobs() if row.state not in (FAILED, CANCELLED)]
