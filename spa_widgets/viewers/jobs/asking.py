"""Asking for jobs from among those that there are: going on with one, doing one again with changes, a new one."""

from __future__ import annotations

from typing import Any

from spa_widgets.viewers.form.host import FormHost
from spa_widgets.viewers.form.state import FormState


class AskHost(FormHost):
    """Base of a widget that shows jobs and asks for more of them."""

    selected: Any
    _session: Any
    _project: Any

    def _job(self, name: str) -> Any:
        raise NotImplementedError

    def refresh(self) -> bool:
        """Look at the jobs now; tells whether any is still going on."""
        raise NotImplementedError

    def resume(self, name: str) -> Any:
        """Go on with a job that failed or was cancelled, from where it stopped: what its button does."""
        job = self._job(name).clone()
        self.refresh()
        return job

    def edit(self, name: str) -> None:
        """Open a form with the inputs and parameters of a job, to ask for another one: what Clone does."""
        job = self._job(name)
        form = FormState(self._workspace_of(job), job.step.name)
        form.fill({"inputs": job.inputs, "params": job.params})
        with self._lock:
            self._show_form(form)

    def new(self, step: str) -> None:
        """Open an empty form of a step; its inputs are the newest results that fit."""
        form = FormState(self._session, step)
        form.suggest_inputs()
        with self._lock:
            self._show_form(form)

    def submit(self) -> Any:
        """Ask for the job of the open form: what its Run button does."""
        with self._lock:
            job = self._need_form().submit()
            self._form_submitted(job)
            return job

    def close_form(self) -> None:
        """Put the form away."""
        with self._lock:
            self._show_form(None)

    def _workspace_of(self, job: Any) -> Any:
        """Give a session that asks for jobs in a job's own workspace, whatever workspace is entered."""
        from spa_widgets.session.session import Workspace

        return Workspace(self._project, job.workspace)

    def _form_submitted(self, job: Any) -> None:
        self._show_form(None)
        self.refresh()
        self.selected = job.name

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_resume(self, name: str) -> dict[str, Any]:
        return {"job": self.resume(name).name}

    def _ask_edit(self, name: str) -> dict[str, Any]:
        self.edit(name)
        return {}

    def _ask_close_form(self) -> dict[str, Any]:
        self.close_form()
        return {}
