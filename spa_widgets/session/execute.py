"""Run one job to its end: in this process, from its last checkpoint if there is one, into the store."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.arrays import resolve_device
from spa_widgets.errors import UserError
from spa_widgets.session.context import Cancelled, EventSink, JobContext, Spread
from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.lease import Lease, lease
from spa_widgets.session.provenance import device_description, plain, versions
from spa_widgets.session.spec import JobSpec, ResolvedJob, canonical_params, resolve
from spa_widgets.session.store import Store
from spa_widgets.session.stored import StoredObject
from spa_widgets.session.unchanged import RawFilesAtStart

REPORT_FILE = "report.json"
LIVE_FOLDER = "live"
ATTEMPT_PREFIX = "out-"
"""Folders of unfinished results begin with it."""
_TEXT_SUFFIXES = (".star", ".csv", ".json", ".txt")


def execute(
    spec: JobSpec,
    store: Store,
    device: str = "auto",
    on_event: EventSink = lambda event: None,
    is_cancelled: Callable[[], bool] = lambda: False,
    spread: Spread | None = None,
) -> str:
    """Run a job unless its result is there; return its key.

    A job that was killed or cancelled goes on from its last checkpoint. When another process is at the same job, its
    result is waited for.

    Parameters
    ----------
    spec
        What to run.
    store
        Where inputs are found and the result is published.
    device
        ``"cpu"``, ``"gpu"`` or ``"auto"``.
    on_event
        Takes each event (progress, figures, stages, warnings …) as a dictionary.
    is_cancelled
        Asked at each progress report.
    spread
        Maps chunks of particles over several workers (see `JobContext`).

    Returns
    -------
    str
        Key of the result.

    Raises
    ------
    UserError, ValueError
        If the specification, an input or a parameter is wrong: one sentence for the user.
    Cancelled
        If the job was cancelled.
    """
    with disk_in_words(store.path):
        job = resolve(spec, store, on_file=lambda path: _say(on_event, "reading", file=path.name))
        if _found(job, store, on_event):
            return job.key
        kind = resolve_device(device)
        while not _made(job, store, kind, on_event, is_cancelled, spread):
            pass
    return job.key


def _made(
    job: ResolvedJob,
    store: Store,
    device: str,
    on_event: EventSink,
    is_cancelled: Callable[[], bool],
    spread: Spread | None,
) -> StoredObject | None:
    """Make a result under a lease, or wait for it; None when this process was taken for dead and lost the lease."""
    with lease(store.work_folder(job.key), is_cancelled, lambda: store.find(job.key) is not None, on_event) as held:
        if found := _found(job, store, on_event):
            return found
        try:
            return _run(job, store, device, on_event, lambda: is_cancelled() or held.is_lost.is_set(), held, spread)
        except Exception:
            if held.is_ours() or is_cancelled():
                raise
    return None


def _found(job: ResolvedJob, store: Store, on_event: EventSink) -> StoredObject | None:
    found = store.find(job.key)
    if found is not None:
        seconds = found.result.get("seconds", 0.0)
        _say(on_event, "reused", key=job.key, class_store=found.read_only_store, seconds_saved=seconds)
        if not found.read_only_store:  # left by one who was killed when all was done
            shutil.rmtree(store.path / "work" / job.key, ignore_errors=True)
    return found


def _run(
    job: ResolvedJob,
    store: Store,
    device: str,
    on_event: EventSink,
    is_cancelled: Callable[[], bool],
    held: Lease,
    spread: Spread | None,
) -> StoredObject:
    work = store.work_folder(job.key)
    for attempt in work.glob(f"{ATTEMPT_PREFIX}*"):
        shutil.rmtree(attempt, ignore_errors=True)  # half-written files of a killed attempt
    # a folder of this attempt's own: one that was taken for dead and wakes up later cannot write into it
    out = work / f"{ATTEMPT_PREFIX}{held.token[:8]}"
    context = JobContext(
        step=job.step.name,
        params=job.params,
        inputs=job.inputs,
        out=out,
        work=work,
        device=device,
        on_event=lambda event: on_event(plain(event)),
        is_cancelled=is_cancelled,
        spread=spread,
    )
    resumed = any(work.rglob("*.npz"))
    started, raw_files = time.time(), RawFilesAtStart(job, store)
    context.event("resumed" if resumed else "started", key=job.key, device=device)
    try:
        raw_files.require_as_imported()
        _say_what_looks_wrong(job, context)
        job.step.load()(context)
        context.check_cancelled()
        raw_files.require_unchanged(work)
        published = _publish(job, store, context, {**_report(job, context, started, resumed), **raw_files.record()})
    except BaseException as error:
        shutil.rmtree(out, ignore_errors=True)  # of no use to the next attempt, and the disk may be full
        if isinstance(error, MemoryError):
            raise UserError(_memory_sentence(job.step.name, device, error)) from error
        raise
    if held.is_ours():
        shutil.rmtree(work, ignore_errors=True)
    context.event("published", key=job.key, seconds=published.result["seconds"])
    return published


def _say_what_looks_wrong(job: ResolvedJob, context: JobContext) -> None:
    from spa_widgets.guard.before import findings_at_start  # a session that only looks starts without pandas

    for each in findings_at_start(job.step.name, job.params, job.inputs):
        context.warn(each)


def _memory_sentence(step: str, device: str, error: MemoryError) -> str:
    there = "the GPU has" if device == "gpu" else "there is"
    other = ", or device 'cpu'" if device == "gpu" else ""
    return f"{step} needs more memory than {there} ({error}); use a smaller box or fewer classes{other}."


def _publish(job: ResolvedJob, store: Store, context: JobContext, report: dict[str, Any]) -> StoredObject:
    out = context.out
    _require_outputs(job, out)
    live = context.work / LIVE_FOLDER
    if live.is_dir():  # the last pictures are part of the result; a copy, as this attempt may yet be killed
        shutil.copytree(live, out / LIVE_FOLDER, ignore=shutil.ignore_patterns(".*"))
    (out / REPORT_FILE).write_text(json.dumps(report, indent=1, ensure_ascii=False, allow_nan=False), encoding="utf-8")
    _settle_paths(out, store.object_path(job.key))
    return store.publish(job.key, out, {**report, "pieces": job.pieces, "raw_paths": list(job.raw_paths)})


def _require_outputs(job: ResolvedJob, out: Path) -> None:
    missing = [item.file for item in job.step.outputs if not item.optional and not (out / item.file).is_file()]
    if missing:
        raise RuntimeError(f"The step {job.step.name} ended without writing {', '.join(missing)}.")


def _report(job: ResolvedJob, context: JobContext, started: float, resumed: bool) -> dict[str, Any]:
    ended = time.time()
    report = {
        "step": job.step.name,
        "title": job.step.title,
        "version": job.step.version,
        "key": job.key,
        "parameters": canonical_params(job.params),
        "inputs": {name: [str(path) for path in paths] for name, paths in job.inputs.items()},
        "device": device_description(context.device),
        "versions": versions(),
        "started": started,
        "ended": ended,
        "seconds": ended - started,
        "stages_s": context.stages,
        "resumed": resumed,
        "figures": context.figures,
        "warnings": context.warnings,
    }
    result: dict[str, Any] = plain(report)
    return result


def _settle_paths(out: Path, final: Path) -> None:
    """Let tables name their images where these will be once the folder is published."""
    old, new = str(out).encode(), str(final).encode()
    for path in out.rglob("*"):
        if path.suffix in _TEXT_SUFFIXES and path.is_file():
            content = path.read_bytes()
            if old in content:
                path.write_bytes(content.replace(old, new))


def _say(on_event: EventSink, kind: str, **content: Any) -> None:
    on_event({"kind": kind, "time": time.time(), **content})


__all__ = ["REPORT_FILE", "Cancelled", "execute"]
