"""A method for each registered step, for what asks for jobs: a session, a workspace."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.registry import Step, all_steps, get_step, load_steps
from spa_widgets.session.signatures import step_method
from spa_widgets.session.sweep import Sweep
from spa_widgets.session.sweep_asking import make_sweep

if TYPE_CHECKING:
    from spa_widgets.guard.finding import Finding
    from spa_widgets.session.job import Job
    from spa_widgets.session.project import Project


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
        return make_sweep(self, step, {**_by_name(get_step(step), inputs), **values}, device)

    def check(self, step: str, *inputs: Any, **values: Any) -> list[Finding]:
        """Look at a small part of the data for what would go wrong silently; no job is asked for.

        Parameters
        ----------
        step
            Name of the step.
        *inputs
            Its inputs in order, or by name among the values; those that are not computed yet are not looked at.
        **values
            Inputs and parameters, as for the step itself.

        Returns
        -------
        list of Finding
            Sentences that tell what was seen, why it matters and what to do; each has its Japanese (``ja``) and, where
            parameters mend it, their values (``fix``).

        Raises
        ------
        UserError
            If an input or a parameter is wrong.
        """
        from spa_widgets.session.checking import check_job
        from spa_widgets.session.inputs import input_refs

        known = get_step(step)
        given = {**_by_name(known, inputs), **values}
        names = {known.argument_name(item): item.name for item in known.inputs}
        owner: Any = self
        project: Project = getattr(owner, "session", owner).project
        refs = input_refs(known, {names[name]: value for name, value in given.items() if name in names}, project)
        return check_job(project, known, refs, {name: value for name, value in given.items() if name not in names})


def _by_name(step: Step, inputs: tuple[Any, ...]) -> dict[str, Any]:
    """Name inputs that were given by position."""
    names = [step.argument_name(item) for item in step.inputs]
    if len(inputs) > len(names):
        raise UserError(f"{step.name} takes {len(names)} inputs, {len(inputs)} were given by position.")
    return dict(zip(names, inputs, strict=False))


def attach_steps() -> None:
    """Give sessions and workspaces a method for each registered step."""
    load_steps()
    for step in all_steps():
        if step.name not in StepMethods.__dict__:
            setattr(StepMethods, step.name, step_method(step))
