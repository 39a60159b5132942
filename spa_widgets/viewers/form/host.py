"""A widget that can show a form."""

from __future__ import annotations

from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.guard.finding import Finding
from spa_widgets.viewers.base import SpaWidget
from spa_widgets.viewers.form.checking import Checking
from spa_widgets.viewers.form.description import schema_of, shown_of
from spa_widgets.viewers.form.state import FormState


class FormHost(SpaWidget):
    """Base of the widgets with a form: its content is in Python, every view shows it."""

    schema = traitlets.Dict().tag(sync=True)
    filled = traitlets.Dict().tag(sync=True)
    findings: traitlets.List[dict[str, Any]] = traitlets.List().tag(sync=True)
    _form: FormState | None = None
    _checking: Checking | None = None

    def _show_form(self, form: FormState | None) -> None:
        self._form = form
        with self.hold_sync():
            self.schema = {} if form is None else schema_of(form)
            self.filled = {} if form is None else shown_of(form)
        self._look()

    def check(self) -> list[Finding]:
        """Return what looks wrong about the data and parameters in the form, seen in a small part of the data.

        Each is a sentence that has its Japanese (``ja``) and, where parameters mend it, their values (``fix``).
        """
        self._need_form()
        self._look()
        assert self._checking is not None
        return self._checking.wait()

    def fix(self, number: int = 0) -> dict[str, Any]:
        """Set the parameters that mend a finding of `check`; return them.

        Raises
        ------
        UserError
            If there is no such finding, or no parameter mends it.
        """
        found = self.check()
        if not 0 <= number < len(found):
            raise UserError(f"there is no finding {number}; there are {len(found)}, counted from 0.")
        return self._set_all(found[number].fix)

    def _set_all(self, values: dict[str, Any]) -> dict[str, Any]:
        if not values:
            raise UserError("no parameter of this step mends that; do what the sentence says.")
        with self._lock:
            for name, value in values.items():
                self._need_form().set(name, value)
            self._form_changed()
        return values

    def _look(self) -> None:
        if self._checking is None:
            self._checking = Checking(self._show_findings)
        self._checking.look(self._form)

    def _show_findings(self) -> None:
        found = self._checking.found if self._checking else []
        self.findings = [{"text": str(each), "text_ja": each.ja, "fix": each.fix} for each in found]

    def _need_form(self) -> FormState:
        if self._form is None:
            raise UserError("there is no open form; open one first")
        return self._form

    def _form_changed(self) -> None:
        """Tell the views what stands in the form now."""
        self.filled = shown_of(self._need_form())
        self._look()

    def _form_submitted(self, job: Any) -> None:
        """Do what follows when a job was asked for."""

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_form_set(self, name: str, value: Any) -> dict[str, Any]:
        self._need_form().set(name, value)
        self._form_changed()
        return {}

    def _ask_form_reset(self, names: list[str]) -> dict[str, Any]:
        self._need_form().reset(names)
        self._form_changed()
        return {}

    def _ask_form_fix(self, number: int) -> dict[str, Any]:
        self._set_all(self.findings[number]["fix"] if 0 <= number < len(self.findings) else {})
        return {}

    def _ask_form_choices(self) -> dict[str, Any]:
        self._form_changed()
        return {}

    def _ask_form_run(self) -> dict[str, Any]:
        job = self._need_form().submit()
        self._form_changed()
        self._form_submitted(job)
        return {"job": job.name}
