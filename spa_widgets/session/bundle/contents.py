"""What goes into a bundle: chosen jobs, all that they need, and the files that their results mention."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.io.bundle.manifest import object_folder
from spa_widgets.session.files import referred_files
from spa_widgets.session.project import Project
from spa_widgets.session.queue import FINISHED, JobRow
from spa_widgets.session.registry import get_step
from spa_widgets.session.stored import StoredObject

_STACKS = (".mrcs", ".st")
_IMAGES = (".mrc", ".tif", ".tiff", ".eer", ".gain", *_STACKS)
_MICROGRAPHS = ("micrographs", "movies")


@dataclass
class Contents:
    """What a bundle will hold.

    Attributes
    ----------
    rows
        The jobs, oldest first.
    results
        Their results, and those of other projects that they use, by key.
    raw
        Raw files that results mention.
    skipped
        Jobs of the project that are not finished.
    """

    project: Project
    rows: list[JobRow]
    skipped: list[JobRow]
    results: dict[str, StoredObject] = field(default_factory=dict)
    raw: list[Path] = field(default_factory=list)

    def places(self) -> dict[str, str]:
        """Return the paths under which results are mentioned, and their folders in the bundle."""
        store = self.project.store
        found: dict[str, str] = {}
        for key, result in self.results.items():
            folders = [result.path, *(root / object_folder(key) for root in (store.path, *store.behind))]
            for folder in folders:
                found |= {str(folder): object_folder(key), str(folder.resolve()): object_folder(key)}
        for row in self.rows:
            folder = self.project.path / "jobs" / row.folder_name
            found |= {str(path): object_folder(str(row.key)) for path in (folder, folder.resolve())}
        return found


def gather(project: Project, jobs: Sequence[str | int] = ()) -> Contents:
    """Collect chosen finished jobs (all by default) with every job and file that they need.

    Raises
    ------
    UserError
        If a job is unknown or not finished, or a result is lost.
    """
    rows = {row.number: row for row in project.queue.jobs()}
    wanted = [_row(rows, name) for name in jobs] or [row for row in rows.values() if row.state == FINISHED]
    if not wanted:
        raise UserError(f"{project.path} has no finished job; run one before exporting.")
    contents = Contents(project, [], [] if jobs else [row for row in rows.values() if row.state != FINISHED])
    queue, seen, raw = list(wanted), set[int](), dict[Path, None]()
    while queue:
        row = queue.pop()
        if row.number in seen:
            continue
        seen.add(row.number)
        found = project.store.get(str(row.key))
        contents.results[found.key] = found
        for path in [*_given(row), *_mentioned(found)]:
            if (number := _job_of(project, path)) is not None and number in rows:
                queue.append(rows[number])
            elif not _is_result(project, contents, path) and path.is_file():
                raw[path] = None
        queue += [rows[number] for number in _parents(project, row, contents) if number in rows]
    contents.rows = [rows[number] for number in sorted(seen)]
    contents.raw = sorted(raw)
    return contents


def is_image_left_out(result: StoredObject, name: str, without_micrographs: bool, without_stacks: bool) -> bool:
    """Tell whether a file of a result is a micrograph or a stack of particles that shall be left out."""
    path = Path(name)
    if path.suffix.lower() not in _IMAGES:
        return False
    kinds = {output.file: output.kind for output in get_step(result.result["step"]).outputs}
    is_micrograph = path.parts[0] in _MICROGRAPHS
    return (is_micrograph and without_micrographs) or (kinds.get(name) == "images" and without_stacks)


def is_raw_left_out(path: Path, without_micrographs: bool, without_stacks: bool) -> bool:
    """Tell whether a raw file is an image that shall be left out; tables always travel."""
    suffix = path.suffix.lower()
    return (suffix in _STACKS and without_stacks) or (
        suffix in _IMAGES and suffix not in _STACKS and without_micrographs
    )


def _row(rows: dict[int, JobRow], name: str | int) -> JobRow:
    text = str(name).strip().removeprefix("J")
    row = rows.get(int(text)) if text.isdecimal() else None
    if row is None:
        last = f"J1 to {list(rows.values())[-1].name}" if rows else "none yet"
        raise UserError(f"There is no job {name!r} in this project; there are {last}.")
    if row.state != FINISHED:
        raise UserError(f"{row.name} ({row.step}) is {row.state}; only finished jobs are exported: wait or leave it.")
    return row


def _given(row: JobRow) -> list[Path]:
    return [Path(path) for ref in row.spec["inputs"].values() for path in ref.get("files", ())]


def _parents(project: Project, row: JobRow, contents: Contents) -> list[int]:
    """Return the jobs that a job uses; results of other projects that it uses are noted at once."""
    for ref in row.spec["inputs"].values():
        if "key" in ref and ref["key"] not in contents.results:
            contents.results[ref["key"]] = project.store.get(ref["key"])
    return [int(ref["job"]) for ref in row.spec["inputs"].values() if "job" in ref]


def _mentioned(found: StoredObject) -> list[Path]:
    """List the images that the tables of a result name, and the raw files that it was made from."""
    tables = [found.file(name) for name in found.result["files"] if name.endswith(".star")]
    paths = [path for table in tables for _, path in referred_files(table)]
    return [*paths, *(Path(path) for path in found.result.get("raw_paths", ()))]


def _job_of(project: Project, path: Path) -> int | None:
    """Return the number of the job in whose folder of the project a path lies."""
    for folder in (project.path / "jobs", (project.path / "jobs").resolve()):
        if path.is_relative_to(folder):
            number = path.relative_to(folder).parts[0].partition("-")[0].removeprefix("J")
            return int(number) if number.isdecimal() else None
    return None


def _is_result(project: Project, contents: Contents, path: Path) -> bool:
    """Tell whether a path lies in a result of the store, and note that result."""
    parts = path.parts
    for place in (index for index, part in enumerate(parts[:-2]) if part == "objects"):
        key = parts[place + 2]
        if len(key) == 64 and (found := project.store.find(key)) is not None:
            contents.results.setdefault(key, found)
            return True
    return False


def left_out_text(files: Sequence[tuple[str, int]]) -> str:
    """Say how many files were left out of a bundle, their size, and some of their names."""
    names = ", ".join(name for name, _ in files[:3]) + (", …" if len(files) > 3 else "")
    return f"left out: {len(files)} files, {sum(size for _, size in files) / 1e6:.1f} MB ({names})"


def total_bytes(results: Iterable[StoredObject]) -> int:
    """Add up the sizes of the files of results."""
    return sum(int(facts["bytes"]) for result in results for facts in result.result["files"].values())
