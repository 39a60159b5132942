"""A workspace: a part of a project with jobs of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from spa_widgets.session.job import Job
from spa_widgets.session.step_methods import StepMethods
from spa_widgets.session.tree import JobTree

if TYPE_CHECKING:
    from spa_widgets.session.session import Session


class Workspace(StepMethods):
    """A part of a project: the same steps, jobs of its own.

    Parameters
    ----------
    session
        The session.
    name
        Its name.
    """

    def __init__(self, session: Session, name: str) -> None:
        self.session = session
        self.name = name

    def submit(
        self,
        step: str,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        *,
        workspace: str | None = None,
        device: str | None = None,
    ) -> Job:
        """Ask for a job in this workspace."""
        return self.session.submit(step, inputs, params, workspace=workspace or self.name, device=device)

    @property
    def jobs(self) -> list[Job]:
        """Its jobs, oldest first."""
        return [Job(self.session, row.number) for row in self.session.project.queue.jobs(self.name)]

    def tree(self) -> JobTree:
        """Return the history of its jobs as a picture."""
        return self.session.tree(self.name)

    def __repr__(self) -> str:
        """Name and number of jobs."""
        return f"<Workspace {self.name!r} of {self.session.title!r}: {len(self.jobs)} jobs>"
