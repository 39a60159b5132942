"""One published result: its files, and whether they are still what was published."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.session.files import ContentHashes, stat_signature
from spa_widgets.session.keys import file_sha256

RESULT_FILE = "result.json"
# size, time and inode of the files whose content this process has compared
_verified: dict[Path, tuple[int, int, int]] = {}


@dataclass(frozen=True)
class StoredObject:
    """One published result.

    Attributes
    ----------
    key
        Its key.
    path
        Its folder; nothing in it changes.
    read_only_store
        Whether it came from a store behind one's own (a class store).
    """

    key: str
    path: Path
    read_only_store: bool = False

    @cached_property
    def result(self) -> dict[str, Any]:
        """Content of `result.json`: pieces of the key, files, figures, timings, versions, device."""
        result: dict[str, Any] = json.loads((self.path / RESULT_FILE).read_text(encoding="utf-8"))
        return result

    @property
    def files(self) -> dict[str, Path]:
        """Output files by name (relative to the folder)."""
        return {name: self.path / name for name in self.result["files"]}

    @property
    def source(self) -> str:
        """Where it lies: ``store`` (one's own), ``class`` or ``bundle``."""
        return "class" if self.read_only_store else "store"

    def file(self, name: str) -> Path:
        """Return one of its files."""
        return self.path / name

    def shown(self) -> dict[str, Path]:
        """Return the files that a job's folder shows at once."""
        return self.files

    def has(self, name: str) -> bool:
        """Tell whether one of its files can be had."""
        return name in self.result["files"]

    def expected_sha256(self, name: str) -> str | None:
        """Return the SHA-256 of a file as it is here; None when that is not known beforehand."""
        return str(self.result["files"][name]["sha256"])

    def as_published(self) -> bytes:
        """Return `result.json` as it is here."""
        return (self.path / RESULT_FILE).read_bytes()

    def take_raw_files(self, paths: Iterable[Path], hashes: ContentHashes) -> None:
        """Name raw files by their places here, where it names files that are not here: only bundles can."""

    def verify(self, content: bool = True, once: bool = False) -> list[str]:
        """Compare the files with what was published.

        Parameters
        ----------
        content
            Read every byte and compare SHA-256; otherwise only presence and size are looked at.
        once
            Read only files that this process did not read before, or that changed since.

        Returns
        -------
        list of str
            One sentence for each fault; empty when all is well.

        Raises
        ------
        UserError
            If a file is there but cannot be read.
        """
        try:
            listed = self.result["files"]
        except (OSError, ValueError, KeyError, TypeError):
            return [f"{RESULT_FILE} of {self.key[:16]} is missing or unreadable"]
        faults = [_file_fault(self.path / name, facts, content, once) for name, facts in listed.items()]
        return [fault for fault in faults if fault]


def _file_fault(path: Path, facts: dict[str, Any], content: bool, once: bool) -> str:
    try:
        signature = stat_signature(path)
        if signature[0] != facts["bytes"]:
            return f"{path.name} has {signature[0]} bytes, published with {facts['bytes']}"
        if not content or (once and _verified.get(path) == signature):
            return ""
        if file_sha256(path) != facts["sha256"]:
            return f"{path.name} has changed since it was published (SHA-256 differs)"
        _verified[path] = signature
    except FileNotFoundError:
        return f"{path.name} is missing"
    except OSError as error:  # the disk's or the process's trouble; nobody says that the content is wrong
        raise UserError(f"{path} cannot be read ({error.strerror}); mend that and ask again.") from error
    return ""
