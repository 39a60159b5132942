"""Where jobs stand among those of others: place in the line, who computed a result, the queue that everybody sees."""

from __future__ import annotations

import os
import pwd
from typing import Any

from spa_widgets.session.queue import FINISHED, QUEUED
from spa_widgets.session.registry import get_step
from spa_widgets.viewers.labels import in_japanese

_SHOWN = 50


def standing(job: Any, status: str) -> dict[str, Any]:
    """Give place and wait of a job that waits, and of one that is finished who computed it and the seconds saved."""
    origin, saved_s = job.computed if status == FINISHED else ("", None)
    waits = status == QUEUED
    return {
        "position": job.position if waits else None, "expected_wait_s": job.expected_wait_s if waits else None,
        "origin": origin, "saved_s": None if saved_s is None else round(saved_s, 1),
    }  # fmt: skip


def class_queue(session: Any) -> dict[str, Any]:
    """Give what an engine service does for everybody; empty for a session that computes by itself."""
    if session.service is None:
        return {}
    board, me = session.service.board(), _own_name()
    waiting = board.get("waiting", [])
    return {
        "is_alive": session.service.is_alive(),
        "running": [_entry(job, me) for job in board.get("running", [])],
        "waiting": [_entry(job, me) for job in waiting[:_SHOWN]],
        "more": max(len(waiting) - _SHOWN, 0),
    }


def _own_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return f"user {os.geteuid()}"


def _entry(job: dict[str, Any], me: str) -> dict[str, Any]:
    title = get_step(job["step"]).title
    return {
        "title": title, "title_ja": in_japanese(title), "users": list(job["users"]), "is_mine": me in job["users"],
        "expected_wait_s": job.get("expected_wait_s"),
    }  # fmt: skip
