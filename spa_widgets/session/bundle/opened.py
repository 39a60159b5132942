"""Open a bundle as a project of one's own: its jobs and decisions are there, its results come from the archive."""

from __future__ import annotations

import glob
import json
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleCache, BundledJob, BundleFile
from spa_widgets.io.bundle.manifest import DECISIONS, result_member
from spa_widgets.session.asking import prepare
from spa_widgets.session.events import EVENTS_FILE
from spa_widgets.session.keys import digest
from spa_widgets.session.project import PROJECT_FILE, Project, link_file
from spa_widgets.session.queue import FINISHED, JobRow
from spa_widgets.session.registry import get_step


def project_of_bundle(path: Path | str, folder: Path | str | None = None, raw: str | Iterable[str] = ()) -> Project:
    """Make a project whose jobs, decisions and results are those of a bundle, or open it as it was left.

    Parameters
    ----------
    path
        The bundle.
    folder
        Folder of the project; by default one beside, named like the bundle. A project that is there keeps its own
        jobs, and the bundle stands behind it as a store of results.
    raw
        Patterns of raw files (micrographs) that are here and were left out of the bundle.

    Raises
    ------
    UserError
        If the bundle or the folder cannot be used: one sentence.
    """
    bundle = BundleFile.open(path)
    target = Path(folder).expanduser().absolute() if folder else Path.cwd() / bundle.path.stem
    if target == bundle.path:
        raise UserError(f"{target} is the bundle itself; give another folder for the project.")
    if not (target / PROJECT_FILE).exists():
        _make(bundle, target)
    project = Project.open(target, bundles=[bundle.path])
    patterns = [raw] if isinstance(raw, str) else list(raw)
    here = [Path(match) for pattern in patterns for match in glob.glob(str(Path(pattern).expanduser()))]
    files = [inner for path in here for inner in (sorted(path.iterdir()) if path.is_dir() else [path])]
    if files:
        for job in bundle.manifest.jobs[:1]:
            project.store.get(job.key).take_raw_files(files, project.store.hashes)
    return project


def _make(bundle: BundleFile, target: Path) -> None:
    """Make a project under another name, and give it its own when it is whole."""
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target} is there and is no project; choose another folder for the project.")
    part = target.with_name(f".{target.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        project = Project.open(part, title=bundle.manifest.title, bundles=[bundle.path])
        # the files' places under the name that the project will have
        cache = BundleCache.inside(target / project.settings["store"] / "bundles", bundle)
        for name, title in bundle.manifest.workspaces:
            project.queue.add_workspace(name, title)
        for job in bundle.manifest.jobs:
            _add(project, cache, job)
        if DECISIONS in bundle.manifest.members:
            (part / "decisions.jsonl").write_bytes(bundle.read(DECISIONS))
        project.queue.close()
        part.rename(target)
    except OSError as error:
        raise UserError(f"Cannot make the project {target}: {error.strerror}; choose a folder of yours.") from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _add(project: Project, cache: BundleCache, job: BundledJob) -> None:
    bundle = cache.bundle
    spec = _checked(job, bundle.path.name)
    for ref in spec["inputs"].values():
        if "files" in ref:
            ref["files"] = [cache.local(path) for path in ref["files"]]
            ref |= {"pattern": cache.local(str(ref["pattern"]))} if "pattern" in ref else {}
    row = JobRow(
        number=job.number, workspace=job.workspace, step=job.step, spec=spec,
        fingerprint=_fingerprint(bundle, job), device=job.device, state=FINISHED, key=job.key, error="", attempts=0,
        reused=True, cancel=False, created=job.created, started=job.started, ended=job.ended,
    )  # fmt: skip
    project.queue.restore(row)
    history = f"history/{row.name}.jsonl"
    if history in bundle.manifest.members:
        (project.folder(row) / EVENTS_FILE).write_bytes(_events(bundle.read(history)))
    project.describe(row.number)


def _events(content: bytes) -> bytes:
    """Return the events of a job, pictures by their names alone: a bundle shall not name files of this machine."""
    kept = []
    for line in content.splitlines():
        with suppress(ValueError, TypeError, RecursionError):
            event = json.loads(line)
            if isinstance(event, dict):
                event |= {"file": Path(str(event["file"])).name} if "file" in event else {}
                kept.append(json.dumps(event, ensure_ascii=False))
    return "".join(f"{line}\n" for line in kept).encode()


def _checked(job: BundledJob, bundle: str) -> dict[str, Any]:
    """Return a specification that has the form of those in the queue.

    Raises
    ------
    UserError
        If it has another one, or its step is unknown.
    """
    try:
        get_step(job.step)
    except UserError as error:
        raise UserError(f"{bundle} holds J{job.number} of the step {job.step!r}, unknown here; upgrade.") from error
    spec = job.spec
    inputs = spec.get("inputs")
    is_whole = spec.get("step") == job.step and isinstance(spec.get("params"), dict) and isinstance(inputs, dict)
    if not is_whole or not all(isinstance(ref, dict) and _is_ref(ref) for ref in (inputs or {}).values()):
        raise UserError(f"{bundle} has a damaged specification of J{job.number}; export the bundle again.")
    return {**spec, "inputs": {name: dict(ref) for name, ref in spec["inputs"].items()}}


def _is_ref(ref: dict[str, Any]) -> bool:
    if "files" in ref:
        return isinstance(ref["files"], list) and all(isinstance(path, str) for path in ref["files"])
    return isinstance(ref.get("file"), str) and (isinstance(ref.get("job"), int) or isinstance(ref.get("key"), str))


def _fingerprint(bundle: BundleFile, job: BundledJob) -> str:
    """Return what tells that a job is asked for again.

    One of raw files is recognised by its key instead; one that another version of the step made is not the same job.
    """
    step, refs = get_step(job.step), job.spec["inputs"]
    with suppress(UserError, ValueError, KeyError, TypeError):
        made_by = json.loads(bundle.read(result_member(job.key)))["version"]
        if made_by == step.version and not any("files" in ref for ref in refs.values()):
            return prepare(step, job.spec["params"], refs).fingerprint
    return digest(["bundle", job.number, job.key])


def unpack_project(project: Project, progress: Callable[[int, int, str], None]) -> None:
    """Lay out every file of every finished job in the job's folder, for programs that read files."""
    rows = project.queue.jobs(states=(FINISHED,))
    for done, row in enumerate(rows):
        progress(done, len(rows), f"{row.name} {row.step}")
        for name, path in project.store.get(str(row.key)).files.items():
            link_file(path, project.folder(row) / name)
