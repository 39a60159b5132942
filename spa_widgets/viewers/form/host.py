"""A widget that can show a form."""

from __future__ import annotations

from typing import Any

import traitlets

from spa_widgets.errors import UserError
from spa_widgets.viewers.base import SpaWidget
from spa_widgets.viewers.form.state import FormState


class FormHost(SpaWidget):
    """Base of the widgets with a form: its content is in Python, every view shows it."""

    schema = traitlets.Dict().tag(sync=True)
    filled = traitlets.Dict().tag(sync=True)
    _form: FormState | None = None

    def _show_form(self, form: FormState | None) -> None:
        self._form = form
        with self.hold_sync():
            self.schema = {} if form is None else form.schema()
            self.filled = {} if form is None else form.shown()

    def _need_form(self) -> FormState:
        if self._form is None:
            raise UserError("there is no open form; open one first")
        return self._form

    def _form_changed(self) -> None:
        """Tell the views what stands in the form now."""
        self.filled = self._need_form().shown()

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

    def _ask_form_choices(self) -> dict[str, Any]:
        self._form_changed()
        return {}

    def _ask_form_run(self) -> dict[str, Any]:
        job = self._need_form().submit()
        self._form_changed()
        self._form_submitted(job)
        return {"job": job.name}
