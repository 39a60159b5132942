"""A method for each registered step, for what asks for jobs: a session, a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.registry import all_steps, get_step, load_steps
from spa_widgets.session.signatures import step_method
from spa_widgets.session.sweep import Sweep, make_sweep

if TYPE_CHECKING:
    from spa_widgets.session.job import Job


class StepMethods:
    """Base of what has a method for each step (a session, a workspace)."""

    def submit(
        self,
        step: str,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        *,
        workspace: str | None = None,
        device: str | None = None,
    ) -> Job:
        """Ask for a job: the general form of the methods of the steps."""
        raise NotImplementedError

    def sweep(self, step: str, *inputs: Any, device: str | None = None, **values: Any) -> Sweep:
        """Ask for a grid of jobs of one step and show them side by side; equal jobs are computed once.

        Parameters
        ----------
        step
            Name of the step.
        *inputs
            Its inputs in order, or by name among the values.
        device
            ``"auto"``, ``"cpu"``, ``"gpu"`` or a GPU by its number (``"gpu:1"``); the session's by default.
        **values
            Inputs and parameters of the step; each list makes an axis of the grid, as in
            ``session.sweep("pick_templates", micrographs, templates, low_pass_A=[10, 20], min_ncc=[0.25, 0.4])``.

        Raises
        ------
        UserError
            At once and before any job is asked for, if a name or a value is wrong.
        """
        known = get_step(step)
        names = [known.argument_name(item) for item in known.inputs]
        if len(inputs) > len(names):
            raise UserError(f"{known.name} takes {len(names)} inputs, {len(inputs)} were given by position.")
        return make_sweep(self, step, {**dict(zip(names, inputs, strict=False)), **values}, device)


def attach_steps() -> None:
    """Give sessions and workspaces a method for each registered step."""
    load_steps()
    for step in all_steps():
        if step.name not in StepMethods.__dict__:
            setattr(StepMethods, step.name, step_method(step))
