"""The session: what a person holds in a notebook or script."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.asking import ask, check_device, prepare
from spa_widgets.session.bundle.methods import BundleMethods
from spa_widgets.session.clusters.setting import ClusterSetting
from spa_widgets.session.decisions import Decisions
from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.display import session_html
from spa_widgets.session.inputs import input_refs
from spa_widgets.session.job import Job
from spa_widgets.session.kernels import Kernels, LookingOn
from spa_widgets.session.project import Project
from spa_widgets.session.queue import ENDED, QUEUED, RUNNING
from spa_widgets.session.registry import all_steps, get_step
from spa_widgets.session.service_link import ServiceLink
from spa_widgets.session.starter import RunnerStarter
from spa_widgets.session.step_methods import StepMethods, attach_steps
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import new_ticket
from spa_widgets.session.tree import JobTree
from spa_widgets.session.workspace import Workspace

_FIRST_WORKSPACE = "W1"


class Session(StepMethods, BundleMethods, LookingOn):
    """A project opened for work: created, or reopened as it was left.

    It has a method for each step (``session.refine(…)``): inputs first, parameters by name. Each returns a `Job` at
    once. What was asked before is there at once.

    Parameters
    ----------
    path
        Project folder, or its name in the current folder.
    title
        A name for people.
    device
        ``"auto"`` (a GPU when there is one), ``"cpu"``, ``"gpu"`` or a GPU by its number (``"gpu:1"``).
    class_store
        A read-only store of shared results (a folder or a bundle), looked in before anything is computed.
    store
        Where results are kept; inside the project by default.
    service
        Folder of an engine service, which then computes what is not asked for with ``device="cpu"`` and shares the
        results with everybody; by default the one that ``SPA_SERVICE`` names, if any.
    cluster
        Where the jobs run: ``"local"`` (this machine, as at first), ``"LocalCluster:4"`` (4 workers on it),
        ``"slurm:8"`` (8 batch jobs), ``"gateway:NAME"``, the ``tls://`` address of a Dask scheduler, or a cluster of
        Dask that runs. The project remembers it. All machines need its folder under the same path.
    """

    def __init__(
        self,
        path: Path | str,
        title: str | None = None,
        device: str = "auto",
        class_store: Path | str | None = None,
        store: Path | str | None = None,
        service: Path | str | None = None,
        cluster: Any = None,
    ) -> None:
        check_device(device)
        attach_steps()
        self.device = device
        self.project = Project.open(path, title, store, class_store, service)
        self.kernels = Kernels(self.project.path / ".spa")
        self.decisions = Decisions(self.project.path / "decisions.jsonl", before=self.kernels.require)
        self.service = self.project.service
        self.runner = ServiceLink(self.project, self.service) if self.service else RunnerStarter(self.project)
        if cluster is not None:
            self._use_cluster(cluster)
        self._workspace = next(reversed(self.workspaces), _FIRST_WORKSPACE)
        if self.project.queue.jobs(states=(QUEUED, RUNNING)):
            self.runner.ensure()  # work that was going on when everything stopped goes on
        if notice := self.notice:
            print(notice)

    def _use_cluster(self, cluster: Any) -> None:
        """Let the project remember where its jobs run; a runner that is at work elsewhere hands them over."""
        if self.service:
            raise UserError("The project computes at an engine service; leave out cluster=, or open it without one.")
        if ClusterSetting.of(cluster).save(self.path) and not self.runner.stop():
            raise UserError(
                f"The runner of {self.path} works on another machine; end it there (its jobs go on) and open the "
                "project again."
            )

    @property
    def path(self) -> Path:
        """The project folder."""
        return self.project.path

    @property
    def title(self) -> str:
        """The project's name for people."""
        return str(self.project.settings["title"])

    @property
    def store(self) -> Store:
        """The store of results."""
        return self.project.store

    # -- jobs ----------------------------------------------------------------------------------------------------------

    def submit(
        self,
        step: str,
        inputs: Mapping[str, Any],
        params: Mapping[str, Any],
        *,
        workspace: str | None = None,
        device: str | None = None,
    ) -> Job:
        """Ask for a job: the general form of the methods of the steps.

        Parameters
        ----------
        step
            Name of the step.
        inputs
            Jobs, outputs of jobs, or paths by name of the input.
        params
            Parameters by name.
        workspace
            Where it belongs; the session's current one by default.
        device
            ``"auto"``, ``"cpu"``, ``"gpu"`` or a GPU by its number (``"gpu:1"``); the session's by default.

        Raises
        ------
        UserError
            At once, if a parameter or an input is wrong.
        """
        known = get_step(step)
        refs = input_refs(known, inputs, self.project)
        wanted = check_device(device or self.device)
        ticket = new_ticket() if self.service and wanted != "cpu" else ""
        place, prepared = workspace or self._workspace, prepare(known, params, refs)
        if self.is_looking_on:
            if (known_row := self.project.queue.same(place, prepared.fingerprint)) is not None:
                return Job(self, known_row.number)
            self.kernels.require()
        with disk_in_words(self.path):
            self.project.queue.add_workspace(place)
            row = ask(self.project, place, prepared, wanted, ticket)
        if row.ticket and not ticket and row.state == QUEUED:  # rather oneself than wait any longer
            self.runner.cancel(row)
            self.project.queue.update(row.number, only_if=(QUEUED,), ticket="", device=wanted)
        if row.state not in ENDED:
            self.runner.ensure()
        return Job(self, row.number)

    @property
    def jobs(self) -> list[Job]:
        """All jobs of the project, oldest first."""
        return [Job(self, row.number) for row in self.project.queue.jobs()]

    def __getitem__(self, name: str | int) -> Job:
        """Return a job by name or number: ``session["J12"]``, ``session[12]``."""
        text = str(name).removeprefix("J")
        if not text.isdigit() or self.project.queue.get(int(text)) is None:
            last = self.project.queue.jobs()
            raise UserError(f"There is no job {name!r}; there are {f'J1 to {last[-1].name}' if last else 'none yet'}.")
        return Job(self, int(text))

    def __iter__(self) -> Iterator[Job]:
        """Iterate over the jobs."""
        return iter(self.jobs)

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self.project.queue.jobs())

    def tree(self, workspace: str | None = None) -> JobTree:
        """Return the history of jobs as a picture (all, or those of a workspace)."""
        return JobTree(tuple(self.project.queue.jobs(workspace)), {step.name: step.title for step in all_steps()})

    def stored(self, key: str, file: str) -> dict[str, str]:
        """Name a file of any result in the store, to be used as an input."""
        self.store.get(key)
        return {"key": key, "file": file}

    # -- workspaces and decisions --------------------------------------------------------------------------------------

    @property
    def workspaces(self) -> list[str]:
        """Names of the workspaces."""
        return self.project.queue.workspaces()

    def workspace(self, name: str, title: str = "") -> Workspace:
        """Enter a workspace of the project, made when missing: the session's next jobs belong to it.

        What is returned has the steps as methods too, and keeps to this workspace whatever is entered later.
        """
        if not name.strip():
            raise UserError("A workspace needs a name; give some letters.")
        if name not in self.workspaces:
            self.kernels.require()
        self.project.queue.add_workspace(name, title)
        self._workspace = name
        return Workspace(self, name)

    def decide(self, key: str, value: Any) -> None:
        """Keep an interactive decision; see `decisions` for its history and undo."""
        self.decisions.decide(key, value)

    def __repr__(self) -> str:
        """Title, folder and number of jobs."""
        return f"<Session {self.title!r} in {self.path}: {len(self)} jobs>"

    def _repr_html_(self) -> str:
        return session_html(self)
