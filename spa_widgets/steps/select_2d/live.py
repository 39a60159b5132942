"""The averages of a classification that still runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spa_widgets.steps.select_2d.facts import COLUMNS, class_row


@dataclass(frozen=True)
class Iteration:
    """What an iteration shows.

    Attributes
    ----------
    rows : list of dict
        The classes with their figures.
    numbers : list of int
        Class of each tile of the picture, in reading order.
    columns : int
        Tiles in a row.
    picture : bytes
        WebP.
    text : str
        What the job says about it.
    """

    rows: list[dict[str, Any]]
    numbers: list[int]
    columns: int
    picture: bytes
    text: str


class LiveClasses:
    """Follows a job iteration by iteration.

    Parameters
    ----------
    job : Job
        A 2D classification.
    """

    def __init__(self, job: Any) -> None:
        self._job = job
        self._seen = 0

    def news(self) -> Iteration | None:
        """Give the latest iteration if it was not given before and its picture is there, else None."""
        events = self._job.events()
        at = _last(events, "classes")
        if at < 0 or at + 1 <= self._seen or _last(events, "picture") > at:
            return None  # a picture that is newer than its figures: they follow in a moment
        path, caption = self._job.pictures[events[at]["picture"]]
        try:
            picture = path.read_bytes()
        except OSError:
            return None  # the job has just ended and taken it along
        later = self._job.events()
        if _last(later, "picture") > at:
            return None  # it may be that of the next iteration
        self._seen = at + 1
        event = events[at]
        numbers = [int(number) for number in event["class"]]
        rows = [
            class_row(number, {name: event[name][place] for name in COLUMNS}) for place, number in enumerate(numbers)
        ]
        return Iteration(
            sorted(rows, key=lambda row: int(row["number"])), numbers, int(event["tiles_in_a_row"]), picture, caption
        )


def _last(events: list[dict[str, Any]], kind: str) -> int:
    return next((place for place in range(len(events) - 1, -1, -1) if events[place].get("kind") == kind), -1)
