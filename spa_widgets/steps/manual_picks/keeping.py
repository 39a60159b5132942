"""Picks survive the kernel: each change is kept in the session, or in a file."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from spa_widgets.errors import UserError
from spa_widgets.viewers import sources

Picks = dict[str, list[tuple[float, float]]]


class PickKeeper:
    """Where picks are kept between kernels.

    Parameters
    ----------
    session : Session or None
        Keeps one decision for each micrograph.
    source : job or path
        The micrographs, by which decisions are filed.
    autosave : path, optional
        JSON file that holds all picks; it goes before the session.
    """

    def __init__(self, session: Any, source: Any, autosave: str | Path | None) -> None:
        self._session = session
        self._prefix = sources.decision_key("manual_picks", source)
        self._file = Path(autosave) if autosave else None

    def kept(self, names: Iterable[str]) -> Picks:
        """Give the picks kept at an earlier time on these micrographs."""
        if self._file and self._file.exists():
            try:
                return {str(name): list(each) for name, each in json.loads(self._file.read_bytes())["picks"].items()}
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                raise UserError(
                    f"{self._file} holds no picks; expected those that were kept in it: name another file for "
                    "autosave, or delete it."
                ) from error
        found = {name: sources.recall(self._session, f"{self._prefix}/{name}") for name in names}
        return {name: points for name, points in found.items() if points is not None}

    def keep(self, name: str, picks: Picks) -> None:
        """Keep the picks of one micrograph, of which all are given."""
        if self._session is not None:
            self._session.decide(f"{self._prefix}/{name}", picks.get(name, []))
        if self._file:
            temporary = self._file.with_suffix(self._file.suffix + ".new")
            temporary.write_text(json.dumps({"picks": picks}), encoding="utf-8")
            temporary.replace(self._file)
