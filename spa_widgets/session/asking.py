"""Ask for a job: the one asked for before, one whose result is in the store, or a new one in the queue."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.inputs import raw_signatures, with_named_images
from spa_widgets.session.keys import digest
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FINISHED, QUEUED, RUNNING, JobRow
from spa_widgets.session.registry import Step
from spa_widgets.session.spec import JobSpec, RawFiles, canonical_params, resolve, validate_spec
from spa_widgets.session.stored import StoredObject

DEVICES = ("auto", "cpu", "gpu")
# raw files with more unread bytes than this are hashed by the runner, so that asking never blocks
_READ_AT_ONCE_BYTES = 32 << 20
READ_ONLY_VARIABLE = "SPA_READ_ONLY"


@dataclass(frozen=True)
class Prepared:
    """A valid specification as the queue keeps it, and what makes two of them the same job."""

    step: Step
    spec: dict[str, Any]
    fingerprint: str


def prepare(step: Step, params: Mapping[str, Any], refs: Mapping[str, dict[str, Any]]) -> Prepared:
    """Validate parameters and the names of inputs.

    Raises
    ------
    UserError
        If one is wrong.
    """
    shallow = {name: RawFiles((Path("input"),)) for name in refs}
    _, validated = validate_spec(JobSpec(step.name, params, shallow))
    spec = {"step": step.name, "params": canonical_params(validated), "inputs": dict(refs)}
    plain = {name: {k: v for k, v in ref.items() if k != "pattern"} for name, ref in refs.items()}
    pieces = {"version": step.version, **spec, "inputs": plain, "raw": raw_signatures(refs, step)}
    return Prepared(step, spec, digest(pieces))


def check_device(device: object) -> str:
    """Make sure that a device is one that can be asked for, and return it.

    Raises
    ------
    UserError
        If it is not.
    """
    is_numbered = isinstance(device, str) and device.startswith("gpu:") and device[4:].isdecimal()
    if not isinstance(device, str) or not (device in DEVICES or is_numbered):
        raise UserError(f"device is {device!r}; expected one of {', '.join(DEVICES)}, or a GPU such as 'gpu:1'.")
    return device


def ask(project: Project, workspace: str, job: Prepared, device: str, ticket: str = "") -> JobRow:
    """Return the job that was asked for before, else a new one: finished when its result is in the store.

    Parameters
    ----------
    project
        The project.
    workspace, job, device
        What is asked for.
    ticket
        Number under which the engine service is asked for it; empty for the project's own runner.

    Raises
    ------
    UserError
        If the result is not there and ``SPA_READ_ONLY`` is set, or the project is only looked at: lookers-on see
        results, and compute nothing.
    """
    queue = project.queue
    look_only = bool(os.environ.get(READ_ONLY_VARIABLE) or project.settings.get("look_only"))
    known = queue.same(workspace, job.fingerprint)
    if known is not None and known.state in (QUEUED, RUNNING):
        return known
    if known is not None and known.state == FINISHED:
        if known.key is None or project.store.find(known.key, content=True) is None:
            _refuse_if(look_only, job)
            queue.update(known.number, state=QUEUED, ticket=ticket, cancel=0)  # its result was lost or damaged
        return row_of(project, known.number)
    found = _in_store(project, job.spec, read_all=look_only)
    _refuse_if(look_only and found is None, job)
    fields = {"state": FINISHED, "key": found.key, "reused": 1, "ended": time.time()} if found else {}
    row, is_new = queue.add(workspace, job.step.name, job.spec, job.fingerprint, device, ticket=ticket, **fields)
    if is_new and found:
        project.finish(row, found, reused=True)
    project.describe(row.number)
    return row


def _refuse_if(only_looks: bool, job: Prepared) -> None:
    if only_looks:
        raise UserError(
            f"{job.step.title} with these parameters has not been computed by the class, and here results are only "
            "looked at; take the class's parameters, or ask the instructor for an account that computes."
        )


def row_of(project: Project, number: int) -> JobRow:
    """Return a job of a project.

    Raises
    ------
    UserError
        If there is none of this number.
    """
    row = project.queue.get(number)
    if row is None:
        raise UserError(f"J{number} is not in the project {project.path}.")
    return row


def _in_store(project: Project, spec: dict[str, Any], read_all: bool = False) -> StoredObject | None:
    """Return the result of a specification when it is there and its key is cheap to know (or all may be read)."""
    raw = with_named_images(spec["inputs"])
    is_cheap = read_all or project.store.hashes.unknown_bytes(raw) <= _READ_AT_ONCE_BYTES
    if not is_cheap or not _inputs_finished(project, spec):
        return None
    return project.store.find(resolve(project.spec_of(spec), project.store).key, content=True)


def _inputs_finished(project: Project, spec: dict[str, Any]) -> bool:
    numbers = [int(ref["job"]) for ref in spec["inputs"].values() if "job" in ref]
    return all((needed := project.queue.get(number)) and needed.state == FINISHED for number in numbers)
