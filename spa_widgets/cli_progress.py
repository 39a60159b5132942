"""Progress of a command on stderr: a line that renews itself on a terminal, a line now and then in a log."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any

from spa_widgets.errors import on_one_line
from spa_widgets.session.display import duration
from spa_widgets.session.figures import figure_text

_TERMINAL_EVERY_S, _LOG_EVERY_S = 0.1, 10.0
_BAR = 24


class ProgressPrinter:
    """Print what a job reports.

    Parameters
    ----------
    title
        What is going on.
    quiet
        Print warnings only.
    """

    def __init__(self, title: str, quiet: bool = False) -> None:
        self.title = title
        self.quiet = quiet
        self._terminal = sys.stderr.isatty()
        self._last = 0.0
        self._open = False

    def __enter__(self) -> ProgressPrinter:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """End the line that renews itself."""
        self._end_line()

    def event(self, event: dict[str, Any]) -> None:
        """Print one event of a job."""
        kind = event.get("kind")
        if kind == "progress":
            self._progress(event)
        elif kind == "warning":
            self._line(f"warning: {event['message']}", always=True)
        elif kind == "resumed":
            self._line(f"{self.title}: going on from the last checkpoint")
        elif kind == "reused":
            self._line(f"{self.title}: the result is there already")
        elif kind == "waiting":
            self._line(f"{self.title}: {event['message']}; waiting for its result")

    def _progress(self, event: dict[str, Any]) -> None:
        now = time.monotonic()
        fraction = float(event.get("fraction") or 0.0)
        every = _TERMINAL_EVERY_S if self._terminal else _LOG_EVERY_S
        if self.quiet or (now - self._last < every and fraction < 1):
            return
        self._last = now
        left = f", {duration(event['eta_s'])} left" if event.get("eta_s") else ""
        message = f" {event['message']}" if event.get("message") else ""
        text = on_one_line(f"{self.title} {fraction:4.0%}{message}{left}")
        if self._terminal:
            filled = round(_BAR * fraction)
            sys.stderr.write(f"\r\033[K[{'#' * filled}{'.' * (_BAR - filled)}] {text}"[:118])
            sys.stderr.flush()
            self._open = True
        else:
            sys.stderr.write(text + "\n")

    def summary(self, result: dict[str, Any]) -> None:
        """Print the figures of merit and the time."""
        plain = {name: value for name, value in result["figures"].items() if not isinstance(value, list | dict)}
        figures = ", ".join(f"{name} {figure_text(value)}" for name, value in plain.items())
        self._line(f"{self.title}: done in {duration(result['seconds'])}{f' ({figures})' if figures else ''}")

    def _line(self, text: str, always: bool = False) -> None:
        if self.quiet and not always:
            return
        self._end_line()
        sys.stderr.write(on_one_line(text) + "\n")
        sys.stderr.flush()

    def _end_line(self) -> None:
        if self._open:
            sys.stderr.write("\n")
            self._open = False
