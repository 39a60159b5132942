"""What a person gives as an input (a job, one of its outputs, a path, a pattern) as the queue keeps it."""

from __future__ import annotations

import glob
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.io.named_images import TABLES, named_images
from spa_widgets.session.files import stat_signature
from spa_widgets.session.job import Job
from spa_widgets.session.outputs import OutputRef
from spa_widgets.session.project import Project
from spa_widgets.session.registry import Input, Output, Step, accepts
from spa_widgets.session.spec import files_beside

# half a second; who asks a service for a job must not keep it busy. The job itself looks at any table.
_MOST_TABLE_BYTES = 32 << 20


def input_refs(step: Step, inputs: Mapping[str, Any], project: Project) -> dict[str, dict[str, Any]]:
    """Turn what a person gave as inputs into references that the queue can keep.

    Raises
    ------
    UserError
        If an input is missing, is of another kind, or no file is found.
    """
    refs: dict[str, dict[str, Any]] = {}
    names = {item.name for item in step.inputs}
    if unknown := [name for name in inputs if name not in names]:
        raise UserError(f"{step.name} has no input {unknown[0]}; its inputs are {', '.join(sorted(names))}.")
    for index, item in enumerate(step.inputs):
        value = inputs.get(item.name)
        if value is None:
            value = _implied(step.inputs[:index], item, inputs)
        if value is not None:
            rank = sum(isinstance(inputs.get(other.name), Job) and other.kind == item.kind
                       for other in step.inputs[:index])  # fmt: skip
            refs[item.name] = input_ref(step, item, value, project, rank)
        elif not item.optional:
            raise UserError(f"{step.name} needs {item.name} ({item.kind}); give a job, one of its outputs or a path.")
    return refs


def _implied(earlier: list[Input], item: Input, inputs: Mapping[str, Any]) -> Job | None:
    """Let a job that was given for one half map stand for the other as well."""
    givers = [inputs[other.name] for other in earlier if other.kind == item.kind and inputs.get(other.name) is not None]
    return givers[0] if givers and isinstance(givers[0], Job) and not item.optional else None


def input_ref(step: Step, item: Input, value: Any, project: Project, rank: int = 0) -> dict[str, Any]:
    """Turn what was given as one input into a reference; of a job with several fitting outputs that of the rank.

    Raises
    ------
    UserError
        If it is of another kind, or no file is found.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Job):
        return _output_ref(OutputRef(value, _output_of_kind(step, item, value, rank)), project)
    if isinstance(value, OutputRef):
        if not accepts(item.kind, value.output.kind):
            raise UserError(f"{step.name}: {item.name} takes {item.kind}, {value!r} was given.")
        return _output_ref(value, project)
    ref: dict[str, Any] = {"files": [str(path) for path in raw_files(value, item.name, step.name)]}
    if len(ref["files"]) > 1 and isinstance(value, str | Path):
        ref["pattern"] = str(value)  # for the job's line of code only
    return ref


def _output_of_kind(step: Step, item: Input, job: Job, rank: int) -> Output:
    fitting = [output for output in job.step.outputs if output.kind == item.kind]
    fitting = fitting or [output for output in job.step.outputs if accepts(item.kind, output.kind)]
    if not fitting:
        given = ", ".join(f"{output.name} ({output.kind})" for output in job.step.outputs)
        raise UserError(f"{step.name}: {item.name} takes {item.kind}, but {job.name} ({job.step.title}) gives {given}.")
    return fitting[min(rank, len(fitting) - 1)]


def _output_ref(ref: OutputRef, project: Project) -> dict[str, Any]:
    if ref.job.session.project.path == project.path:
        return {"job": ref.job.number, "file": ref.output.file}
    ref.job.wait()
    return {"key": ref.job.key, "file": ref.output.file}  # of another project that shares the store


def raw_files(value: Any, name: str, step: str) -> list[Path]:
    """Find the files that a path, a pattern (``*``, ``?``, ``**``) or a list of them names.

    Raises
    ------
    UserError
        If nothing is found.
    """
    values = list(value) if isinstance(value, list | tuple | set) else [value]
    found: list[Path] = []
    for item in values:
        if not isinstance(item, str | Path):
            raise UserError(f"{step}: {name} is {type(item).__name__}; expected a job, one of its outputs or a path.")
        text = str(Path(item).expanduser())
        matches = [text] if Path(text).exists() else sorted(glob.glob(text, recursive=True))
        if not matches:
            raise UserError(f"{step}: no file matches {text!r} for {name}; check the path.")
        found += [_waits_for_nobody(Path(match).absolute()) for match in matches]
    return sorted(dict.fromkeys(found), key=lambda path: (path.name, str(path)))


def _waits_for_nobody(path: Path) -> Path:
    """Refuse pipes and devices, from which a reader would wait for more without end."""
    if path.exists() and not path.is_file() and not path.is_dir():
        raise UserError(f"{path} is no plain file; expected a file: name the file itself.")
    return path


def raw_signatures(refs: Mapping[str, Any], step: Step) -> list[list[Any]]:
    """Path, size, time and inode of every raw file and of what is read with it: a changed file makes another job."""
    kinds = {item.name: item.kind for item in step.inputs}
    beside = {other for name, ref in refs.items() for path in ref.get("files", ())
              for other in files_beside(Path(path), kinds.get(name, ""))}  # fmt: skip
    return [[str(path), *stat_signature(path)] for path in sorted({*with_named_images(refs), *beside})]


def with_named_images(refs: Mapping[str, Any]) -> list[Path]:
    """List the raw files of references and the images that they name, sorted; long tables are not opened for it."""
    files = [Path(path) for ref in refs.values() for path in ref.get("files", ())]
    short = [path for path in files if path.suffix in TABLES and stat_signature(path)[0] <= _MOST_TABLE_BYTES]
    return sorted({*files, *(image for path in short for image in named_images(path))})
