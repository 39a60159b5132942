"""Asking for a sweep: names and values are checked as a whole, then a job is asked for at each point."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.grid import axis_values, example_axis, grid_points, in_order, is_axis
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step
from spa_widgets.session.sweep import Sweep

if TYPE_CHECKING:
    from spa_widgets.session.step_methods import StepMethods

MOST_POINTS = 400


def make_sweep(session: StepMethods, step_name: str, given: Mapping[str, Any], device: str | None) -> Sweep:
    """Ask for a job at each point of a grid; every point is checked before the first job is asked for.

    Parameters
    ----------
    session
        A session or workspace.
    step_name
        The step.
    given
        Inputs and parameters by the names of the step's method; a list of values makes an axis.
    device
        ``"auto"``, ``"cpu"`` or ``"gpu"``; the session's by default.

    Raises
    ------
    UserError
        If a name or a value is wrong, no list was given, or there are too many points.
    """
    step = get_step(step_name)
    axes = {name: axis_values(value) for name, value in given.items() if is_axis(step, name, value)}
    fixed = {name: value for name, value in given.items() if name not in axes}
    if not axes:
        raise UserError(
            f"A sweep of {step.name} needs several values in a list for at least one parameter, such as "
            f"{example_axis(step)}; for a single job call session.{step.name}(…)."
        )
    for name, values in axes.items():
        if not values:
            raise UserError(f"The list of values for {name} is empty; give at least one value.")
    count = math.prod(len(values) for values in axes.values())
    if count > MOST_POINTS:
        raise UserError(f"This grid has {count:,} points, more than {MOST_POINTS}; give fewer values.")
    names = {step.argument_name(item): item.name for item in step.inputs}
    wanted = [{**fixed, **point} for point in grid_points(axes)]
    split = [({names[k]: v for k, v in each.items() if k in names}, {k: v for k, v in each.items() if k not in names})
             for each in wanted]  # fmt: skip
    for _, params in split:
        validate_params(step.params, params, step.name)
    jobs = [session.submit(step.name, inputs, params, device=device) for inputs, params in split]
    references = [job.inputs for job in jobs]  # inputs as the queue keeps them, which can be written as code
    known = {name: names[name] for name in given if name in names}
    for argument, name in known.items():
        if argument in axes:
            axes[argument] = in_order(argument, axes, references, name)
        else:
            fixed[argument] = references[0][name]
    return Sweep(step, axes, fixed, jobs)
