"""A bundle as a read-only store: results by their keys, laid into a folder when their files are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleCache, BundleFile
from spa_widgets.io.bundle.manifest import object_folder, result_member
from spa_widgets.session.files import ContentHashes
from spa_widgets.session.keys import digest
from spa_widgets.session.stored import RESULT_FILE, StoredObject

# files that a job's folder shows at once; larger ones come when they are asked for
_SHOWN_BYTES = 16 << 20
_compared: set[tuple[Path, tuple[int, int]]] = set()


@dataclass(frozen=True)
class BundledObject(StoredObject):
    """One result of a bundle; its files are laid into the folder `path` when they are asked for."""

    cache: BundleCache = field(kw_only=True)

    @cached_property
    def result(self) -> dict[str, Any]:
        """Content of `result.json` with the paths of files as they are here."""
        content: dict[str, Any] = json.loads(self.cache.text(result_member(self.key)))
        return content

    @property
    def source(self) -> str:
        """Where it lies: ``bundle``."""
        return "bundle"

    def file(self, name: str) -> Path:
        """Return one file, laid where it belongs when it is not there yet.

        Raises
        ------
        UserError
            If it was left out of the bundle, or is damaged.
        """
        return self.cache.fetch(self._member(name))

    @property
    def files(self) -> dict[str, Path]:
        """Output files by name, all but those that were left out; they are laid where they are not there yet."""
        return {name: self.file(name) for name in self.result["files"] if self.has(name)}

    def shown(self) -> dict[str, Path]:
        """Return the files that a job's folder shows at once: the small ones, and those that are laid already."""
        sizes = {name: int(facts["bytes"]) for name, facts in self.result["files"].items()}
        here = {name for name in sizes if (self.path / name).is_file()}
        wanted = {name for name, size in sizes.items() if size <= _SHOWN_BYTES and self.has(name)}
        return {name: self.file(name) for name in sorted(wanted | here)}

    def has(self, name: str) -> bool:
        """Tell whether one of its files can be had: it was not left out."""
        return self.cache.offers(self._member(name))

    def expected_sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file; None for tables, whose paths are changed when they come out of the bundle."""
        return None if self.cache.is_text(name) else self.cache.bundle.manifest.members[self._member(name)].sha256

    def as_published(self) -> bytes:
        """Return `result.json` with the paths of files as they are here."""
        return self.cache.text(result_member(self.key))

    def take_raw_files(self, paths: Iterable[Path], hashes: ContentHashes) -> None:
        """Name raw files that were left out of the bundle by their places here, where their content is the same."""
        sizes = {item.bytes for item in self.cache.bundle.manifest.missing}
        fitting = [path.absolute() for path in paths if path.is_file() and path.stat().st_size in sizes]
        self.cache.relocate({hashes.sha256(path): path for path in fitting})

    def verify(self, content: bool = True, once: bool = False) -> list[str]:
        """Compare the files that are laid with the bundle; one that differs is removed, and comes anew when asked for.

        Raises
        ------
        UserError
            If the bundle itself is damaged.
        """
        if digest(self.result.get("pieces")) != self.key:
            return [f"{self.cache.bundle.path.name} has another result under the key {self.key[:16]}"]
        for name, facts in self.result["files"].items():
            path = self.path / name
            if path.is_file() and not self._is_whole(path, name, int(facts["bytes"]), content, once):
                path.unlink(missing_ok=True)
        return []

    def _is_whole(self, path: Path, name: str, size: int, content: bool, once: bool) -> bool:
        state = path.stat()
        seen = (path, (state.st_size, state.st_mtime_ns))
        if not self.cache.is_text(name) and state.st_size != size:
            return False
        if not content or (once and seen in _compared):
            return True
        same = self.cache.is_as_written(self._member(name))
        if same:
            _compared.add(seen)
        return same

    @property
    def member_folder(self) -> str:
        """Its folder in the bundle."""
        return object_folder(self.key)

    def members(self) -> list[str]:
        """List the members of the bundle that are its files."""
        return [self._member(name) for name in self.result["files"]]

    def _member(self, name: str) -> str:
        return f"{self.member_folder}/{name}"


@dataclass(frozen=True)
class BundleStore:
    """A bundle behind a store.

    Attributes
    ----------
    cache
        The folder where its files are laid.
    """

    cache: BundleCache

    @classmethod
    def open(cls, bundle: Path, store: Path) -> BundleStore:
        """Open a bundle behind the store in a folder.

        Raises
        ------
        UserError
            If it is no bundle, damaged or of a later version.
        """
        return cls(BundleCache.make(BundleFile.open(bundle), store / "bundles"))

    def find(self, key: str) -> BundledObject | None:
        """Return the result of a key, or None when the bundle has none."""
        if not self.cache.offers(result_member(key)):
            return None
        found = BundledObject(key, self.cache.folder / object_folder(key), True, cache=self.cache)
        try:
            names = found.result["files"]
            listed = {f"{object_folder(key)}/{name}" for name in names}
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise UserError(f"{self.cache.bundle.path.name} has a damaged {RESULT_FILE}; export it again.") from error
        known = {*self.cache.bundle.manifest.members, *self.cache.bundle.manifest.left_out}
        if unknown := sorted(listed - known):
            raise UserError(f"{self.cache.bundle.path.name} lacks {unknown[0]} of a result; export the bundle again.")
        return found
