"""Raw files that change: a job's key promises the content that they had when they were imported, and when it began.

Files are those given to the job, and those that the tables given to it name (stacks, micrographs). Each result says
which raw files its key was made of, so that a file that is replaced later is noticed by the jobs that follow.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.named_images import named_images
from spa_widgets.session.files import stat_signature
from spa_widgets.session.spec import ResolvedJob
from spa_widgets.session.store import Store

_CONTENTS = "raw_contents"
# of these kinds of input the images are read; a table of picks names micrographs that another input brings
_KINDS_WITH_IMAGES = ("particles", "micrographs")

Signature = tuple[int, int]


class RawFilesAtStart:
    """What raw files looked like when a job began.

    Parameters
    ----------
    job
        The job.
    store
        Where its inputs come from.
    """

    def __init__(self, job: ResolvedJob, store: Store) -> None:
        self._job = job
        self._store = store
        self._named = _images_outside(job, store)
        # contents: what lies beside a raw file and is read with it, such as the tables of raw 2D classes
        self._paths = list(dict.fromkeys([*job.raw_paths, *self._named, *job.contents]))
        self._before = {path: _signature(path) for path in self._paths}

    def record(self) -> dict[str, Any]:
        """Return what the result says of the raw files in its key: size, time of change and SHA-256 by path."""
        known = {path: self._before[path] for path in self._job.contents}
        return {_CONTENTS: {path: [*facts, self._job.contents[path]] for path, facts in known.items() if facts}}

    def require_as_imported(self) -> None:
        """Make sure that images are still those that the jobs before were made from.

        Only a file whose size or time of change is another one is read again; one that was copied or touched passes.

        Raises
        ------
        UserError
            If one was replaced: one sentence that names it.
        """
        outside = [path for path in self._named if path not in self._job.contents]
        if not outside:
            return
        promised = self._promised()
        replaced = [path for path in outside if path in promised and not self._is_one_of(path, promised[path])]
        if replaced:
            raise UserError(
                f"{replaced[0]}{_more(replaced)} was replaced after it was imported, so the result would mix two "
                "contents; put the old file back, or import the new one and go on from there."
            )

    def _promised(self) -> dict[str, list[list[Any]]]:
        """Collect what all jobs that lead here recorded."""
        found: dict[str, list[list[Any]]] = defaultdict(list)
        seen: set[str] = set()
        keys = _jobs_before(self._job.pieces)
        while keys:
            key = keys.pop()
            if key in seen:
                continue
            seen.add(key)
            result = self._store.find(key)
            if result is not None:
                for path, facts in result.result.get(_CONTENTS, {}).items():
                    found[path].append(facts)
                keys += _jobs_before(result.result.get("pieces", {}))
        return found

    def _is_one_of(self, path: str, promised: list[list[Any]]) -> bool:
        facts = self._before[path]
        if facts is None or any(facts == (size, changed) for size, changed, _ in promised):
            return True  # of one that vanished the step itself tells
        return self._store.hashes.sha256(Path(path)) in [sha for _, _, sha in promised]

    def require_unchanged(self, work: Path) -> None:
        """Make sure that a result may be kept under its key.

        Of a file that was not given itself and vanished the step itself tells, if it needs it. What was
        kept on the way stays while files have only vanished; after a change it is of unknown content, and goes.

        Parameters
        ----------
        work
            Folder of what the job keeps on the way.

        Raises
        ------
        UserError
            If a file vanished or changed meanwhile: one sentence that names it.
        """
        now = {path: _signature(path) for path in self._paths}
        needed = set(self._job.raw_paths)
        different = [path for path in self._paths if now[path] != self._before[path]]
        different = [path for path in different if now[path] is not None or path in needed]
        if not different:
            return
        changed = [path for path in different if now[path] is not None]
        shown = f"{(changed or different)[0]}{_more(different)}"
        if not changed:
            raise UserError(
                f"{shown} vanished while the job ran; put it back and run the job again: the other files are done."
            )
        for kept in work.iterdir():
            if kept.is_dir():
                shutil.rmtree(kept, ignore_errors=True)
            elif kept.suffix == ".npz":
                kept.unlink(missing_ok=True)
        raise UserError(
            f"{shown} changed while the job ran, so the result would mix two contents; run the job again when the "
            "file is complete."
        )


def _images_outside(job: ResolvedJob, store: Store) -> list[str]:
    """List the images that a job's tables name and that lie in no store, where nothing changes."""
    tables = [job.inputs[item.name][0] for item in job.step.inputs if item.kind in _KINDS_WITH_IMAGES
              and item.name in job.inputs]  # fmt: skip
    stores = [root.resolve() for root in (store.path, *store.behind)]
    images = [image.resolve() for table in tables for image in named_images(table)]
    return [str(image) for image in images if not any(image.is_relative_to(root) for root in stores)]


def _jobs_before(pieces: dict[str, Any]) -> list[str]:
    return [item["job"] for items in pieces.get("inputs", {}).values() for item in items if "job" in item]


def _more(paths: list[str]) -> str:
    return f" (and {len(paths) - 1} more)" if len(paths) > 1 else ""


def _signature(path: str) -> Signature | None:
    """Size and time of change; not the inode, which some file systems of networks give anew."""
    try:
        return stat_signature(Path(path))[:2]
    except OSError:
        return None
