"""Decisions of a widget, the last on top: kept by the session, or in memory where there is none."""

from __future__ import annotations

from typing import Any

import traitlets

from spa_widgets.viewers.base import SpaWidget


class History:
    """What was decided under a key, undoable.

    Parameters
    ----------
    session : Session or None
        Keeps the decisions beyond the kernel, and shares them with other widgets on the same key.
    key : str
        Name of the decision.
    first : object
        What holds when nothing was decided.
    """

    def __init__(self, session: Any, key: str, first: Any) -> None:
        self._kept = _InMemory() if session is None else session.decisions
        self._key, self._first = key, first
        self._seen = self.value

    @property
    def value(self) -> Any:
        """The decision that holds."""
        found = self._kept.get(self._key)
        return self._first if found is None else found

    @property
    def can_undo(self) -> bool:
        """Whether a decision can be taken back."""
        return bool(self._kept.can_undo(self._key))

    @property
    def can_redo(self) -> bool:
        """Whether a decision was taken back and can be had again."""
        return bool(self._kept.can_redo(self._key))

    def keep(self, value: Any) -> None:
        """Keep a decision (any JSON value), unless it is the one that holds."""
        if value != self._seen:
            self._kept.decide(self._key, value)
        self._seen = value

    def undo(self) -> Any:
        """Take the last decision back and give the one that holds now."""
        self._kept.undo(self._key)
        return self._look()

    def redo(self) -> Any:
        """Take the last undo back and give the decision that holds now."""
        self._kept.redo(self._key)
        return self._look()

    def news(self) -> Any | None:
        """Give the decision that holds when somebody else changed it since the last look, else None."""
        return None if self.value == self._seen else self._look()

    def _look(self) -> Any:
        self._seen = self.value
        return self._seen


class _InMemory:
    """One decision log without a file."""

    def __init__(self) -> None:
        self._done: list[Any] = []
        self._undone: list[Any] = []

    def get(self, _key: str) -> Any:
        return self._done[-1] if self._done else None

    def decide(self, _key: str, value: Any) -> None:
        self._done.append(value)
        self._undone.clear()

    def can_undo(self, _key: str) -> bool:
        return bool(self._done)

    def can_redo(self, _key: str) -> bool:
        return bool(self._undone)

    def undo(self, _key: str) -> None:
        if self._done:
            self._undone.append(self._done.pop())

    def redo(self, _key: str) -> None:
        if self._undone:
            self._done.append(self._undone.pop())


class UndoableWidget(SpaWidget):
    """A widget with one decision that can be taken back.

    A subclass sets ``_history`` when its input is there, calls :meth:`_decided` with each decision, and shows one in
    :meth:`_apply`.
    """

    can_undo = traitlets.Bool(False).tag(sync=True)
    can_redo = traitlets.Bool(False).tag(sync=True)

    _history: History
    _replaying = False

    def undo(self) -> None:
        """Take back the last change."""
        self._need()
        with self._lock:
            self._replay(self._history.undo())

    def redo(self) -> None:
        """Do again what was taken back."""
        self._need()
        with self._lock:
            self._replay(self._history.redo())

    def _apply(self, decision: Any) -> None:
        """Show a decision."""
        raise NotImplementedError

    def _decided(self, decision: Any) -> None:
        """Keep a decision, unless it is only shown again."""
        if not self._replaying:
            self._history.keep(decision)
            self._show_history()

    def _replay(self, decision: Any) -> None:
        self._replaying = True
        try:
            self._apply(decision)
        finally:
            self._replaying = False
        self._show_history()

    def _show_history(self) -> None:
        self.can_undo, self.can_redo = self._history.can_undo, self._history.can_redo

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_undo(self) -> dict[str, Any]:
        if self.can_undo:  # a key may ask before there is anything
            self.undo()
        return {}

    def _ask_redo(self) -> dict[str, Any]:
        if self.can_redo:
            self.redo()
        return {}

    def _ask_refresh(self) -> dict[str, Any]:
        """Take over what was decided elsewhere: a page asks this when it comes to the front."""
        news = self._history.news() if hasattr(self, "_history") else None  # not there before the input is
        if news is not None:
            self._replay(news)
        return {}
