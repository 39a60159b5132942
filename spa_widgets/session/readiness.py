"""Whether a queued job can start: its specification is valid, what it needs is finished, a device suits it."""

from __future__ import annotations

from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.queue import CANCELLED, FAILED, FINISHED, JobRow, Queue
from spa_widgets.session.spec import JobSpec, RawFiles, validate_spec


def is_ready(queue: Queue, row: JobRow, gpus: int) -> bool:
    """Validate a specification and tell whether all that it needs is finished.

    Parameters
    ----------
    queue
        Where the jobs that it needs are.
    row
        The job.
    gpus
        How many GPUs there are.

    Raises
    ------
    UserError
        If the specification is wrong, no device suits it, or an input will never be there.
    """
    refs = row.spec.get("inputs", {})
    shallow = {name: RawFiles((Path("input"),)) for name in refs}
    validate_spec(JobSpec(row.step, row.spec.get("params", {}), shallow))
    if row.device.startswith("gpu"):
        _require_gpu(row.device, gpus)
    states = [_state_of(queue, int(ref["job"])) for ref in refs.values() if "job" in ref]
    for name, state in states:
        if state in (FAILED, CANCELLED):
            raise UserError(f"{name}, whose result is needed, {'failed' if state == FAILED else 'was cancelled'}.")
    return all(state == FINISHED for _, state in states)


def _require_gpu(device: str, gpus: int) -> None:
    if not gpus:
        raise UserError("A GPU was asked for, but this machine has none; use device 'cpu' or 'auto'.")
    number = device.removeprefix("gpu").removeprefix(":")
    if number and int(number) >= gpus:
        raise UserError(f"{device} was asked for, but this machine has gpu:0 to gpu:{gpus - 1}.")


def _state_of(queue: Queue, number: int) -> tuple[str, str]:
    needed = queue.get(number)
    if needed is None:
        raise UserError(f"J{number}, whose result is needed, does not exist in this project.")
    return needed.name, needed.state
