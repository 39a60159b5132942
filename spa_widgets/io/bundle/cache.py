"""Members of a bundle as files of a folder, each laid there when it is first asked for.

Steps and other programs read files. So a member is copied out of the archive when its path is asked for, compared with
its SHA-256 on the way; what nobody asks for stays in the archive. Tables name images by absolute paths: in a copy the
paths at the maker's are replaced by those in the folder, so that other programs find the images too.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle.reader import BundleFile

CACHE_FILE = "spa-bundle.json"
_TEXT_SUFFIXES = (".star", ".csv", ".json", ".txt")
# a path in a table or JSON text stands alone, in quotes, after "number@" or between commas
_BEFORE, _AFTER = rb"(?<![^\s\"',@])", rb"(?=[\s\"',@/]|$)"
_PLAIN = rb"/[^\s\"',@]+"


@dataclass(frozen=True)
class BundleCache:
    """A folder that stands for a bundle.

    Parameters
    ----------
    folder : Path
        Where files are laid; `spa-bundle.json` in it names the archive.
    bundle : BundleFile
        The archive.
    """

    folder: Path
    bundle: BundleFile

    @classmethod
    def make(cls, bundle: BundleFile, parent: Path) -> BundleCache:
        """Open the folder of a bundle inside another folder, making it."""
        made = cls.inside(parent, bundle)
        if made._facts().get("bundle") != str(bundle.path):
            made._write({**made._facts(), "bundle": str(bundle.path), "identity": bundle.identity})
        return made

    @classmethod
    def inside(cls, parent: Path, bundle: BundleFile) -> BundleCache:
        """Name the folder of a bundle inside another folder, without making it."""
        return cls(parent / bundle.identity[:16], bundle)

    @classmethod
    def load(cls, folder: Path) -> BundleCache:
        """Open the folder of a bundle again, from what lies in it.

        Raises
        ------
        UserError
            If the archive is gone or is another one now.
        """
        facts = _read_facts(folder / CACHE_FILE)
        path = Path(str(facts.get("bundle", "")))
        if not path.is_file():
            raise UserError(f"The bundle {path}, where {folder} takes its files from, is not there; move it back.")
        bundle = BundleFile.open(path)
        if bundle.identity != facts.get("identity"):
            raise UserError(f"{path} is another bundle than the one opened before; move that one back.")
        return cls(folder, bundle)

    @staticmethod
    def is_text(name: str) -> bool:
        """Tell whether a member is a table or JSON text, in which paths are replaced."""
        return not name.startswith("raw/") and name.endswith(_TEXT_SUFFIXES)

    def offers(self, name: str) -> bool:
        """Tell whether the bundle has a member."""
        return name in self.bundle.manifest.members

    def fetch(self, name: str, check: Callable[[], None] = lambda: None) -> Path:
        """Return the file that stands for a member, laying it into the folder when it is not there.

        Raises
        ------
        UserError
            If it was left out of the bundle, or is damaged.
        """
        target = self.folder / name
        if target.is_file():
            return target
        if name in self.bundle.manifest.left_out:
            size = self.bundle.manifest.left_out[name] / 1e6
            raise UserError(
                f"{target.name} ({size:.1f} MB) was left out of the bundle {self.bundle.path.name}; ask its maker for "
                "a bundle with it."
            )
        if self.is_text(name):
            target.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(target, self.text(name))
        else:
            self.bundle.copy(name, target, check)
        return target

    def local(self, path: str) -> str:
        """Return the place here of a path at the maker's; the path itself when the bundle has nothing for it."""
        return self._paths.sub(self._place_of, path.encode()).decode()

    def text(self, name: str) -> bytes:
        """Return a table or JSON text with the paths at the maker's replaced by those here."""
        content = self.bundle.read(name)
        return self._paths.sub(self._place_of, content) if self._places else content

    def is_as_written(self, name: str) -> bool:
        """Compare the file that stands for a member with the bundle; True when it was not laid yet."""
        target = self.folder / name
        if not target.is_file():
            return True
        if self.is_text(name):
            return target.read_bytes() == self.text(name)
        with target.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest() == self.bundle.manifest.members[name].sha256

    def relocate(self, present: Mapping[str, Path]) -> bool:
        """Let results name raw files that were left out by their places here.

        Parameters
        ----------
        present
            Files that are here, by the SHA-256 of their content.

        Returns
        -------
        bool
            Whether that changed anything.
        """
        found = {
            path: str(present[item.sha256])
            for item in self.bundle.manifest.missing
            if item.sha256 in present
            for path in item.paths
        }
        before = dict(self._facts().get("places") or {})
        if {**before, **found} == before:
            return False
        self._write({**self._facts(), "places": {**before, **found}})
        for text in self.folder.glob("objects/*/*/**/*"):
            if text.suffix in _TEXT_SUFFIXES:
                text.unlink(missing_ok=True)  # laid again with the new paths
        for name in ("_places", "_paths"):
            self.__dict__.pop(name, None)
        return True

    @cached_property
    def _places(self) -> dict[bytes, bytes]:
        inside = {path: str(self.folder / place) for path, place in self.bundle.manifest.places.items()}
        raw = dict(self._facts().get("places") or {})
        return {path.encode(): place.encode() for path, place in {**inside, **raw}.items()}

    @cached_property
    def _paths(self) -> re.Pattern[bytes]:
        """What may be a path at the maker's: any absolute path, and those with blanks by themselves."""
        odd = [path for path in self._places if not re.fullmatch(_PLAIN, path)]
        known = [re.escape(path) + _AFTER for path in sorted(odd, key=len, reverse=True)]
        return re.compile(_BEFORE + b"(?:" + b"|".join([*known, _PLAIN]) + b")", re.MULTILINE)

    def _place_of(self, match: re.Match[bytes]) -> bytes:
        """Return the path here of a file, or of the nearest folder above it that has one; else the path as it is."""
        path: bytes = match.group()
        head = path
        while head:
            if head in self._places:
                return self._places[head] + path[len(head) :]
            head = head.rpartition(b"/")[0]
        return path

    def _facts(self) -> dict[str, Any]:
        return _read_facts(self.folder / CACHE_FILE)

    def _write(self, facts: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_whole(self.folder / CACHE_FILE, json.dumps(facts, indent=1, ensure_ascii=False).encode(), 0o644)


def bring(path: Path) -> Path | None:
    """Lay the file that a path names where the path lies in the folder of a bundle; None where it does not.

    Raises
    ------
    UserError
        If the bundle is gone or damaged, or was made without this file.
    """
    found = _owner(path)
    if found is None:
        return None
    cache, name = found
    return cache.fetch(name) if cache.offers(name) or name in cache.bundle.manifest.left_out else None


def is_offered(path: Path) -> bool:
    """Tell whether a path that may not exist names a file that a bundle can lay there."""
    found = _owner(path)
    return found is not None and found[0].offers(found[1])


def _owner(path: Path) -> tuple[BundleCache, str] | None:
    for folder in path.parents:
        if "identity" in _read_facts(folder / CACHE_FILE):
            return BundleCache.load(folder), path.relative_to(folder).as_posix()
    return None


def _read_facts(file: Path) -> dict[str, Any]:
    try:
        facts = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _write_whole(target: Path, content: bytes, mode: int = 0o444) -> None:
    part = target.with_name(f".{target.name[:120]}.{os.getpid()}.part")
    part.write_bytes(content)
    part.chmod(mode)
    part.replace(target)
