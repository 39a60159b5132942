"""A form as the page gets it: what never changes while it is open, and what stands in it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from spa_widgets.session.queue import JobRow
from spa_widgets.session.registry import Input, Output, Step, accepts, get_step
from spa_widgets.viewers.form.state import DEVICES, FormState
from spa_widgets.viewers.form.words import input_label, input_text, problem_in_japanese, value_text
from spa_widgets.viewers.labels import in_japanese


def schema_of(form: FormState) -> dict[str, Any]:
    """Describe the form: what never changes while it is open."""
    fields = [
        {**asdict(field), "label_ja": in_japanese(field.label), "help_ja": in_japanese(field.help),
         "default": value_text(field.default)}
        for field in form.fields.values()
    ]  # fmt: skip
    inputs = [
        {"name": name, "label": label, "label_ja": in_japanese(label), "kind": item.kind,
         "optional": item.optional, "help": item.help, "help_ja": in_japanese(item.help)}
        for name, item in form.names.items()
        for label in [input_label(item)]
    ]  # fmt: skip
    return {
        "step": form.step.name, "title": form.step.title, "title_ja": in_japanese(form.step.title),
        "summary": form.step.summary, "summary_ja": in_japanese(form.step.summary), "fields": fields,
        "inputs": inputs, "devices": list(DEVICES),
    }  # fmt: skip


def shown_of(form: FormState) -> dict[str, Any]:
    """Give what stands in the form, what it can be chosen from, and what is wrong."""
    problems = form.problems
    return {
        "values": {name: value_text(value) for name, value in form.values.items()},
        "inputs": {name: input_text(form.inputs.get(item.name)) for name, item in form.names.items()},
        "choices": {name: _choices(form, item) for name, item in form.names.items()},
        "problems": problems,
        "problems_ja": {name: problem_in_japanese(text) for name, text in problems.items()},
        "changed": form.changed(),
        "code": form.code(),
        "device": form.device,
        "job": form.job,
    }


def _choices(form: FormState, item: Input) -> list[dict[str, str]]:
    found = []
    for row in reversed(form.rows()):
        step = get_step(row.step)
        fitting = [output for output in step.outputs if accepts(item.kind, output.kind)]
        found += [_choice(row, step, output) for output in fitting]
    return found


def _choice(row: JobRow, step: Step, output: Output) -> dict[str, str]:
    return {
        "value": f"{row.name}/{output.file}", "job": row.name, "title": step.title,
        "title_ja": in_japanese(step.title), "output": output.name, "state": row.state,
    }  # fmt: skip
