"""Labels in English and Japanese, from the one message file that the browser side reads too."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

Label = Callable[..., str]


@lru_cache(maxsize=1)
def _messages() -> dict[str, dict[str, str]]:
    path = Path(__file__).with_name("messages.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def translator(language: str) -> Label:
    """Give the function that translates a key (``auto`` is English); ``{name}`` becomes the value of ``name``."""
    own = "ja" if language == "ja" else "en"

    def label(key: str, **values: Any) -> str:
        entry = _messages().get(key)
        return entry[own].format(**values) if entry else key

    return label


@lru_cache(maxsize=1)
def _japanese() -> dict[str, str]:
    path = Path(__file__).with_name("steps.ja.json")
    return dict(json.loads(path.read_text(encoding="utf-8")))


def in_japanese(text: str) -> str:
    """Give the Japanese of a title, label or sentence of a step; the text itself where it is not translated."""
    return _japanese().get(text, text)
