"""Events of a job: one JSON line each in ``events.jsonl``, written by the worker and followed by sessions."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

from spa_widgets.session.whole import append_line

EVENTS_FILE = "events.jsonl"
_PROGRESS_EVERY_S = 0.1


class EventWriter:
    """Append events to a file; of rapid progress reports only some are kept.

    Parameters
    ----------
    path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._last_progress = 0.0

    def __call__(self, event: dict[str, Any]) -> None:
        """Append one event."""
        if event.get("kind") == "progress":
            now = time.monotonic()
            if now - self._last_progress < _PROGRESS_EVERY_S and event.get("fraction", 0) < 1:
                return
            self._last_progress = now
        append_line(self.path, json.dumps(event, ensure_ascii=False, allow_nan=False), synced=False)


class EventReader:
    """Follow a file of events from where one looked last.

    Parameters
    ----------
    path
        The file; it may not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.events: list[dict[str, Any]] = []
        self._offset = 0
        self._lock = threading.Lock()  # a cell and a widget's thread may look at once

    def follow(self) -> list[dict[str, Any]]:
        """Read what is new; return all events so far."""
        with self._lock:
            return self._follow()

    def _follow(self) -> list[dict[str, Any]]:
        try:
            with self.path.open("rb") as stream:
                stream.seek(self._offset)
                content = stream.read()
        except FileNotFoundError:
            return self.events
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        for line in whole.splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                continue  # half a line of a writer that was killed
            if isinstance(event, dict):
                self.events.append(event)
        return self.events

    def last(self, kind: str) -> dict[str, Any] | None:
        """Return the last event of a kind."""
        return next((event for event in reversed(self.follow()) if event.get("kind") == kind), None)
