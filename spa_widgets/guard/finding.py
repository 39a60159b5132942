"""A sentence of the guard in two languages: what was seen, why it matters, how to mend it, and the remedy as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any


class Finding(str):
    """What looks wrong, as an English sentence that knows its Japanese and its remedy.

    Attributes
    ----------
    key : str
        Name of the sentence in the catalogue.
    ja : str
        The sentence in Japanese.
    fix : dict
        Parameters of the step with the values that would mend it; empty where none does.
    """

    key: str
    ja: str
    fix: dict[str, Any]

    def __new__(cls, key: str, fix: Mapping[str, Any] | None = None, /, **values: Any) -> Finding:
        """Make the sentence of a key of the catalogue from the values that it names."""
        entry = _catalogue()[key]
        found = super().__new__(cls, entry["en"].format(**values))
        found.key, found.ja, found.fix = key, entry["ja"].format(**values), dict(fix or {})
        return found

    def without_fix(self) -> Finding:
        """Return the same sentence where the step has no such parameter."""
        found = str.__new__(Finding, self)
        found.key, found.ja, found.fix = self.key, self.ja, {}
        return found


@lru_cache(maxsize=1)
def _catalogue() -> dict[str, dict[str, str]]:
    return dict(json.loads(Path(__file__).with_name("findings.json").read_text(encoding="utf-8")))
