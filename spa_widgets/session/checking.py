"""What looks wrong about a job before it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.guard.before import findings_before
from spa_widgets.guard.finding import Finding
from spa_widgets.session.params import validate_params
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FINISHED
from spa_widgets.session.registry import Step


def check_job(
    project: Project, step: Step, refs: Mapping[str, Mapping[str, Any]], params: Mapping[str, Any]
) -> list[Finding]:
    """Return what the guard says about a job from a small part of its data.

    Parameters
    ----------
    project
        Where the inputs are found.
    step
        The step.
    refs
        Its inputs as the queue keeps them; those that are not computed yet are not looked at.
    params
        Its parameters.

    Raises
    ------
    UserError
        If a parameter is wrong.
    """
    found = {name: _files(project, ref) for name, ref in refs.items()}
    files = {name: paths for name, paths in found.items() if paths}
    return findings_before(step.name, validate_params(step.params, dict(params), step.name), files)


def _files(project: Project, ref: Mapping[str, Any]) -> list[Path]:
    if "files" in ref:
        return [Path(path) for path in ref["files"]]
    key = ref.get("key")
    if key is None:
        row = project.queue.get(int(ref["job"]))
        key = row.key if row is not None and row.state == FINISHED else None
    if key is None:
        return []
    try:
        return [project.store.get(key).file(ref["file"])]
    except UserError:  # lost since
        return []
