"""What lists, trees and sweeps show of a job, as JSON values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from spa_widgets.session.figures import figure_text, readable_name
from spa_widgets.session.queue import CANCELLED, ENDED, FAILED, FINISHED, RUNNING
from spa_widgets.viewers.jobs.standing import standing
from spa_widgets.viewers.labels import in_japanese

_LOG_LINES = 80
_CURVE = ("corrected", "tight", "no_mask")
# events that the log leaves out: they are shown in other ways
_SILENT = ("picture", "figure", "iteration", "classes", "fsc")


def job_row(job: Any) -> dict[str, Any]:
    """Give name, title, state, progress and time of a job."""
    status = job.status
    running = status == RUNNING
    eta_s = job.eta_s if running else None
    return {
        "name": job.name, "title": job.step.title, "title_ja": in_japanese(job.step.title), "step": job.step.name,
        "status": status, "progress": round(float(job.progress), 3), "message": job.message if running else "",
        "eta_s": None if eta_s is None else round(eta_s), "error": job.error, "workspace": job.workspace,
        "seconds": None if job.seconds is None else round(job.seconds, 1),
        "bytes": disk_bytes(job.folder) if status in ENDED else 0,
        "parents": [f"J{number}" for number in sorted({ref["job"] for ref in job.inputs.values() if "job" in ref})],
        **standing(job, status),
    }  # fmt: skip


def has_ended(row: dict[str, Any]) -> bool:
    """Tell whether a row will not change by itself any more."""
    return row["status"] in ENDED


def disk_bytes(folder: Path) -> int:
    """Add up the sizes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def job_details(job: Any) -> dict[str, Any]:
    """Give what an open job shows: figures, pictures, curve, log, warnings, files, device, code."""
    events = job.events()
    status = job.status
    times = {event["name"]: event["time"] for event in events if event.get("kind") == "picture"}
    return {
        "name": job.name, "status": status, "code": job.code(), "error": job.error, "warnings": job.warnings[-5:],
        "figures": figure_rows(job.figures),
        "pictures": [
            {"name": name, "caption": caption, "time": times.get(name, 0.0)}
            for name, (path, caption) in job.pictures.items() if path.is_file()
        ],
        "curve": _curve(events), "log": _log(events), "stage": _stage(events), "device": _device(events),
        "files": _files(job) if status == FINISHED else [], "folder": str(job.folder),
        "can_resume": status in (FAILED, CANCELLED),
    }  # fmt: skip


def figure_rows(figures: dict[str, Any]) -> list[dict[str, str]]:
    """Give the words (English and Japanese) and the text of each figure that is one value."""
    rows = []
    for name, value in figures.items():
        if not isinstance(value, list | dict):
            words, unit = readable_name(name)
            rows.append(
                {"words": words, "words_ja": in_japanese(words), "text": f"{figure_text(value)} {unit}".strip()}
            )
    return rows


def _curve(events: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Give the newest FSC curve: spatial frequencies in 1/Å and correlations."""
    for event in reversed(events):
        if event.get("kind") == "fsc":
            name = next((name for name in _CURVE if name in event["curves"]), None)
            if name is not None:
                return {"x": event["frequency_per_A"], "y": event["curves"][name]}
        if event.get("kind") == "iteration" and event.get("fsc"):
            field_A = event["box_px"] * event["pixel_size_A"]
            return {"x": [shell / field_A for shell in range(len(event["fsc"]))], "y": event["fsc"]}
    return None


def _log(events: list[dict[str, Any]]) -> list[list[Any]]:
    """Give the last events as time and text."""
    lines: list[list[Any]] = []
    for event in events:
        kind = str(event.get("kind"))
        said = next((str(event[key]) for key in ("message", "name", "file", "device") if event.get(key)), "")
        text = said if kind in ("progress", "warning") else f"{kind}: {said}" if said else kind
        if kind not in _SILENT and text and not (lines and lines[-1][1] == text):
            lines.append([event.get("time", 0.0), text])
    return lines[-_LOG_LINES:]


def _stage(events: list[dict[str, Any]]) -> str:
    return next((str(event["name"]) for event in reversed(events) if event.get("kind") == "stage"), "")


def _device(events: list[dict[str, Any]]) -> str:
    return next((str(event["device"]) for event in reversed(events) if event.get("device")), "")


def _files(job: Any) -> list[dict[str, Any]]:
    """List the files of a result, those that the step declares first."""
    kinds = {output.file: output.kind for output in job.step.outputs}
    found = sorted(job.sizes.items(), key=lambda item: (item[0] not in kinds, item[0]))
    return [{"file": name, "kind": kinds.get(name, ""), "bytes": size} for name, size in found]
