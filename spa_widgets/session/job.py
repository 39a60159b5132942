"""The handle of a job: where it stands, what it gave, and how to have it again."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.session.code import call_code
from spa_widgets.session.context import Cancelled
from spa_widgets.session.display import job_html
from spa_widgets.session.events import EVENTS_FILE, EventReader
from spa_widgets.session.queue import CANCELLED, ENDED, FAILED, FINISHED, QUEUED, RUNNING, JobRow
from spa_widgets.session.registry import Step, get_step
from spa_widgets.session.results import JobResults
from spa_widgets.session.spec import JobSpec, resolve
from spa_widgets.session.standing import JobStanding

if TYPE_CHECKING:
    from spa_widgets.session.session import Session

_POLL_S, _POLL_AT_MOST_S = 0.03, 0.3


class JobFailed(UserError):
    """Raised when a result is asked of a job that failed; its text says why."""


class Job(JobStanding, JobResults):
    """A step with parameters and inputs, asked for in a session.

    It is returned at once; the work goes on in the runner. Ask `status` or `progress`, `wait` for the end, or use an
    output in the next step right away.

    Parameters
    ----------
    session
        The session it belongs to.
    number
        Its number in the project.
    """

    def __init__(self, session: Session, number: int) -> None:
        self.session = session
        self.number = number
        row = self._row()
        self.step: Step = get_step(row.step)
        self._reader = EventReader(session.project.folder(row) / EVENTS_FILE)
        self._ended: JobRow | None = None

    # -- where it stands ---------------------------------------------------------------------------------------------

    def _row(self) -> JobRow:
        row = self.session.project.queue.get(self.number)
        if row is None:
            raise UserError(f"J{self.number} is not in the project {self.session.path}.")
        return row

    @property
    def name(self) -> str:
        """Short name, such as ``J12``."""
        return f"J{self.number}"

    @property
    def workspace(self) -> str:
        """Name of its workspace."""
        return self._row().workspace

    @property
    def status(self) -> str:
        """``queued``, ``running``, ``finished``, ``failed`` or ``cancelled``."""
        state = self._row().state
        if state not in ENDED:
            self.session.runner.ensure(at_once=False)
        return state

    @property
    def error(self) -> str:
        """Why it failed: one sentence, or an empty string."""
        return self._row().error

    @property
    def progress(self) -> float:
        """Part done, 0 to 1."""
        event = self._progress_event()
        return 1.0 if self._row().state == FINISHED else float(event.get("fraction") or 0.0)

    @property
    def message(self) -> str:
        """What it is doing."""
        return str(self._progress_event().get("message") or "")

    @property
    def eta_s(self) -> float | None:
        """Seconds left, as far as can be told; 0 when it has ended."""
        if self._row().state in ENDED:
            return 0.0
        event = self._progress_event()
        if event.get("eta_s") is None:
            return None
        return max(0.0, float(event["eta_s"]) - max(0.0, time.time() - float(event["time"])))

    @property
    def seconds(self) -> float | None:
        """Seconds from start to end, or until now."""
        row = self._row()
        return None if row.started is None else (row.ended or time.time()) - row.started

    def _progress_event(self) -> dict[str, Any]:
        for event in reversed(self._reader.follow()):
            if event.get("kind") in ("progress", "started", "resumed"):
                return event
        return {}

    def events(self, since: int = 0, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the job's events from a position on (the number of those one has), all or those of a kind."""
        found = self._reader.follow()[since:]
        return found if kind is None else [event for event in found if event.get("kind") == kind]

    def wait(self, timeout: float | None = None) -> Job:
        """Wait for the end.

        Parameters
        ----------
        timeout
            Seconds to wait at most; None for as long as it takes.

        Returns
        -------
        Job
            This job, finished.

        Raises
        ------
        JobFailed
            If it failed: the text says why.
        Cancelled
            If it was cancelled.
        TimeoutError
            If it is not at its end in time.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        pause_s = _POLL_S
        while (state := self.status) not in ENDED:
            if deadline is not None and time.monotonic() > deadline:
                why = f": {text}" if (text := self.waiting_text) else ""
                raise TimeoutError(f"{self.name} ({self.step.title}) is still {state} after {timeout:g} s{why}.")
            time.sleep(pause_s)
            pause_s = min(1.2 * pause_s, _POLL_AT_MOST_S)  # a class that waits together must not keep the machine busy
        if state == FAILED:
            raise JobFailed(f"{self.name} ({self.step.title}) failed: {self.error}")
        if state == CANCELLED:
            raise Cancelled(f"{self.name} ({self.step.title}) was cancelled; run it again to go on.")
        return self

    def cancel(self) -> None:
        """Ask it to stop; what it has done so far is kept for the next time."""
        self.session.kernels.require()
        queue = self.session.project.queue
        if queue.update(self.number, only_if=(QUEUED, RUNNING), cancel=1):
            self.session.runner.cancel(self._row())
        if queue.update(self.number, only_if=(QUEUED,), state=CANCELLED, ended=time.time()):
            self.session.project.describe(self.number)

    # -- what it is ----------------------------------------------------------------------------------------------------

    @property
    def params(self) -> dict[str, Any]:
        """All its parameters."""
        return dict(self._row().spec["params"])

    @property
    def inputs(self) -> dict[str, Any]:
        """Its inputs as they were given: jobs with a file, or raw files."""
        return dict(self._row().spec["inputs"])

    @property
    def parents(self) -> list[Job]:
        """The jobs whose results it uses."""
        numbers = sorted({int(ref["job"]) for ref in self.inputs.values() if "job" in ref})
        return [Job(self.session, number) for number in numbers]

    @property
    def key(self) -> str:
        """Key of its result; waits for the jobs that it needs, and reads raw files when their content is new."""
        found = self._row().key
        if found is not None:
            return found
        for parent in self.parents:
            parent.wait()
        return resolve(self._spec(), self.session.store).key

    def explain_key(self) -> str:
        """Return the pieces of its key as text: why a result was, or was not, there already."""
        for parent in self.parents:
            parent.wait()
        return resolve(self._spec(), self.session.store).explain()

    def _spec(self) -> JobSpec:
        return self.session.project.spec(self._row())

    def clone(self, **changes: Any) -> Job:
        """Ask for the same job with some parameters or inputs changed.

        Parameters
        ----------
        **changes
            New values of parameters and inputs by name.

        Returns
        -------
        Job
            Another job (this one when nothing differs).
        """
        row = self._row()
        names = {self.step.argument_name(item): item.name for item in self.step.inputs}
        new_inputs = {names[name]: value for name, value in changes.items() if name in names}
        inputs = {**row.spec["inputs"], **new_inputs}
        params = {**row.spec["params"], **{name: value for name, value in changes.items() if name not in names}}
        return self.session.submit(self.step.name, inputs, params, workspace=row.workspace, device=row.device)

    def code(self) -> str:
        """Return a line of Python that asks for this job again."""
        row = self._row()
        return call_code(self.step, row.spec["inputs"], row.spec["params"])

    def __eq__(self, other: object) -> bool:
        """Two handles of one job are equal."""
        return isinstance(other, Job) and (self.number, self.session.path) == (other.number, other.session.path)

    def __hash__(self) -> int:
        """Hash by project and number."""
        return hash((self.number, self.session.path))

    def __repr__(self) -> str:
        """One line: name, step, status and progress."""
        row = self._row()
        part = f" {self.progress:.0%} {self.message}".rstrip() if row.state == RUNNING else ""
        part += f", {text}" if (text := self.waiting_text) else ""
        return f"<{self.name} {self.step.title}: {row.state}{part}{f' ({row.error})' if row.error else ''}>"

    def _repr_html_(self) -> str:
        return job_html(self)
