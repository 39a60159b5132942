"""Write jobs with all that they need into a bundle."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from spa_widgets.io.archives import require_space
from spa_widgets.io.bundle import BundledJob, BundleWriter, Manifest, Missing
from spa_widgets.io.bundle.manifest import DECISIONS, FORMAT_VERSION, object_folder
from spa_widgets.session.bundle.contents import (
    Contents,
    gather,
    is_image_left_out,
    is_raw_left_out,
    left_out_text,
    total_bytes,
)
from spa_widgets.session.context import Cancelled
from spa_widgets.session.events import EVENTS_FILE
from spa_widgets.session.project import Project
from spa_widgets.session.provenance import versions
from spa_widgets.session.stored import RESULT_FILE, StoredObject

Progress = Callable[[int, int, str], None]
_JOB_NAME = re.compile(r"\bJ(\d+)\b")


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes
    ----------
    path : Path
        The bundle.
    bytes : int
        Its size.
    jobs : list of str
        Names of the jobs in it.
    files : int
        Number of files.
    left_out : list of (str, int)
        Name and size in bytes of each file that results mention and that is not in it.
    not_finished : list of str
        Jobs that were not finished, and so are not in it.
    """

    path: Path
    bytes: int
    jobs: list[str]
    files: int
    left_out: list[tuple[str, int]]
    not_finished: list[str]

    def __str__(self) -> str:
        """Say in a few lines what was written, and what is missing."""
        lines = [f"{self.path}: {len(self.jobs)} jobs, {self.files} files, {self.bytes / 1e6:.1f} MB"]
        if self.left_out:
            lines.append(left_out_text(self.left_out))
        if self.not_finished:
            lines.append(f"not finished, so not in it: {', '.join(self.not_finished)}")
        return "\n".join(lines)

    __repr__ = __str__


def export_bundle(
    project: Project,
    path: Path,
    jobs: Sequence[str | int] = (),
    micrographs: bool = True,
    stacks: bool = True,
    progress: Progress = lambda done, total, message: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Exported:
    """Write finished jobs, with all that they need, into one archive.

    Parameters
    ----------
    project
        The project.
    path
        The archive to make; it appears when it is whole.
    jobs
        Names or numbers of the jobs to take, with those that they use; all finished ones by default.
    micrographs, stacks
        Whether micrographs and stacks of particles travel too; what is left out is listed in the bundle.
    progress
        Told bytes done, bytes in all, and what is being written.
    is_cancelled
        Asked between pieces; True ends the export, and nothing is left behind.

    Raises
    ------
    UserError
        If a job is unknown or not finished, a file is damaged, or the bundle cannot be written.
    Cancelled
        If it was cancelled.
    """
    contents = gather(project, jobs)
    export = _Export(contents, not micrographs, not stacks)
    total = total_bytes(contents.results.values()) + sum(file.stat().st_size for file in contents.raw)

    def report(written: int, name: str) -> None:
        if is_cancelled():
            raise Cancelled("The export was cancelled; nothing was written.")
        progress(min(written, total), total, name.rsplit("/", 1)[-1])

    with BundleWriter(path, report) as writer:
        require_space(path.parent, export.needed_bytes())
        manifest = export.write(writer)
    return Exported(
        path, writer.bytes, [row.name for row in contents.rows], len(writer.members), manifest.lacks,
        [row.name for row in contents.skipped],
    )  # fmt: skip


class _Export:
    """One export: what is written, and what is noted on the way."""

    def __init__(self, contents: Contents, without_micrographs: bool, without_stacks: bool) -> None:
        self._contents = contents
        self._without = (without_micrographs, without_stacks)
        self._hashes = contents.project.store.hashes
        self._places = contents.places()
        self.missing: list[Missing] = []
        self.left_out = {
            f"{object_folder(key)}/{name}": int(result.result["files"][name]["bytes"])
            for key, result in contents.results.items()
            for name in result.result["files"]
            if self._lacks(result, name)
        }

    def needed_bytes(self) -> int:
        """Return about how large the bundle will be."""
        raw = sum(path.stat().st_size for path in self._contents.raw if not is_raw_left_out(path, *self._without))
        return total_bytes(self._contents.results.values()) - sum(self.left_out.values()) + raw

    def write(self, writer: BundleWriter) -> Manifest:
        """Write everything, the manifest last; return it."""
        for key, result in self._contents.results.items():
            self._write_result(writer, key, result)
        for path in self._contents.raw:
            self._write_raw(writer, path)
        self._write_history(writer)
        manifest = self._manifest(writer)
        writer.finish(manifest)
        return manifest

    def _lacks(self, result: StoredObject, name: str) -> bool:
        return is_image_left_out(result, name, *self._without) or not result.has(name)

    def _write_result(self, writer: BundleWriter, key: str, result: StoredObject) -> None:
        content = result.result
        files = dict(content["files"])
        for name in sorted(files):
            member = f"{object_folder(key)}/{name}"
            if member in self.left_out:
                continue
            writer.add_file(member, result.file(name), result.expected_sha256(name))
            files[name] = {"bytes": writer.members[member].bytes, "sha256": writer.members[member].sha256}
        text = result.as_published()
        if files != content["files"]:  # tables whose paths had been changed when they came out of another bundle
            text = json.dumps({**content, "files": files}, indent=1, ensure_ascii=False, allow_nan=False).encode()
        writer.add_bytes(f"{object_folder(key)}/{RESULT_FILE}", text)

    def _write_raw(self, writer: BundleWriter, path: Path) -> None:
        sha = self._hashes.sha256(path)
        paths = sorted({str(path), str(path.resolve())})
        if is_raw_left_out(path, *self._without):
            self.missing.append(Missing(paths=paths, bytes=path.stat().st_size, sha256=sha))
            return
        member = f"raw/{sha}/{path.name}"
        if member not in writer.members:
            writer.add_file(member, path, sha)
        self._places |= dict.fromkeys(paths, member)

    def _write_history(self, writer: BundleWriter) -> None:
        project, numbers = self._contents.project, {row.number for row in self._contents.rows}
        for row in self._contents.rows:
            events = project.path / "jobs" / row.folder_name / EVENTS_FILE
            if events.is_file():
                writer.add_bytes(f"history/{row.name}.jsonl", events.read_bytes())
        kept = [line for line in _lines(project.path / "decisions.jsonl") if _is_about(line, numbers)]
        writer.add_bytes(DECISIONS, b"".join(kept))

    def _manifest(self, writer: BundleWriter) -> Manifest:
        project = self._contents.project
        rows = self._contents.rows
        jobs = [
            BundledJob(
                number=row.number, workspace=row.workspace, step=row.step, spec=row.spec, device=row.device,
                key=str(row.key), created=row.created, started=row.started, ended=row.ended,
            )
            for row in rows
        ]  # fmt: skip
        used = {row.workspace for row in rows}
        return Manifest(
            kind="spa-bundle", format=FORMAT_VERSION, title=str(project.settings["title"]), created=time.time(),
            versions=versions(), workspaces=[(name, name) for name in project.queue.workspaces() if name in used],
            jobs=jobs, members=writer.members, places=self._places, missing=self.missing, left_out=self.left_out,
        )  # fmt: skip


def _lines(path: Path) -> list[bytes]:
    content = path.read_bytes() if path.is_file() else b""
    return [line for line in content.splitlines(keepends=True) if line.endswith(b"\n")]


def _is_about(line: bytes, numbers: set[int]) -> bool:
    """Tell whether a decision belongs to the project as a whole or to jobs that travel."""
    try:
        key = str(json.loads(line)["key"])
    except (ValueError, KeyError, TypeError):
        return False
    return {int(number) for number in _JOB_NAME.findall(key)} <= numbers
