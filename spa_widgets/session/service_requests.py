"""What a session asks of the engine service: a job with its inputs, in words that the service understands."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import bring
from spa_widgets.session.project import Project
from spa_widgets.session.queue import CANCELLED, FAILED, FINISHED, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.tickets import ASK, ServicePlace, new_ticket

_CPU = "device='cpu'"
_LOST_S = 5.0  # a request that left the spool is answered by then, or somebody cleared the spool


class ServiceRequests:
    """Hand jobs of a project over to the engine service.

    Parameters
    ----------
    project
        The project.
    place
        The service's folder.
    """

    def __init__(self, project: Project, place: ServicePlace) -> None:
        self._project = project
        self._place = place
        self._handed: dict[str, float] = {}  # when requests were put into the spool

    def is_under_way(self, ticket: str) -> bool:
        """Tell whether a request without an answer is in the spool, or was taken from it a moment ago."""
        since = time.monotonic() - self._handed.get(ticket, -_LOST_S)
        return since < _LOST_S or self._place.is_spooled(ticket)

    def hand_over(self, row: JobRow) -> bool:
        """Put a job into the spool; False when something that it needs is still in the making here.

        Raises
        ------
        SpoolClosed
            If the service takes nothing now.
        UserError
            If it can never be computed by the service.
        """
        inputs = {name: self._ref(ref) for name, ref in row.spec["inputs"].items()}
        if any(ref is None for ref in inputs.values()):
            return False
        request = {"kind": ASK, "step": row.step, "params": row.spec["params"], "inputs": inputs, "device": row.device}
        self._place.submit(row.ticket, {**request, "doubts": row.key} if row.key else request)
        self._handed[row.ticket] = time.monotonic()
        return True

    def why(self, row: JobRow, status: dict[str, Any]) -> str:
        """Say why a job failed: when that is for another one's sake, by the name that the other has here."""
        if (cause := self._cause(row)) is None:
            return str(status.get("error") or "")
        needed, theirs = cause
        if needed.state == FINISHED:
            reason = str(theirs.get("error") or "It was cancelled.")
            advice = "" if _CPU in reason else f" Choose {_CPU} to go on from what is here yourself."
            return f"{needed.name} was not made by the engine service, which has to compute it again: {reason}{advice}"
        return f"{needed.name}, whose result is needed, {'failed' if theirs['state'] == FAILED else 'was cancelled'}."

    def _cause(self, row: JobRow) -> tuple[JobRow, dict[str, Any]] | None:
        """Return the job farthest back for whose sake one failed, and what the service says of it."""
        for number in sorted({int(ref["job"]) for ref in row.spec["inputs"].values() if "job" in ref}):
            needed = self._project.queue.get(number)
            theirs = (self._place.status(needed.ticket) or {}) if needed is not None and needed.ticket else {}
            if needed is not None and theirs.get("state") in (FAILED, CANCELLED):
                return self._cause(needed) or (needed, theirs)
        return None

    def _ref(self, ref: dict[str, Any]) -> dict[str, Any] | None:
        """Turn a reference to an input into one that the service understands; None when it must wait."""
        if "files" in ref:
            # links of ours, in a folder that the service may not enter, to results that it may read
            return {"files": [str(_laid(Path(path)).resolve()) for path in ref["files"]]}
        if "key" in ref:
            if not self._is_shared(ref["key"]):
                raise UserError(
                    f"The result {ref['key'][:16]} is in a store of your own, where the engine service does not look; "
                    "choose device='cpu' to go on from it."
                )
            return {"key": ref["key"], "file": ref["file"]}
        needed = self._project.queue.get(int(ref["job"]))
        if needed is None or needed.state in (FAILED, CANCELLED):
            raise UserError(f"J{ref['job']}, whose result is needed, failed, was cancelled or is not there.")
        if needed.state == FINISHED and needed.key and self._is_shared(needed.key):
            return {"key": needed.key, "file": ref["file"]}
        ticket = needed.ticket if needed.state != FINISHED else self._ticket_of_finished(needed)
        return {"ticket": ticket, "file": ref["file"]} if ticket else None

    def _ticket_of_finished(self, row: JobRow) -> str | None:
        """Let the service compute what was computed elsewhere: it takes nobody's word for a result.

        Raises
        ------
        UserError
            If its result would be another one, so that what follows would not be made from what is here.
        """
        if row.ticket and self._is_answered_or_will_be(row.ticket):
            return row.ticket
        found = self._project.store.find(row.key) if row.key else None
        version = get_step(row.step).version
        if found is not None and found.result["pieces"].get("version") != version:
            raise UserError(
                f"{row.name} was made by another version of its step; the engine service, which computes again what "
                f"it did not make, would get another result. Choose device='cpu' to go on from {row.name} as it is, "
                "or run its step again and go on from that."
            )
        asked = replace(row, ticket=new_ticket(), key=None)
        if not self.hand_over(asked):
            return None
        self._project.queue.update(row.number, ticket=asked.ticket)
        return asked.ticket

    def _is_answered_or_will_be(self, ticket: str) -> bool:
        status = self._place.status(ticket)  # forgotten after a week
        return self.is_under_way(ticket) if status is None else status.get("state") not in (FAILED, CANCELLED)

    def _is_shared(self, key: str) -> bool:
        return (Path(self._place.store) / "objects" / key[:2] / key).is_dir()


def _laid(path: Path) -> Path:
    """Return a file, laid where its path says when it is one of a bundle."""
    return path if path.exists() else bring(path) or path
