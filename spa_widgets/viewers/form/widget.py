"""StepForm: the parameters of a step to fill in, made from its declaration."""

from __future__ import annotations

from html import escape
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import bundle
from spa_widgets.viewers.form.description import schema_of
from spa_widgets.viewers.form.host import FormHost
from spa_widgets.viewers.form.state import FormState


class StepForm(FormHost):
    """Fill in a step: inputs chosen from the session's results, parameters with units, bounds and help.

    What a person fills in is kept by the session and stands there again when the notebook is opened another time,
    unless the values given here have changed since.

    Parameters
    ----------
    session : Session or Workspace
        Where the job is asked for.
    step : str
        Name of the step.
    device : str
        ``"auto"``, ``"cpu"`` or ``"gpu"``; the session's by default.
    language : str
        ``"auto"``, ``"en"`` or ``"ja"``.
    **values
        Inputs and parameters to start with; needed inputs that are not given are the newest results that fit.
    """

    _esm = bundle("form")

    def __init__(self, session: Any, step: str, *, device: str = "", language: str = "", **values: Any) -> None:
        super().__init__(**({"language": language} if language else {}))
        form = FormState(session, step, device)
        for name, value in values.items():
            form.set(name, value)
        form.suggest_inputs()
        self._session = session
        self._start = {"inputs": dict(form.inputs), "params": dict(form.values)} if values else {}
        self._key = f"form/{form.step.name}"
        kept = sources.recall(getattr(session, "session", session), self._key)
        if kept and kept["start"] == self._start:
            form.fill(kept)
        self._show_form(form)

    @property
    def values(self) -> dict[str, Any]:
        """All parameters as they stand."""
        return dict(self._need_form().values)

    @property
    def problems(self) -> dict[str, str]:
        """What is wrong, a sentence for each input or parameter; empty when the job can be asked for."""
        return self._need_form().problems

    @property
    def job(self) -> Any:
        """The job asked for last, or None."""
        name = self._need_form().job
        return getattr(self._session, "session", self._session)[name] if name else None

    def set(self, **values: Any) -> None:
        """Set inputs, parameters or ``device``, as a person does in the page."""
        with self._lock:
            for name, value in values.items():
                self._need_form().set(name, value)
            self._form_changed()

    def reset(self, *names: str) -> None:
        """Put parameters back to their defaults: those named, or all."""
        with self._lock:
            self._need_form().reset(names)
            self._form_changed()

    def submit(self) -> Any:
        """Ask for the job: what the Run button does.

        Raises
        ------
        UserError
            If anything is wrong.
        """
        with self._lock:
            job = self._need_form().submit()
            self._form_changed()
            return job

    def code(self) -> str:
        """Give the call of the step's method with only what differs from the defaults."""
        return self._need_form().code()

    def static_html(self) -> str:
        """Give the parameters that were changed, and the code."""
        form = self._need_form()
        rows = [
            f"<tr><td style='text-align:left'>{escape(field['label'])}</td><td>{escape(str(value))}</td>"
            f"<td style='text-align:left'>{escape(field['unit'])}</td></tr>"
            for field in schema_of(form)["fields"]
            if field["name"] in form.changed() and (value := self.filled["values"][field["name"]]) is not None
        ]
        table = f"<table>{''.join(rows)}</table>" if rows else "<i>All parameters have their defaults.</i>"
        return f"<b>{escape(form.step.title)}</b>{table}<code>{escape(form.code())}</code>"

    def _form_changed(self) -> None:
        super()._form_changed()
        form = self._need_form()
        kept = {"start": self._start, "inputs": form.inputs, "params": form.values}
        session = getattr(self._session, "session", self._session)
        if sources.recall(session, self._key) != kept:
            try:
                session.decide(self._key, kept)
            except (TypeError, ValueError) as problem:
                raise UserError(f"a value cannot be kept: {problem}") from problem
