"""The store: finished results under their keys, published whole or not at all.

Layout of a store's folder::

    objects/ab/abcd…/     one finished result, read-only; `result.json` lists every file with its SHA-256
    work/abcd…/           one result in the making: `out-…/` (its files so far), `checkpoint`, `lock`, `owner.json`
    aside/                damaged results, set aside to be computed again
    files.sqlite          content hashes of raw files
    bundles/…/            files of bundles behind the store, laid there when they were asked for
    raw/…                 raw files of bundles whose results were published here

A result is made under `work`, synced to disk, and renamed into `objects` in one step, so that a power cut, a kill or a
full disk never leaves half a result under a key. Of two equal results the first published wins.
"""

from __future__ import annotations

import errno
import shutil
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleFile, is_bundle
from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.files import ContentHashes
from spa_widgets.session.keys import file_sha256, is_key
from spa_widgets.session.stored import RESULT_FILE, StoredObject
from spa_widgets.session.whole import sync, write_json

if TYPE_CHECKING:
    from spa_widgets.session.bundle.stored import BundleStore

FORMAT_VERSION = 1


@dataclass(frozen=True)
class Store:
    """A content-addressed store, with read-only ones (folders or bundles) behind it.

    Parameters
    ----------
    path
        Folder of the store; made when missing.
    behind
        Stores that are looked in when this one lacks a result, and never written.
    """

    path: Path
    behind: tuple[Path, ...] = field(default=())

    @classmethod
    def open(cls, path: Path | str, behind: Sequence[Path | str] = ()) -> Store:
        """Open a store, making its folders.

        Raises
        ------
        UserError
            If the folder cannot be made or a store behind it does not exist.
        """
        store = cls(Path(path).absolute(), tuple(Path(item).absolute() for item in behind))
        for other in store.behind:
            if is_bundle(other):
                BundleFile.open(other)
            elif not (other / "objects").is_dir():
                raise UserError(f"{other} is not a store (it has no folder 'objects'); check the path of the store.")
        try:
            for name in ("objects", "work", "aside"):
                (store.path / name).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UserError(
                f"Cannot make the store {store.path}: {error.strerror}; choose a folder that you can write."
            ) from error
        return store

    @cached_property
    def hashes(self) -> ContentHashes:
        """Remembered content hashes of raw files."""
        return ContentHashes(self.path / "files.sqlite")

    def find(self, key: str, content: bool = False) -> StoredObject | None:
        """Return the result of a key from this store or one behind it, or None.

        A damaged result of one's own store is set aside, so that it is computed again; one of a store behind is
        passed over.

        Parameters
        ----------
        key
            The key.
        content
            Compare SHA-256 of what this process did not read before; else presence and size only.
        """
        for root in (self.path, *self.behind):
            found = self._published(root, key)
            if found is None:
                continue
            if not found.verify(content=content, once=True):
                return found
            if root == self.path:
                self.set_aside(key)
        return None

    def _published(self, root: Path, key: str) -> StoredObject | None:
        """Return the result of a key in one of the stores, or None."""
        if root in self._bundles:
            return self._bundles[root].find(_checked(key))
        found = StoredObject(key, _object_path(root, key), read_only_store=root != self.path)
        return found if (found.path / RESULT_FILE).is_file() else None

    @cached_property
    def _bundles(self) -> dict[Path, BundleStore]:
        from spa_widgets.session.bundle.stored import BundleStore

        return {root: BundleStore.open(root, self.path) for root in self.behind if is_bundle(root)}

    def get(self, key: str) -> StoredObject:
        """Return the result of a key, its content compared with what was published.

        Raises
        ------
        UserError
            If neither this store nor one behind it has it undamaged.
        """
        found = self.find(key, content=True)
        if found is None:
            raise UserError(f"The result {key[:16]} {self._why_none(key)}; run its job again, and it is computed anew.")
        return found

    def _why_none(self, key: str) -> str:
        """Say what is the matter with a result that cannot be had."""
        there = [found for root in self.behind if (found := self._published(root, key)) is not None]
        faults = [fault for found in there for fault in found.verify(once=True)]
        return f"of {there[0].path} is damaged ({faults[0]})" if faults else f"is not in the store {self.path}"

    def keys(self) -> list[str]:
        """List the keys published in this store itself."""
        return sorted(path.name for path in (self.path / "objects").glob("??/*") if is_key(path.name))

    def verify(self) -> dict[str, list[str]]:
        """Read every published byte again; return the faults by key (empty when all is well)."""
        checked = {key: StoredObject(key, _object_path(self.path, key)).verify() for key in self.keys()}
        return {key: faults for key, faults in checked.items() if faults}

    def set_aside(self, key: str) -> Path:
        """Move a damaged result out of the way, keeping it for inspection; return where it went."""
        target = self.path / "aside" / f"{key}-{uuid.uuid4().hex[:8]}"
        with suppress(FileNotFoundError):
            _object_path(self.path, key).rename(target)
        return target

    def work_folder(self, key: str) -> Path:
        """Return the folder in which a result is made; it outlives a killed attempt."""
        folder = self.path / "work" / _checked(key)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def object_path(self, key: str) -> Path:
        """Return where this store publishes a key, whether it is there or not."""
        return _object_path(self.path, key)

    def publish(self, key: str, folder: Path, result: dict[str, Any]) -> StoredObject:
        """Publish a finished folder under its key: sync, make read-only, rename.

        Parameters
        ----------
        key
            The result's key.
        folder
            Folder with the finished files, on the store's own file system; it is gone afterwards.
        result
            What `result.json` says besides the files' sizes and hashes.

        Returns
        -------
        StoredObject
            This result, or the one that another process published first.
        """
        target = self.object_path(key)
        with disk_in_words(self.path):
            _seal(folder, {"format": FORMAT_VERSION, "key": key, **result})
            _make_folder(target.parent)
            _rename_first_wins(folder, target)
            sync(target.parent)
        return StoredObject(key, target)


def _checked(key: str) -> str:
    if not is_key(key):
        raise ValueError(f"{key!r} is not a key: expected 64 hexadecimal digits.")
    return key


def _object_path(root: Path, key: str) -> Path:
    return root / "objects" / _checked(key)[:2] / key


def _seal(folder: Path, result: dict[str, Any]) -> None:
    """Hash and sync every file of a folder, write `result.json`, and take away the right to write."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != RESULT_FILE)
    files = {}
    for path in paths:
        sync(path)
        name = path.relative_to(folder).as_posix()
        files[name] = {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
        path.chmod(0o444)
    summary = folder / RESULT_FILE
    summary.unlink(missing_ok=True)
    write_json(summary, {**result, "files": files})
    summary.chmod(0o444)
    for inner in sorted((path for path in folder.rglob("*") if path.is_dir()), reverse=True):
        sync(inner)
    sync(folder)


def _make_folder(path: Path) -> None:
    path.mkdir(parents=True, exist_ok=True)
    sync(path.parent)


def _rename_first_wins(folder: Path, target: Path) -> None:
    try:
        folder.rename(target)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
        shutil.rmtree(folder, ignore_errors=True)
