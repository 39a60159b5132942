"""Interactive decisions (picks, thresholds, chosen classes): kept at each click, undoable, replayed by code."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.whole import append_line

_MISSING = object()


class Decisions:
    """A log of decisions, one JSON line each, that several kernels may append to.

    Parameters
    ----------
    path
        The file; made at the first decision.
    before
        Called before anything is written; what it raises keeps it from being written.
    """

    def __init__(self, path: Path, before: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self._before = before
        self._lock = threading.RLock()  # widgets answer on threads of their own
        self._offset = 0
        self._done: dict[str, list[Any]] = {}
        self._undone: dict[str, list[Any]] = {}

    def decide(self, key: str, value: Any) -> None:
        """Keep a decision (any JSON value); it is on the disk when this returns."""
        self._append({"key": key, "value": value})

    def undo(self, key: str) -> Any:
        """Take the last decision back; return the one before it (None when there is none)."""
        if self.can_undo(key):
            self._append({"key": key, "action": "undo"})
        return self.get(key)

    def redo(self, key: str) -> Any:
        """Take the last undo back; return the decision that holds now."""
        if self.can_redo(key):
            self._append({"key": key, "action": "redo"})
        return self.get(key)

    def can_undo(self, key: str) -> bool:
        """Tell whether a decision can be taken back."""
        self._follow()
        return bool(self._done.get(key))

    def can_redo(self, key: str) -> bool:
        """Tell whether a decision was taken back and can be had again."""
        self._follow()
        return bool(self._undone.get(key))

    def get(self, key: str, default: Any = None) -> Any:
        """Return the decision that holds."""
        self._follow()
        done = self._done.get(key)
        return done[-1] if done else default

    def __getitem__(self, key: str) -> Any:
        """Return the decision that holds; KeyError when there is none."""
        found = self.get(key, _MISSING)
        if found is _MISSING:
            raise KeyError(key)
        return found

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a decision."""
        return self.can_undo(key)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys with a decision."""
        self._follow()
        return iter([key for key, done in self._done.items() if done])

    def __len__(self) -> int:
        """Return the number of keys with a decision."""
        return sum(1 for _ in self)

    def history(self, key: str) -> list[Any]:
        """Return every decision for a key that was not taken back, oldest first."""
        self._follow()
        return list(self._done.get(key, ()))

    def __repr__(self) -> str:
        """List what was decided."""
        lines = [f"{key}: {self[key]!r}"[:110] for key in self]
        return "\n".join(["decisions", *lines]) if lines else "decisions (none yet)"

    def _append(self, record: dict[str, Any]) -> None:
        text = json.dumps({"time": time.time(), **record}, ensure_ascii=False, allow_nan=False)
        self._before()
        with self._lock, disk_in_words(self.path):
            append_line(self.path, text)
        self._follow()

    def _follow(self) -> None:
        """Read what was appended since the last look, by this session or another."""
        with self._lock:
            try:
                with self.path.open("rb") as stream:
                    stream.seek(self._offset)
                    content = stream.read()
            except FileNotFoundError:
                return
            whole = content[: content.rfind(b"\n") + 1]
            self._offset += len(whole)
            for line in whole.splitlines():
                self._replay(line)

    def _replay(self, line: bytes) -> None:
        try:
            record = json.loads(line)
            key = record["key"]
        except (ValueError, KeyError, TypeError):
            return  # a line cut short by a power cut
        done, undone = self._done.setdefault(key, []), self._undone.setdefault(key, [])
        if record.get("action") == "undo":
            if done:
                undone.append(done.pop())
        elif record.get("action") == "redo":
            if undone:
                done.append(undone.pop())
        else:
            done.append(record.get("value"))
            undone.clear()
