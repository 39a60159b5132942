"""Run one step for the command line: in this process, its results linked into a folder."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click

from spa_widgets.cli_progress import ProgressPrinter
from spa_widgets.cli_steps import IMPORT_STEP, param_values, takes_images, takes_many
from spa_widgets.errors import UserError
from spa_widgets.session.execute import execute
from spa_widgets.session.inputs import raw_files
from spa_widgets.session.project import STORE_VARIABLE, link_result
from spa_widgets.session.registry import Input, Step, all_steps, get_step
from spa_widgets.session.spec import JobInput, JobSpec, RawFiles, StoredFile, validate_spec
from spa_widgets.session.store import Store
from spa_widgets.session.stored import StoredObject
from spa_widgets.session.whole import write_json

JOB_FILE = "job.json"
_PARTS_OF_CLASSES = ("class_averages.mrcs",)


def run_step(step: Step, given: Mapping[str, Any]) -> int:
    """Run a step as its command says; return the exit status."""
    out = Path(given["out"]).expanduser().absolute()
    paths = input_paths(step, given)
    store = open_store(given.get("store"), out, [path for items in paths.values() for path in items])
    printer = ProgressPrinter(step.title, quiet=bool(given.get("quiet")))
    _make_folder(out)
    with printer:
        inputs = _job_inputs(step, given, paths, store, printer)
        params = param_values(step.params, given)
        if "seed" in step.params.model_fields and given.get("seed") is not None:
            params["seed"] = given["seed"]
        spec = JobSpec(step.name, params, inputs)
        validate_spec(spec)
        with _terminable(), _own_names(inputs, paths, store):
            key = _execute(spec, store, given, printer)
    found = store.get(key)
    show_result(found, store, step, out)
    printer.summary(found.result)
    for name in sorted(found.files):
        click.echo(str(out / name))
    return 0


def _execute(spec: JobSpec, store: Store, given: Mapping[str, Any], printer: ProgressPrinter) -> str:
    """Run a job in this process, or on the cluster that was given."""
    if not given.get("cluster"):
        return execute(spec, store, given["device"], printer.event)
    from spa_widgets.session.clusters.remote import execute_on
    from spa_widgets.session.clusters.setting import ClusterSetting

    return execute_on(ClusterSetting.of(given["cluster"]), spec, store, given["device"], printer.event)


@contextmanager
def _terminable() -> Iterator[None]:
    """Let a batch system's SIGTERM, and a terminal that is closed, end a job like an interrupt from the keyboard."""

    def stop(signum: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    known = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
    before = {number: signal.getsignal(number) for number in known}
    heeded = [number for number in known if before[number] != signal.SIG_IGN]  # `nohup` has one ignored
    for number in heeded:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in heeded:
            signal.signal(number, before[number])


@contextmanager
def _own_names(inputs: Mapping[str, JobInput], paths: Mapping[str, list[Path]], store: Store) -> Iterator[None]:
    """Let errors name files as the person gave them, not as the store keeps them."""
    try:
        yield
    except (UserError, ValueError) as error:
        text = str(error)
        for name, item in inputs.items():
            if isinstance(item, StoredFile) and paths[name][0].name == Path(item.file).name:
                text = text.replace(str(store.get(item.key).path / item.file), str(paths[name][0]))
        raise UserError(text) from error


def open_store(wanted: str | None, out: Path, inputs: list[Path]) -> Store:
    """Open the store of a command: the one asked for, else that of the environment, else one beside the folder.

    The stores of the inputs' folders stand behind it, so that results are recognised as results.
    """
    path = Path(wanted or os.environ.get(STORE_VARIABLE) or out.parent / ".spa" / "store").expanduser().absolute()
    behind = []
    for item in inputs:
        known = _job_facts(item)
        other = Path(known["store"]) if known else path
        if other != path and other not in behind and (other / "objects").is_dir():
            behind.append(other)
    return Store.open(path, behind)


def _make_folder(out: Path) -> None:
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"Cannot make the folder {out}: {error.strerror}; choose another --out.") from error


def input_paths(step: Step, given: Mapping[str, Any]) -> dict[str, list[Path]]:
    """Find the files of every input that was given.

    Raises
    ------
    UserError
        If one is missing.
    """
    paths: dict[str, list[Path]] = {}
    for item in step.inputs:
        value = given.get(f"input_{item.name}")
        if not value:
            if not item.optional:
                raise UserError(f"spa {step.name.replace('_', '-')} needs {item.name.upper()}; give a file.")
            continue
        found = raw_files(list(value) if isinstance(value, tuple) else value, item.name, step.name)
        paths[item.name] = [_inside(path, item) for path in found]
        if len(found) > 1 and not takes_many(step, item):
            raise UserError(f"{item.name.upper()} takes one file, {len(found)} match {value!r}; give one of them.")
    return paths


def _inside(path: Path, item: Input) -> Path:
    """Return the file of a result's folder that an input wants, for a folder that was given instead of a file."""
    if not path.is_dir():
        return path
    names = [output.file for step in all_steps() for output in step.outputs if output.kind == item.kind]
    facts = _folder_facts(path)
    if facts:
        own = [output.file for output in get_step(facts["step"]).outputs if output.kind == item.kind]
        names = own + names
    for name in [*names, *_PARTS_OF_CLASSES]:
        if (path / name).is_file():
            return path / name
    if not names:
        raise UserError(f"{path} is a folder; expected a file: name the file itself.")
    raise UserError(f"The folder {path} holds no {item.kind} ({' or '.join(dict.fromkeys(names))}); give the file.")


def _job_inputs(
    step: Step, given: Mapping[str, Any], paths: Mapping[str, list[Path]], store: Store, printer: ProgressPrinter
) -> dict[str, JobInput]:
    inputs: dict[str, JobInput] = {}
    for item in step.inputs:
        files = paths.get(item.name)
        if not files:
            continue
        if takes_images(step) and item.kind == "micrographs" and files[0].suffix != ".star":
            inputs[item.name] = _import(files, given, store, printer)
        else:
            stored = _as_stored(files[0], store) if len(files) == 1 else None
            inputs[item.name] = stored or RawFiles(tuple(files))
    return inputs


def _import(files: list[Path], given: Mapping[str, Any], store: Store, printer: ProgressPrinter) -> StoredFile:
    step = get_step(IMPORT_STEP)
    spec = JobSpec(step.name, param_values(step.params, given), {step.inputs[0].name: RawFiles(tuple(files))})
    key = execute(spec, store, "cpu", printer.event)
    return StoredFile(key, step.outputs[0].file)


def _folder_facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / JOB_FILE).read_text(encoding="utf-8"))
        return dict(facts) if {"key", "store", "step"} <= set(facts) else {}
    except (OSError, ValueError, TypeError):
        return {}


def _job_facts(path: Path) -> dict[str, Any]:
    """Return what is known of the job whose folder holds a file (or a folder with it)."""
    for folder in (path.parent, path.parent.parent):
        facts = _folder_facts(folder)
        if facts:
            return {**facts, "folder": folder}
    return {}


def _as_stored(path: Path, store: Store) -> StoredFile | None:
    """Recognise a file as an output of a job in the store, unchanged since."""
    facts = _job_facts(path)
    found = store.find(facts["key"]) if facts else None
    if found is None:
        return None
    name = path.relative_to(facts["folder"]).as_posix()
    stored = found.files.get(name)
    return StoredFile(found.key, name) if stored is not None and path.samefile(stored) else None


def show_result(found: StoredObject, store: Store, step: Step, out: Path) -> None:
    """Link a result into its folder, in place of the result that this folder showed before.

    Raises
    ------
    UserError
        If the folder holds a file of that name that no command made.
    """
    shown = set(_folder_facts(out).get("files", ()))
    foreign = [name for name in found.files if (out / name).exists() and name not in shown]
    if foreign and not _same_files(found, out, foreign):
        raise UserError(f"{out / foreign[0]} is there and was not made by spa; choose another folder for --out.")
    for name in shown - set(found.files):
        (out / name).unlink(missing_ok=True)
    root = found.path.parents[2]
    # first the note, so that files of an interrupted linking are known as ours
    facts = {"step": step.name, "key": found.key, "store": str(root), "files": sorted(found.files)}
    write_json(out / JOB_FILE, facts)
    link_result(found, out)


def _same_files(found: StoredObject, out: Path, names: list[str]) -> bool:
    return all((out / name).samefile(found.files[name]) for name in names)
