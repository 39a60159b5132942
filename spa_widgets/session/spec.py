"""The specification of a job: step, parameters and inputs as data, never code."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import is_offered
from spa_widgets.session.files import ContentHashes
from spa_widgets.session.keys import digest, explain, key_pieces
from spa_widgets.session.params import StepParams, validate_params
from spa_widgets.session.registry import Input, Step, get_step
from spa_widgets.session.store import Store
from spa_widgets.session.stored import StoredObject

# beside the file that stands for a set of classes, these hold the rest of it
_CLASSES_FILES = ("*.mrcs", "*.csv", "*.star")


@dataclass(frozen=True)
class RawFiles:
    """Files that come from outside: their content enters the key."""

    paths: tuple[Path, ...]


@dataclass(frozen=True)
class StoredFile:
    """One output file of a finished job."""

    key: str
    file: str


JobInput = RawFiles | StoredFile


@dataclass(frozen=True)
class JobSpec:
    """What to run.

    Attributes
    ----------
    step
        Name of a registered step.
    params
        Parameters that differ from the defaults, or all of them.
    inputs
        By the names that the step declares.
    """

    step: str
    params: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, JobInput] = field(default_factory=dict)


@dataclass(frozen=True)
class ResolvedJob:
    """A valid specification with its key and the places of its inputs.

    Attributes
    ----------
    step, params
        The registered step and its validated parameters.
    pieces
        What the key is made of.
    inputs
        The files of each input.
    raw_paths
        Raw files by path: a result that mentions them is of use only while they are there.
    contents
        SHA-256 of each raw file that was read for the key, also of those that tables name, by path.
    """

    step: Step
    params: StepParams
    pieces: dict[str, Any]
    inputs: Mapping[str, tuple[Path, ...]]
    raw_paths: tuple[str, ...]
    contents: Mapping[str, str]

    @cached_property
    def key(self) -> str:
        """SHA-256 of the pieces."""
        return digest(self.pieces)

    def explain(self) -> str:
        """Spell out the pieces of the key."""
        return explain(self.pieces)


def validate_spec(spec: JobSpec) -> tuple[Step, StepParams]:
    """Check a specification against its step.

    Raises
    ------
    UserError
        If the step is unknown, a parameter is wrong, an input is missing or has an unknown name.
    """
    step = get_step(spec.step)
    params = validate_params(step.params, dict(spec.params), step.name)
    known = {item.name: item for item in step.inputs}
    if unknown := [name for name in spec.inputs if name not in known]:
        raise UserError(f"{step.name} has no input {unknown[0]}; it takes {', '.join(known) or 'none'}.")
    for item in step.inputs:
        given = spec.inputs.get(item.name)
        if given is None and not item.optional:
            raise UserError(f"{step.name} needs {item.name} ({item.kind}) as an input; none was given.")
        if isinstance(given, RawFiles) and not given.paths:
            raise UserError(f"{step.name}: no file was found for {item.name}; check the path or the pattern.")
        if isinstance(given, RawFiles) and len(given.paths) > 1 and item.kind != "files":
            raise UserError(f"{step.name}: {item.name} takes one file, {len(given.paths)} were given.")
    return step, params


def canonical_params(params: StepParams) -> dict[str, Any]:
    """Return validated parameters as JSON values, defaults filled in."""
    return params.model_dump(mode="json")


def resolve(spec: JobSpec, store: Store, on_file: Callable[[Path], None] | None = None) -> ResolvedJob:
    """Validate a specification, find its inputs and make its key; raw files are read when their content is new.

    A result that mentions raw files which are gone cannot be used again: then the files' present places enter the key
    too, and everything that follows is computed anew.

    Raises
    ------
    UserError
        If the specification is wrong or an input cannot be read.
    """
    step, params = validate_spec(spec)
    inputs: dict[str, tuple[Path, ...]] = {}
    pieces: dict[str, list[dict[str, Any]]] = {}
    raw: list[str] = []
    read: dict[str, str] = {}
    for item in step.inputs:
        given = spec.inputs.get(item.name)
        if isinstance(given, StoredFile):
            inputs[item.name] = (_stored_path(given, store, step, item),)
            pieces[item.name] = [{"job": given.key, "file": given.file}]
        elif given is not None:
            inputs[item.name] = _by_name(given.paths)
            pieces[item.name] = _raw_pieces(given.paths, item, store.hashes, on_file, read)
            raw += [str(path.resolve()) for path in given.paths]
    job = ResolvedJob(step, params, key_pieces(step.name, step.version, canonical_params(params), pieces), inputs,
                      tuple(raw), read)  # fmt: skip
    found = store.find(job.key) if raw else None
    if found is not None and not raw_files_are_there(found):
        found.take_raw_files([Path(path) for path in raw], store.hashes)
        found = store.find(job.key)
    if found is not None and not raw_files_are_there(found):
        return ResolvedJob(step, params, {**job.pieces, "places": sorted(raw)}, inputs, tuple(raw), read)
    return job


def raw_files_are_there(found: StoredObject) -> bool:
    """Tell whether the raw files that a result was made from are still where they were."""
    paths = [Path(path) for path in found.result.get("raw_paths", ())]
    return all(path.exists() or is_offered(path) for path in paths)


def _stored_path(given: StoredFile, store: Store, step: Step, item: Input) -> Path:
    found = store.get(given.key)
    if given.file not in found.result["files"]:
        raise UserError(
            f"{step.name}: the job given for {item.name} has no file {given.file}; it has "
            f"{', '.join(sorted(found.result['files']))}."
        )
    return found.files[given.file] if found.has(given.file) else found.file(given.file)


def _by_name(paths: Sequence[Path]) -> tuple[Path, ...]:
    """Order files by name, so that the order in which they were listed does not matter."""
    return tuple(sorted((path.absolute() for path in paths), key=lambda path: (path.name, str(path))))


def _raw_pieces(
    paths: Sequence[Path],
    item: Input,
    hashes: ContentHashes,
    on_file: Callable[[Path], None] | None,
    read: dict[str, str],
) -> list[dict[str, Any]]:
    beside = [other for path in paths for other in files_beside(path, item.kind)]
    return [hashes.pieces(path, on_file, read) for path in (*_by_name(paths), *beside)]


def files_beside(path: Path, kind: str) -> list[Path]:
    """List what is read along with a raw file: what cryoSPARC passed through, and all of a 2D classification."""
    found = sorted(path.parent.glob("*passthrough*.cs")) if path.suffix == ".cs" else []
    if kind == "classes":
        found += sorted({other for pattern in _CLASSES_FILES for other in path.parent.glob(pattern)} - {path})
    return found
