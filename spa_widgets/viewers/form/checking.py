"""Looking at what stands in a form for what would go wrong silently, beside the thread that answers the page."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.viewers.form.state import FormState

if TYPE_CHECKING:
    from spa_widgets.guard.finding import Finding

_log = logging.getLogger(__name__)


class Checking:
    """Looks at one form after the other state of it; only the newest state counts.

    Parameters
    ----------
    tell : callable
        Called when findings have changed.
    """

    def __init__(self, tell: Callable[[], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._wanted: tuple[str, Any] | None = None
        self._last = ""
        self._thread: threading.Thread | None = None
        self.found: list[Finding] = []

    @property
    def is_busy(self) -> bool:
        """Whether what is found may not be of the newest state."""
        return self._thread is not None

    def look(self, form: FormState | None) -> None:
        """Have the present state of a form looked at soon; one with problems of its own has to be mended first."""
        ready = form is not None and not form.problems
        state = json.dumps([form.step.name, _there(form), form.values], default=str) if form and ready else ""
        with self._lock:
            if state == (self._wanted[0] if self._wanted else self._last):
                return
            asked = (form.project, form.step, dict(form.inputs), dict(form.values)) if form and ready else None
            self._wanted = (state, asked)
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="check a form", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> list[Finding]:
        """Return the findings of the newest state when they are there."""
        thread = self._thread
        if thread is not None:
            thread.join(timeout_s)
        return list(self.found)

    def _work(self) -> None:
        while True:
            with self._lock:
                if self._wanted is None:
                    self._thread = None
                    return
                (state, asked), self._wanted = self._wanted, None
                self._last = state
            self.found = self._look_at(asked)
            if self._wanted is None:
                try:
                    self._tell()
                except Exception:  # a page that was closed must not stop the next look
                    _log.exception("telling what a form shows")

    @staticmethod
    def _look_at(asked: Any) -> list[Finding]:
        if asked is None:
            return []
        from spa_widgets.session.checking import check_job  # the engine is loaded beside the page's thread

        try:
            return check_job(*asked)
        except UserError:  # told beside the field
            return []
        except Exception:  # a look beforehand must never stand in the way of the job
            _log.exception("looking at a form")
            return []


def _there(form: FormState) -> dict[str, Any]:
    """Give the inputs of a form, those from jobs with what is there of them: a result that comes is looked at."""
    given = dict(form.inputs)
    for name, ref in given.items():
        if isinstance(ref, dict) and "job" in ref:
            row = form.project.queue.get(int(ref["job"]))
            given[name] = {**ref, "key": row.key if row else None}
    return given
