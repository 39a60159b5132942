"""Words of a form: labels of inputs, values as text, and what is wrong in Japanese."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

from spa_widgets.session.figures import readable_name
from spa_widgets.session.registry import Input


def first_large(text: str) -> str:
    """Begin a sentence or label with a capital letter."""
    return text[:1].upper() + text[1:]


def input_label(item: Input) -> str:
    """Name an input for people."""
    return first_large(readable_name(item.name)[0])


def input_text(ref: Any) -> str:
    """Write an input as the view has it: ``J3/picks.star`` or a path."""
    if ref is None or isinstance(ref, str):
        return ref or ""
    if "job" in ref:
        return f"J{ref['job']}/{ref['file']}"
    if "files" in ref:
        return str(ref.get("pattern") or (ref["files"][0] if len(ref["files"]) == 1 else ", ".join(ref["files"])))
    return f"{ref['key'][:12]}…/{ref['file']}"


def value_text(value: Any) -> Any:
    """Give a value as it stands in a field of the page: text, except for a switch."""
    if value is None or isinstance(value, bool | str):
        return "" if value is None else value
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(str(each) for each in value)
    return f"{value:.12g}" if isinstance(value, float) else json.dumps(value, ensure_ascii=False)


@lru_cache(maxsize=1)
def _sentences() -> list[tuple[re.Pattern[str], str]]:
    path = Path(__file__).with_name("problems.ja.json")
    known: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return [(re.compile(pattern, re.DOTALL), ja) for pattern, ja in known.items()]


def problem_in_japanese(text: str) -> str:
    """Give the Japanese of what is wrong in a form; the sentence itself where it is not foreseen."""
    for pattern, ja in _sentences():
        if found := pattern.fullmatch(text):
            return ja.format(*found.groups())
    return text
