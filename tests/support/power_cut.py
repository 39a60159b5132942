"""A double beside the file system that knows what a power cut could leave.

It notes at each operation of this process on files what a disk holds for sure: content since the last `fsync` of the
file, names since the last `fsync` of their folder. What came after may be lost, torn or whole.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

State = dict[str, bytes]
Names = dict[int, dict[str, int]]
_NAMING = ("rename", "replace", "link", "unlink", "mkdir", "rmdir")


@dataclass
class Disk:
    """What is on the disk for sure, and what only the system's memory holds.

    Attributes
    ----------
    root
        Folder that is watched.
    names, contents
        Entries of folders and bytes of files, by inode, as they were synced.
    cuts
        States that a power cut could have left, each once, in order: bytes of files by path.
    """

    root: Path
    names: Names = field(default_factory=dict)
    contents: dict[int, bytes] = field(default_factory=dict)
    cuts: list[State] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Take what is there as synced."""
        self.names, self.contents = _look(self.root)
        self._held: list[int] = []
        self._seen: set[int] = set()

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        """Make each operation of this process on files a moment at which the power may go."""
        real_sync = os.fsync

        def fsync(handle: int) -> None:
            self.cut()
            real_sync(handle)
            self._synced(handle)
            self.cut()

        patch.setattr(os, "fsync", fsync)
        for name in _NAMING:
            patch.setattr(os, name, self._cutting(getattr(os, name)))

    def cut(self) -> None:
        """Keep what a power cut could leave now: names as synced or as they are, other content lost, torn or whole."""
        names, contents = _look(self.root)
        for known in (self.names, names):
            for part in (0.0, 0.5, 1.0):
                state: State = {}
                self._lay(state, known, contents, part, self.root.stat().st_ino, "")
                if (mark := hash(tuple(sorted(state.items())))) not in self._seen:
                    self._seen.add(mark)
                    self.cuts.append(state)

    def _synced(self, handle: int) -> None:
        facts = os.fstat(handle)
        names, contents = _look(self.root)
        if facts.st_ino in names:
            self.names[facts.st_ino] = names[facts.st_ino]
        elif facts.st_ino in contents:
            self.contents[facts.st_ino] = contents[facts.st_ino]

    def _cutting(self, operation: Callable[..., Any]) -> Callable[..., Any]:
        def cut_do_cut(*arguments: Any, **options: Any) -> Any:
            self._hold(arguments, options.get("dir_fd"))
            self.cut()
            done = operation(*arguments, **options)
            self.cut()
            return done

        return cut_do_cut

    def _hold(self, paths: tuple[Any, ...], folder: int | None) -> None:
        """Keep what an operation may remove open, so that its inode is not given to another file."""
        for path in paths:
            if isinstance(path, str | os.PathLike):
                try:
                    self._held.append(os.open(path, os.O_RDONLY, dir_fd=folder))
                except OSError:
                    continue

    def _lay(
        self, state: State, names: Names, contents: dict[int, bytes], part: float, inode: int, prefix: str
    ) -> None:
        for name, child in names.get(inode, {}).items():
            if child in names or child in self.names:
                self._lay(state, names, contents, part, child, f"{prefix}{name}/")
            else:
                synced = self.contents.get(child, b"")
                held = contents.get(child, synced)
                kept = len(synced) if held.startswith(synced) else 0
                whole = synced if held == synced else held[: kept + int(part * (len(held) - kept))]
                state[f"{prefix}{name}"] = whole

    def close(self) -> None:
        """Let the held files go."""
        while self._held:
            os.close(self._held.pop())


def _look(root: Path) -> tuple[Names, dict[int, bytes]]:
    """Read the folders and files that the system shows."""
    names: Names = {}
    contents: dict[int, bytes] = {}
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        inside = {path.name: path.lstat() for path in folder.iterdir()}
        names[folder.stat().st_ino] = {name: facts.st_ino for name, facts in inside.items()}
        for name, facts in inside.items():
            if stat.S_ISREG(facts.st_mode):
                contents[facts.st_ino] = (folder / name).read_bytes()
    return names, contents


def lay_out(state: State, folder: Path) -> Path:
    """Make a folder as a power cut left it a good while ago."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in state.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        os.utime(folder / name, (1e9, 1e9))
    return folder
