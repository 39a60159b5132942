"""What a bundle says about itself, and which names its members may have."""

from __future__ import annotations

import json
import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from spa_widgets.errors import UserError

MANIFEST = "manifest.json"
DECISIONS = "history/decisions.jsonl"
FORMAT_VERSION = 1
MOST_MEMBERS = 500_000
MOST_MANIFEST_BYTES = 256 << 20
_LONGEST_PART = 200
_LONGEST_NAME = 1000

_OBJECT = re.compile(r"objects/([0-9a-f]{2})/(\1[0-9a-f]{62})/.+")
_OTHER = re.compile(r"raw/[0-9a-f]{64}/[^/]+|history/J[0-9]{1,9}\.jsonl|history/decisions\.jsonl")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f\\]|^[A-Za-z]:")

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class _Model(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Member(_Model):
    """One file of a bundle."""

    bytes: int = Field(ge=0)
    sha256: _Hash


class Missing(_Model):
    """A file that results mention and that was left out: its paths at the maker's, size and content."""

    paths: list[str]
    bytes: int = Field(ge=0)
    sha256: _Hash


class BundledJob(_Model):
    """A finished job: what was asked for, and the key of its result."""

    number: int = Field(ge=1, le=10**9)
    workspace: str
    step: _Name
    spec: dict[str, Any]
    device: str
    key: _Hash
    created: float
    started: float | None = None
    ended: float | None = None


class Manifest(_Model):
    """Content of ``manifest.json``.

    Attributes
    ----------
    title, created, versions
        Name of the project, seconds since 1970, and versions of the programs that wrote the bundle.
    workspaces
        Names and titles, oldest first.
    jobs
        Finished jobs, oldest first.
    members
        Every other file of the archive.
    places
        Paths at the maker's as results mention them, and the member or folder of members that stands for each.
    missing
        Raw files that were left out.
    left_out
        Files of results that were left out: ``objects/…`` and size in bytes.
    """

    kind: Literal["spa-bundle"]
    format: int
    title: str
    created: float
    versions: dict[str, str] = {}
    workspaces: list[tuple[str, str]] = []
    jobs: list[BundledJob] = []
    members: dict[str, Member]
    places: dict[str, str] = {}
    missing: list[Missing] = []
    left_out: dict[str, int] = {}

    @property
    def lacks(self) -> list[tuple[str, int]]:
        """Name and size in bytes of each file that results mention and that was left out."""
        raw = [(item.paths[0].rpartition("/")[2], item.bytes) for item in self.missing if item.paths]
        return raw + [(name.split("/", 3)[3], size) for name, size in self.left_out.items()]

    @classmethod
    def parse(cls, content: bytes, bundle: str) -> Manifest:
        """Read and check a manifest.

        Raises
        ------
        UserError
            If it is no manifest, is of a later version, or does not hold together.
        """
        try:
            known = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{bundle} has a damaged {MANIFEST}; fetch or export the bundle again.") from error
        if not isinstance(known, dict) or known.get("kind") != "spa-bundle":
            raise UserError(f"{bundle} is not a bundle of spa (its {MANIFEST} is something else); give another file.")
        version = known.get("format")
        if isinstance(version, int) and version > FORMAT_VERSION:
            raise UserError(
                f"{bundle} was written by a later version of spa-widgets (format {version}, known is "
                f"{FORMAT_VERSION}); upgrade spa-widgets to open it."
            )
        try:
            manifest = cls.model_validate_json(content)
        except (ValidationError, RecursionError) as error:
            raise UserError(f"{bundle} has a damaged {MANIFEST} ({_where(error)}); export the bundle again.") from error
        manifest._require_whole(bundle)
        return manifest

    def _require_whole(self, bundle: str) -> None:
        for name in (*self.members, *self.left_out):
            require_safe_name(name, bundle)
        folders = {"/".join(name.split("/")[:3]) for name in self.members if name.startswith("objects/")}
        for path, place in self.places.items():
            if not path.startswith("/") or (place not in self.members and place not in folders):
                raise UserError(f"{bundle} says that {path} is its {place!r}, which it does not hold; it is refused.")
        if len({job.number for job in self.jobs}) < len(self.jobs):
            raise UserError(f"{bundle} lists two jobs of one number; it is refused.")
        for job in self.jobs:
            if result_member(job.key) not in self.members:
                raise UserError(f"{bundle} lists J{job.number} without its result; export the bundle again.")


def _where(error: Exception) -> str:
    if isinstance(error, ValidationError) and (found := error.errors()):
        return f"{'.'.join(str(part) for part in found[0]['loc'])[:80]}: {found[0]['msg'][:120]}"
    return "nested too deeply"


def object_folder(key: str) -> str:
    """Return the folder of a result in a bundle."""
    return f"objects/{key[:2]}/{key}"


def result_member(key: str) -> str:
    """Return the member that says what a result holds."""
    return f"{object_folder(key)}/result.json"


def require_safe_name(name: str, bundle: str) -> None:
    """Refuse the name of a member that could leave the folder, or that no bundle has.

    Raises
    ------
    UserError
        If the name is unsafe or unknown.
    """
    parts = name.split("/")
    is_plain = all(part and part not in (".", "..") and len(part.encode()) <= _LONGEST_PART for part in parts)
    if not is_plain or _FORBIDDEN.search(name) or len(name) > _LONGEST_NAME:
        raise UserError(f"{bundle} holds {name[:120]!r}, which is no plain name inside a folder; it is refused.")
    if not (_OBJECT.fullmatch(name) or _OTHER.fullmatch(name)):
        raise UserError(f"{bundle} holds {name[:120]!r}, which has no place in a bundle; it is refused.")
