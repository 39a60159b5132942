"""What lists, trees and sweeps show of a job."""

from __future__ import annotations

from typing import Any

from spa_widgets.session.queue import ENDED
from spa_widgets.viewers.labels import in_japanese


def job_row(job: Any) -> dict[str, Any]:
    """Give name, title, state, progress and time of a job as JSON values."""
    status = job.status
    running = status == "running"
    eta_s = job.eta_s if running else None
    return {
        "name": job.name, "title": job.step.title, "title_ja": in_japanese(job.step.title), "step": job.step.name,
        "status": status, "progress": round(float(job.progress), 3), "message": job.message if running else "",
        "eta_s": None if eta_s is None else round(eta_s), "error": job.error,
        "seconds": None if job.seconds is None else round(job.seconds, 1),
        "parents": [f"J{number}" for number in sorted({ref["job"] for ref in job.inputs.values() if "job" in ref})],
    }  # fmt: skip


def has_ended(row: dict[str, Any]) -> bool:
    """Tell whether a row will not change any more."""
    return row["status"] in ENDED
