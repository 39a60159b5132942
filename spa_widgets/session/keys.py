"""Keys: what a result is called, and why.

A job's key is the SHA-256 of its *pieces*: step name, step version, canonical parameters (seed included) and what
its inputs are: the key of the job and the file for results of other jobs, the hash of the content for raw files.
Package versions, device and time are recorded beside a result, never hashed, so an upgrade keeps every result.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

KEY_PATTERN = re.compile(r"[0-9a-f]{64}")


def canonical_json(value: Any) -> str:
    """One text for equal values: sorted names, no spaces, no NaN, tuples as lists, -0.0 as 0.0.

    Raises
    ------
    ValueError
        If the value holds a NaN or an infinity, which have no JSON form.
    """
    return json.dumps(_normalised(value), sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def _normalised(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _normalised(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_normalised(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted(_normalised(item) for item in value)
    if isinstance(value, float) and value == 0.0:
        return 0.0
    return value


def digest(value: Any) -> str:
    """SHA-256 (64 hexadecimal digits) of the canonical JSON of a value."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's content, read in pieces."""
    with path.open("rb", buffering=0) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_key(text: str) -> bool:
    """Whether a text has the form of a key (a guard before it becomes part of a path)."""
    return KEY_PATTERN.fullmatch(text) is not None


def key_pieces(step: str, version: int, params: Mapping[str, Any], inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Collect everything that a job's key is made of.

    Parameters
    ----------
    step, version
        Name and version of the step.
    params
        Parameters as JSON values, defaults filled in.
    inputs
        For each input name a list of pieces: ``{"job": key, "file": name}`` for the result of a job, or
        ``{"name": base name, "sha256": …}`` for a raw file.
    """
    return {"step": step, "version": version, "params": dict(params), "inputs": dict(inputs)}


class Text(str):
    """A text of several lines that a notebook shows as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Return the text itself, not its quoted form."""
        return str(self)


def explain(pieces: Mapping[str, Any]) -> Text:
    """Spell out a job's key: the text that `job.explain_key()` shows."""
    lines = [f"step     {pieces['step']} (version {pieces['version']})"]
    lines += [f"param    {name} = {canonical_json(value)}" for name, value in sorted(pieces["params"].items())]
    for name, items in sorted(pieces["inputs"].items()):
        lines += [f"input    {name}: {_explain_input(item)}" for item in items]
    lines.append(f"key      {digest(pieces)}")
    return Text("\n".join(lines))


def _explain_input(item: Mapping[str, Any]) -> str:
    if "job" in item:
        return f"{item['file']} of job {item['job'][:16]}…"
    refers = f", refers to {len(item['refers_to'])} files" if item.get("refers_to") else ""
    return f"{item['name']} (content {item['sha256'][:16]}…{refers})"
