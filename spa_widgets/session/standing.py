"""Where a job stands among those of others, and where its result came from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from spa_widgets.session.display import duration
from spa_widgets.session.queue import ENDED, FINISHED, QUEUED, JobRow

if TYPE_CHECKING:
    from spa_widgets.session.session import Session

_PLACES = {"store": "your own store", "class": "the class store", "bundle": "the bundle"}


class JobStanding:
    """Base of `Job`: its place in a queue shared with others, and the origin of its result."""

    session: Session

    if TYPE_CHECKING:  # what a job has besides

        def _row(self) -> JobRow: ...

    @property
    def position(self) -> int | None:
        """Place in the line of an engine service, 1 for the next to start; None when it does not wait in one."""
        place = self._standing("position")
        return None if place is None else int(place)

    @property
    def expected_wait_s(self) -> float | None:
        """Seconds until it is expected to start at an engine service; None when it does not wait there."""
        return self._standing("expected_wait_s")

    def _standing(self, name: str) -> float | None:
        row = self._row()
        found = self.session.runner.standing(row).get(name) if row.state == QUEUED else None
        return None if found is None else float(found)

    @property
    def computed(self) -> tuple[str, float | None]:
        """Who computed its result, and seconds saved if it was there.

        ``you``, ``service``, or where it was: ``class``, ``store``, ``bundle``.
        """
        row = self._row()
        found = self.session.store.find(row.key) if row.state == FINISHED and row.key else None
        if found is None:
            return "", None
        if not row.reused:
            return ("service" if found.read_only_store else "you"), None
        return found.source, float(found.result.get("seconds", 0.0))

    @property
    def origin(self) -> str:
        """Who computed its result: ``computed by you``, ``from the class store, 3 min 20 s saved`` …; empty before."""
        row = self._row()
        found = self.session.store.find(row.key) if row.state == FINISHED and row.key else None
        if found is None:
            return ""
        if not row.reused:
            return "computed for you" if found.read_only_store else "computed by you"
        return f"from {_PLACES[found.source]}, {duration(found.result.get('seconds', 0.0))} saved"

    @property
    def waiting_text(self) -> str:
        """What a person who waits wants to know: ``number 3 in the line, starts in about 2 min``, ``waits for J2``."""
        row, service = self._row(), self.session.service
        if row.state in ENDED:
            return ""
        if row.ticket and service is not None and not service.is_alive():
            return "the engine service does not answer; the job goes on when it is back"
        if row.state != QUEUED:
            return ""
        if (position := self.position) is not None:
            start = "" if (wait := self.expected_wait_s) is None else f", starts in about {duration(wait)}"
            return f"number {position} in the line{start}"
        numbers = sorted({int(ref["job"]) for ref in row.spec["inputs"].values() if "job" in ref})
        needed = [other for number in numbers if (other := self.session.project.queue.get(number)) is not None]
        names = ", ".join(other.name for other in needed if other.state not in ENDED)
        return f"waits for {names}" if names else ""
