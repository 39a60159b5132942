"""Look at another's project, or at a bundle, that is not to be changed: its results as they are, its jobs copied.

A session works in a project of its own. For a looker-on that is a temporary one: the other's finished jobs, history and
decisions are copied into it, the other's store stands behind it, and nothing is computed. So every widget opens, may be
clicked at will, and nothing of the other's is ever written, even where file permissions would allow it.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.bundle.opened import project_of_bundle
from spa_widgets.session.events import EVENTS_FILE
from spa_widgets.session.project import PROJECT_FILE, Project
from spa_widgets.session.queue import ENDED, FINISHED, JobRow, Queue

_MOST_TRIES = 20


def project_to_look_at(path: Path | str, folder: Path) -> Project:
    """Make a project in a folder that shows another project, or a bundle, and computes nothing.

    Raises
    ------
    UserError
        If there is none, or it may not be read.
    """
    source = Path(path).expanduser().absolute()
    if source.is_file():
        return Project.open(project_of_bundle(source, folder / "project").path, look_only=True)
    if not (source / PROJECT_FILE).is_file():
        raise UserError(f"{source} is neither a project nor a bundle; give the folder of a project, or a .spa file.")
    theirs = Project(source)
    shared = theirs.settings.get("class_store")
    behind = [*([Path(shared)] if shared else []), *(Path(path) for path in theirs.settings.get("bundles", []))]
    project = Project.open(
        folder / "project", title=str(theirs.settings["title"]), class_store=source / theirs.settings["store"],
        bundles=behind, look_only=True, store=folder / "store",
    )  # fmt: skip
    with suppress(FileNotFoundError):
        shutil.copyfile(source / "decisions.jsonl", project.path / "decisions.jsonl")
    copy_new_jobs(source, project)
    return project


def copy_new_jobs(source: Path, project: Project) -> None:
    """Copy the ended jobs of another project that are not in this one yet, with their history."""
    rows, workspaces = _read_queue(source / ".spa" / "queue.sqlite")
    known = {row.number for row in project.queue.jobs()}
    for name in workspaces:
        project.queue.add_workspace(name)
    for row in rows:
        if row.number in known or row.state not in ENDED:
            continue
        project.queue.restore(replace(row, reused=True, ticket=""))
        with suppress(FileNotFoundError):
            shutil.copyfile(source / "jobs" / row.folder_name / EVENTS_FILE, project.folder(row) / EVENTS_FILE)
        if row.state == FINISHED:
            project.describe(row.number)


def _read_queue(file: Path) -> tuple[list[JobRow], list[str]]:
    """Read a queue that may not be written, from a copy: SQLite itself would make files beside it."""
    with tempfile.TemporaryDirectory(prefix="spa-queue-") as folder:
        copied = Path(folder) / file.name
        try:
            _copy_unchanged([file, file.with_name(f"{file.name}-wal")], copied.parent)
        except FileNotFoundError:
            return [], []
        except OSError as error:
            raise UserError(f"{file} may not be read ({error.strerror}); ask its owner for read permission.") from error
        queue = Queue(copied)
        found = queue.jobs(), queue.workspaces()
        queue.close()
    return found


def _copy_unchanged(files: list[Path], folder: Path) -> None:
    """Copy files that belong together in one state: again when one changed while they were copied."""
    for _ in range(_MOST_TRIES):
        before = [_state(file) for file in files]
        for file in files:
            if file == files[0] or file.exists():
                shutil.copyfile(file, folder / file.name)
        if before == [_state(file) for file in files]:
            return
    raise UserError(f"{files[0].parent.parent} changes all the time; look at it again in a moment.")


def _state(file: Path) -> tuple[int, int] | None:
    with suppress(FileNotFoundError):
        found = file.stat()
        return found.st_size, found.st_mtime_ns
    return None
