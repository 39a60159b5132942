"""CTFInspector: spectra with their fits, curves, and which micrographs are good enough to go on with."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import traitlets
from numpy.typing import NDArray

from engine.ctf.arcs import smooth_along_arcs
from spa_widgets.errors import UserError
from spa_widgets.io.star import read_star, write_star
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, SpaWidget, bundle
from spa_widgets.viewers.encode import PNG, WEBP, encode, img_tag

_CAPTION = "CTF of the fit (left), spectrum (upper right), spectrum averaged along the fitted rings (lower right)"
CURVES = ("frequency_per_A", "spectrum", "background", "fit", "cross_correlation")


class CTFInspector(SpaWidget):
    """Look at CTF fits and reject bad micrographs.

    Parameters
    ----------
    session : Session or None
        Where the decision is kept.
    ctf : job or path
        A CTF estimation: its job, its folder, or its ``micrographs.star`` (``spectra.npz`` beside it holds the curves).
    **options
        ``current``, ``worst_resolution_A`` (micrographs whose fit ends coarser are rejected; None is no limit),
        ``language``.
    """

    _esm = bundle("estimate_ctf")
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Int(0).tag(sync=True)
    worst_resolution_A = traitlets.Float(None, allow_none=True).tag(sync=True)
    flipped = traitlets.List(traitlets.Int()).tag(sync=True)

    def __init__(self, session: Any, ctf: Any, **options: Any) -> None:
        kept = sources.recall(session, sources.decision_key("ctf", ctf)) or {}
        super().__init__(**{**kept, **options})
        self._session, self._source = session, ctf
        self._when_ready([ctf], self._load)

    def _load(self) -> None:
        self._star = sources.file_of(self._source, ["micrographs"], ["micrographs.star", "micrographs_ctf.star"])
        self._tables = read_star(self._star)
        if "rlnDefocusU" not in self._tables.get("micrographs", ()):
            raise UserError(f"{self._star} holds no defocus; give the job or folder of a CTF estimation")
        spectra = sources.beside(self._star, "spectra.npz")
        if spectra is None and sources.job_of(self._source) is not None:
            spectra = sources.file_of(self._source, ["spectra"], ["spectra.npz"])
        self._spectra: dict[str, NDArray[Any]] = {}
        if spectra is not None:
            with np.load(spectra, allow_pickle=False) as stored:
                self._spectra = dict(stored)
        self.rows = [_row(row) for _, row in self._tables["micrographs"].iterrows()]
        self.observe(self._keep, names=["worst_resolution_A", "flipped"])

    # ---- decisions -----------------------------------------------------------------------------------------------
    @property
    def accepted(self) -> list[bool]:
        """Which micrographs are accepted: by the limit, unless a person decided otherwise."""
        self._need()
        return [self._by_limit(row) != (index in self.flipped) for index, row in enumerate(self.rows)]

    @property
    def accepted_names(self) -> list[str]:
        """Names of the accepted micrographs."""
        return [row["name"] for row, good in zip(self.rows, self.accepted, strict=True) if good]

    @property
    def table(self) -> pd.DataFrame:
        """The micrographs with defocus, astigmatism, fit resolution, score and whether they are accepted."""
        self._need()
        return pd.DataFrame(self.rows).assign(accepted=self.accepted)

    def _by_limit(self, row: dict[str, Any]) -> bool:
        limit, reached = self.worst_resolution_A, row["resolution_A"]
        return limit is None or (reached is not None and 0 < reached <= limit)

    def reject(self, *names: str | int) -> None:
        """Reject micrographs by name or number."""
        self._decide(names, False)

    def accept(self, *names: str | int) -> None:
        """Accept micrographs by name or number, whatever the limit says."""
        self._decide(names, True)

    def set(self, worst_resolution_A: float | None) -> None:
        """Reject every micrograph whose fit ends at a coarser resolution (Å); None takes the limit away."""
        self.worst_resolution_A = worst_resolution_A

    def _decide(self, names: Iterable[str | int], good: bool) -> None:
        self._need()
        with self._lock:
            flipped = set(self.flipped)
            for name in names:
                index = self._index(name)
                if self._by_limit(self.rows[index]) == good:
                    flipped.discard(index)
                else:
                    flipped.add(index)
            self.flipped = sorted(flipped)

    def _index(self, name: str | int) -> int:
        names = [row["name"] for row in self.rows]
        if isinstance(name, int) and 0 <= name < len(names):
            return name
        if name in names:
            return names.index(str(name))
        raise UserError(f"no micrograph is called {name!r}; there are {names[0]} … {names[-1]}")

    def save(self, path: str) -> None:
        """Write a STAR file of the accepted micrographs: an input for the next steps."""
        accepted = self._tables["micrographs"][self.accepted]
        if not len(accepted):
            raise UserError("no micrograph is accepted; widen the limit before saving")
        write_star(path, {**self._tables, "micrographs": accepted})

    def code(self) -> str:
        """Give the decision as Python that reproduces it."""
        lines = [f"inspector.set(worst_resolution_A={self.worst_resolution_A})"]
        for verb, good in (("reject", False), ("accept", True)):
            names = [self.rows[i]["name"] for i in self.flipped if self._by_limit(self.rows[i]) != good]
            lines += [f"inspector.{verb}({', '.join(map(repr, names))})"] if names else []
        return "\n".join(lines)

    def static_html(self) -> str:
        """Give the spectrum of the present micrograph and a table of all."""
        self._need()
        pictures, name = self._spectra.get("pictures"), self.rows[self.current]["name"]
        picture = "" if pictures is None else img_tag(smooth_along_arcs(pictures[self.current]), name, 300, WEBP, 85)
        table = _for_people(self.table).to_html(index=False, max_rows=30, border=0, na_rep="–")
        return f"<div>{picture}<br>{escape(name)}: {_CAPTION}{table}</div>"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_spectrum(self, index: int) -> Answer:
        self._need()
        if not self._spectra or not 0 <= index < len(self._spectra["pictures"]):
            return {"found": False}, []
        curves = [np.asarray(self._spectra[name][index], np.float32) for name in CURVES]
        step = float(self._spectra["picture_step_per_A"][index])
        picture = encode(smooth_along_arcs(self._spectra["pictures"][index]), PNG)
        facts = {"found": bool(np.isfinite(curves[3]).any()), "mime": PNG, "step_per_A": step}
        return facts, [picture, *(curve.astype("<f4").tobytes() for curve in curves)]

    def _ask_toggle(self, index: int) -> dict[str, Any]:
        self._decide([index], not self.accepted[index])
        return {}

    def _keep(self, _change: Any) -> None:
        if self._session is not None:
            decision = {"worst_resolution_A": self.worst_resolution_A, "flipped": list(self.flipped)}
            self._session.decide(sources.decision_key("ctf", self._source), decision)


def _for_people(table: pd.DataFrame) -> pd.DataFrame:
    """Give the table with headings in words and units, and as many digits as say something."""
    columns = {
        "Micrograph": table["name"],
        "Defocus (µm)": table["defocus_A"].map(lambda value: f"{value / 10_000:.3f}"),
        "Astigmatism (Å)": table["astigmatism_A"].map(_digits(0)),
        "Angle (°)": table["angle_deg"].map(_digits(0)),
        "Fit to (Å)": table["resolution_A"].map(_digits(2)),
        "Score": table["score"].map(_digits(2)),
        "Ice": table["ice"].map(_digits(2)),
        "Accepted": table["accepted"].map({True: "yes", False: "no"}),
    }
    shown = pd.DataFrame(columns)
    return shown if table["ice"].notna().any() else shown.drop(columns="Ice")


def _digits(count: int) -> Callable[[float | None], str]:
    return lambda value: "–" if value is None or not math.isfinite(value) else f"{value:.{count}f}"


def _row(row: pd.Series) -> dict[str, Any]:
    """Give the facts of a micrograph for the screen; what is not known is None."""

    def known(column: str, digits: int) -> float | None:
        value = float(row.get(column, math.nan))
        return round(value, digits) if math.isfinite(value) else None

    u, v = float(row["rlnDefocusU"]), float(row["rlnDefocusV"])
    return {
        "name": str(row["rlnMicrographName"]).rpartition("/")[2],
        "defocus_A": round((u + v) / 2, 1),
        "astigmatism_A": round(abs(u - v), 1),
        "angle_deg": known("rlnDefocusAngle", 1),
        "resolution_A": known("rlnCtfMaxResolution", 2),
        "score": known("rlnCtfFigureOfMerit", 4),
        "ice": known("spaIceThickness", 3),
    }
