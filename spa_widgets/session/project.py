"""A project: a folder with jobs, decisions, the queue and a store, opened by sessions and by the runner.

Layout::

    project.json                    title, store, class store
    decisions.jsonl                 every click that counts
    jobs/J12-classify_2d/           files of the result (links into the store), job.json, events.jsonl
    .spa/queue.sqlite  .spa/store/  .spa/runner.lock  .spa/runner.log
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.queue import FINISHED, JobRow, Queue
from spa_widgets.session.spec import JobInput, JobSpec, RawFiles, StoredFile
from spa_widgets.session.store import Store
from spa_widgets.session.stored import StoredObject
from spa_widgets.session.tickets import SERVICE_VARIABLE, ServicePlace
from spa_widgets.session.whole import write_json

PROJECT_FILE = "project.json"
FORMAT_VERSION = 1
STORE_VARIABLE = "SPA_STORE"
CLASS_STORE_VARIABLE = "SPA_CLASS_STORE"


@dataclass(frozen=True)
class Project:
    """An open project folder."""

    path: Path

    @classmethod
    def open(
        cls,
        path: Path | str,
        title: str | None = None,
        store: Path | str | None = None,
        class_store: Path | str | None = None,
        service: Path | str | None = None,
        bundles: Sequence[Path] = (),
        look_only: bool = False,
    ) -> Project:
        """Open a project, making it when the folder has none.

        Parameters
        ----------
        path
            The folder.
        title
            A name for people; the folder's name by default.
        store
            Where results go: by default the folder that ``SPA_STORE`` names, else inside the project.
        class_store
            A store of shared results to look in, never to write; by default that of the service, else the one that
            ``SPA_CLASS_STORE`` names.
        service
            Folder of the engine service that computes; by default the one that ``SPA_SERVICE`` names.
        bundles
            Bundles whose results stand behind the project, besides those opened before.
        look_only
            Compute nothing here, from now on: results are looked at.

        Raises
        ------
        UserError
            If the folder cannot be made or read, or was made by a later version of the program.
        """
        project = cls(Path(path).expanduser().absolute())
        file = project.path / PROJECT_FILE
        try:
            (project.path / ".spa").mkdir(parents=True, exist_ok=True)
            (project.path / "jobs").mkdir(exist_ok=True)
            settings = project._stored_settings() if file.exists() else {}
        except OSError as error:
            raise UserError(
                f"Cannot open the project {project.path}: {error.strerror}; choose a folder of yours."
            ) from error
        if settings and not os.access(project.path / ".spa", os.W_OK):
            raise UserError(
                f"{project.path} is a project that you may only read; look at it with Session.look_at({str(path)!r})."
            )
        place = _service_setting(service, settings)
        if place and not class_store:
            class_store = ServicePlace.open(place).store
        class_store = class_store or settings.get("class_store") or os.environ.get(CLASS_STORE_VARIABLE)
        wanted = {
            "format": FORMAT_VERSION,
            "title": title or settings.get("title") or project.path.name,
            "created": settings.get("created") or time.time(),
            "store": _store_setting(store, settings),
            "class_store": str(Path(class_store).absolute()) if class_store else None,
            **({"service": place} if place else {}),
            **({"bundles": behind} if (behind := _bundles(settings, bundles)) else {}),
            **({"look_only": True} if look_only or settings.get("look_only") else {}),
        }
        if wanted != settings:
            write_json(file, wanted)
        return project

    def _stored_settings(self) -> dict[str, Any]:
        try:
            settings = json.loads((self.path / PROJECT_FILE).read_text(encoding="utf-8"))
            version = int(settings["format"])
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(f"{self.path / PROJECT_FILE} is damaged; restore it, or choose another folder.") from error
        if version > FORMAT_VERSION:
            raise UserError(f"{self.path} was made by a later version of spa-widgets (format {version}); upgrade it.")
        return dict(settings)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """Content of ``project.json``."""
        return self._stored_settings()

    @cached_property
    def store(self) -> Store:
        """The project's store, with the class store and bundles behind it."""
        shared = self.settings.get("class_store")
        behind = [*([shared] if shared else []), *self.settings.get("bundles", [])]
        return Store.open(self.path / self.settings["store"], behind)

    @cached_property
    def service(self) -> ServicePlace | None:
        """The engine service that computes for the project, if any."""
        place = self.settings.get("service")
        return ServicePlace.open(place) if place else None

    @cached_property
    def queue(self) -> Queue:
        """Jobs and workspaces."""
        return Queue(self.path / ".spa" / "queue.sqlite")

    @property
    def runner_lock(self) -> Path:
        """The file whose lock the runner holds."""
        return self.path / ".spa" / "runner.lock"

    @property
    def runner_log(self) -> Path:
        """What the runner printed."""
        return self.path / ".spa" / "runner.log"

    def folder(self, row: JobRow) -> Path:
        """Return the folder of a job, making it."""
        folder = self.path / "jobs" / row.folder_name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def spec(self, row: JobRow) -> JobSpec:
        """Turn a queued specification into one with keys.

        Raises
        ------
        UserError
            If a job that it needs is unknown or has no result.
        """
        return self.spec_of(row.spec)

    def spec_of(self, spec: Mapping[str, Any]) -> JobSpec:
        """Turn a specification as the queue keeps it into one with keys (see `spec`)."""
        inputs: dict[str, JobInput] = {name: self._input(ref) for name, ref in spec["inputs"].items()}
        return JobSpec(spec["step"], spec["params"], inputs)

    def _input(self, ref: Mapping[str, Any]) -> JobInput:
        if "files" in ref:
            return RawFiles(tuple(Path(path) for path in ref["files"]))
        if "key" in ref:
            return StoredFile(ref["key"], ref["file"])
        needed = self.queue.get(int(ref["job"]))
        if needed is None or needed.state != FINISHED or needed.key is None:
            raise UserError(f"J{ref['job']}, whose result is needed, is not finished; run it first.")
        return StoredFile(needed.key, ref["file"])

    def finish(self, row: JobRow, found: StoredObject, reused: bool) -> None:
        """Show a result in the job's folder and mark the job finished."""
        folder = self.folder(row)
        link_result(found, folder)
        self.queue.update(row.number, state=FINISHED, key=found.key, reused=int(reused), error="", ended=time.time())
        self.describe(row.number)

    def describe(self, number: int) -> None:
        """Write ``job.json``: the job as a person or a script may want to read it."""
        row = self.queue.get(number)
        if row is not None:
            facts = {name: getattr(row, name) for name in ("name", "workspace", "step", "state", "key", "error", "spec",
                     "device", "reused", "created", "started", "ended")}  # fmt: skip
            write_json(self.folder(row) / "job.json", facts)


def _store_setting(store: Path | str | None, settings: Mapping[str, Any]) -> str:
    if store is not None:
        return str(Path(store).expanduser().absolute())
    if settings.get("store"):
        return str(settings["store"])
    return os.environ.get(STORE_VARIABLE) or ".spa/store"


def _bundles(settings: Mapping[str, Any], more: Sequence[Path]) -> list[str]:
    return list(dict.fromkeys([*settings.get("bundles", []), *(str(Path(path).absolute()) for path in more)]))


def _service_setting(service: Path | str | None, settings: Mapping[str, Any]) -> str | None:
    wanted = service or settings.get("service") or os.environ.get(SERVICE_VARIABLE)
    return str(Path(wanted).expanduser().absolute()) if wanted else None


def link_result(found: StoredObject, folder: Path) -> None:
    """Show the files of a result in a folder: hard links where the file system allows them, else symbolic ones."""
    for name, source in found.shown().items():
        link_file(source, folder / name)


def link_file(source: Path, target: Path) -> None:
    """Show a file under another name: a hard link where the file system allows it, else a symbolic one."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}.link")
    part.unlink(missing_ok=True)
    try:
        os.link(source, part)
    except OSError:
        part.symlink_to(source)
    part.replace(target)
    part.unlink(missing_ok=True)  # renaming one hard link of a file onto another does nothing
