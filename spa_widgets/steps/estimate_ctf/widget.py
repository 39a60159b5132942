"""CTFInspector: spectra with their fits, curves, and which micrographs are good enough to go on with."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import pandas as pd
import traitlets

from spa_widgets.errors import UserError
from spa_widgets.io.star import read_star, write_star
from spa_widgets.steps.estimate_ctf.rows import for_people, row_of
from spa_widgets.steps.estimate_ctf.spectra import Spectra, find_spectra, landscape_of
from spa_widgets.steps.select_micrographs.choice import LIMITS, after_hand, facts_of, reasons
from spa_widgets.viewers import sources
from spa_widgets.viewers.base import Answer, bundle
from spa_widgets.viewers.encode import PNG, WEBP, encode, img_tag
from spa_widgets.viewers.history import History, UndoableWidget

_CAPTION = "CTF of the fit (left), spectrum (upper right), spectrum averaged along the fitted rings (lower right)"
_DECISION = (*LIMITS, "accepted_by_hand", "rejected_by_hand")


def _limit() -> Any:
    return traitlets.Float(None, allow_none=True).tag(sync=True)


class CTFInspector(UndoableWidget):
    """Look at CTF fits, and choose the micrographs to go on with.

    Parameters
    ----------
    session : Session or None
        Where every click is kept, and where :meth:`submit` sends the choice.
    ctf : job or path
        A CTF estimation: its job, its folder, or its ``micrographs.star`` (``spectra.npz`` beside it holds the curves).
    **options
        ``current``; limits, of which None is none: ``worst_resolution_A`` (micrographs whose fit ends coarser are
        rejected), ``min_defocus_A``, ``max_defocus_A``, ``max_astigmatism_A``, ``min_confidence``, ``min_score``,
        ``max_ice``; ``language``.
    """

    _esm = bundle("estimate_ctf")
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    current = traitlets.Int(0, min=0).tag(sync=True)
    worst_resolution_A = _limit()
    min_defocus_A = _limit()
    max_defocus_A = _limit()
    max_astigmatism_A = _limit()
    min_confidence = _limit()
    min_score = _limit()
    max_ice = _limit()
    accepted_by_hand = traitlets.List(traitlets.Int()).tag(sync=True)
    rejected_by_hand = traitlets.List(traitlets.Int()).tag(sync=True)
    can_submit = traitlets.Bool(False).tag(sync=True)

    def __init__(self, session: Any, ctf: Any, **options: Any) -> None:
        super().__init__(can_submit=session is not None, **options)
        self._session, self._source = session, ctf
        self._given = any(name in options for name in _DECISION)
        self._when_ready([ctf], self._load)

    def _load(self) -> None:
        self._star = sources.file_of(self._source, ["micrographs"], ["micrographs.star", "micrographs_ctf.star"])
        self._tables = read_star(self._star)
        if "rlnDefocusU" not in self._tables.get("micrographs", ()):
            raise UserError(f"{self._star} holds no defocus; give the job or folder of a CTF estimation")
        self._facts = facts_of(self._tables["micrographs"])
        self._names = [str(name) for name in self._facts["name"]]
        self._spectra = Spectra(find_spectra(self._source, self._star), self._names)
        self._history = History(self._session, sources.decision_key("ctf", self._source), self.decision)
        if not self._given:
            self._apply(self._history.value)
        self.current = min(self.current, len(self._names) - 1)
        self.rows = [row_of(row) for _, row in self._facts.iterrows()]
        self._show_history()
        self.observe(self._keep, names=list(_DECISION))

    # ---- decisions -----------------------------------------------------------------------------------------------
    @property
    def limits(self) -> dict[str, float]:
        """The limits that are set."""
        return {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}

    @property
    def decision(self) -> dict[str, Any]:
        """What :meth:`submit` tells the step: limits, and the names that were accepted and rejected by hand."""
        hand = {"accept": self.accepted_by_hand, "reject": self.rejected_by_hand}
        return {
            **self.limits,
            **{verb: [self._names[i] for i in sorted(numbers)] for verb, numbers in hand.items() if numbers},
        }

    @property
    def reasons(self) -> list[list[str]]:
        """What is against each micrograph; empty for the accepted ones."""
        self._need()
        return after_hand(reasons(self._facts, self.limits), self.accepted_by_hand, self.rejected_by_hand)

    @property
    def accepted(self) -> list[bool]:
        """Which micrographs are accepted: by the limits, unless a person decided otherwise."""
        return [not against for against in self.reasons]

    @property
    def accepted_names(self) -> list[str]:
        """Names of the accepted micrographs."""
        return [name for name, good in zip(self._names, self.accepted, strict=True) if good]

    @property
    def table(self) -> pd.DataFrame:
        """The micrographs with what their fits say, whether they are accepted, and what is against the others."""
        found = self.reasons
        return self._facts.assign(accepted=[not against for against in found], reasons=["; ".join(a) for a in found])

    def reject(self, *names: str | int) -> None:
        """Reject micrographs by name or number."""
        self._decide(names, False)

    def accept(self, *names: str | int) -> None:
        """Accept micrographs by name or number, whatever the limits say."""
        self._decide(names, True)

    def set(self, **limits: float | None) -> None:
        """Set limits, such as ``worst_resolution_A``, as a dragged line does; None takes one away."""
        self._need()
        for name in limits:
            if name not in LIMITS:
                raise UserError(f"there is no limit {name!r}; there are {', '.join(LIMITS)}")
        reasons(self._facts, limits)  # says what cannot be limited
        with self._lock, self.hold_trait_notifications():
            for name, value in limits.items():
                setattr(self, name, None if value is None else float(value))

    def _decide(self, names: Iterable[str | int], good: bool) -> None:
        self._need()
        with self._lock, self.hold_trait_notifications():
            hand = {True: set(self.accepted_by_hand), False: set(self.rejected_by_hand)}
            by_limits = reasons(self._facts, self.limits)
            for index in map(self._index, names):
                hand[True].discard(index)
                hand[False].discard(index)
                if (not by_limits[index]) != good:  # the limits say the contrary
                    hand[good].add(index)
            self.accepted_by_hand, self.rejected_by_hand = sorted(hand[True]), sorted(hand[False])

    def _index(self, name: str | int) -> int:
        names = self._names
        if isinstance(name, int) and 0 <= name < len(names):
            return name
        if name in names:
            return names.index(str(name))
        raise UserError(f"no micrograph is called {name!r}; there are {names[0]} … {names[-1]}")

    def submit(self) -> Any:
        """Make the choice a job of the session and give it: the accepted micrographs."""
        if not any(self.accepted):
            raise UserError("no micrograph is accepted; widen the limits first")
        if self._session is None:
            raise UserError("this inspector has no session; write the accepted micrographs with save('good.star')")
        source = self._star if sources.job_of(self._source) is None else self._source
        return self._session.select_micrographs(source, **self.decision)

    def save(self, path: str) -> None:
        """Write a STAR file of the accepted micrographs: an input for the next steps."""
        accepted = self._tables["micrographs"][self.accepted]
        if not len(accepted):
            raise UserError("no micrograph is accepted; widen the limits before saving")
        write_star(path, {**self._tables, "micrographs": accepted})

    def code(self) -> str:
        """Give the choice as Python that reproduces it."""
        self._need()
        return f"good = session.select_micrographs(ctf{''.join(f', {n}={v!r}' for n, v in self.decision.items())})"

    def static_html(self) -> str:
        """Give the spectrum of the present micrograph and a table of all."""
        self._need()
        picture, name = self._spectra.picture(self.current), self._names[self.current]
        image = "" if picture is None else img_tag(picture, name, 300, WEBP, 85)
        table = for_people(self.table).to_html(index=False, max_rows=30, border=0, na_rep="–")
        return f"<div>{image}<br>{escape(name)}: {_CAPTION}{table}</div>"

    # ---- questions from the views --------------------------------------------------------------------------------
    def _ask_spectrum(self, index: int) -> Answer:
        self._need()
        picture = self._spectra.picture(index)
        if picture is None:
            return {"found": False}, []
        curves = self._spectra.curves(index)
        facts = {"found": self.rows[index]["fitted"], "mime": PNG, "step_per_A": self._spectra.step_per_A(index)}
        return facts, [encode(picture, PNG), *(curve.astype("<f4").tobytes() for curve in curves)]

    def _ask_landscape(self, index: int) -> Answer:
        self._need()
        found = landscape_of(self._star, self._tables, index)
        if found is None:
            return {"found": False}, []
        landscape, aspect = found
        facts = {"found": True, "side": len(landscape.height_A), "tilt_deg": landscape.tilt_deg, "aspect": aspect}
        return facts, [landscape.height_A.astype("<f4").tobytes()]

    def _ask_toggle(self, index: int) -> dict[str, Any]:
        self._decide([index], not self.accepted[index])
        return {}

    def _ask_decide(self, indices: list[int], good: bool) -> dict[str, Any]:
        self._decide(indices, good)
        return {}

    def _ask_limit(self, **limits: float | None) -> dict[str, Any]:
        self.set(**limits)
        return {}

    def _ask_clear(self) -> dict[str, Any]:
        self._apply({})
        return {}

    def _ask_submit(self) -> dict[str, Any]:
        job = self.submit()
        return {"job": job.name, "count": sum(self.accepted)}

    # ---- bookkeeping ---------------------------------------------------------------------------------------------
    def _apply(self, decision: Any) -> None:
        """Show a decision; names that are not among these micrographs say nothing."""
        place = {name: index for index, name in enumerate(self._names)}
        hand = {verb: sorted(place[n] for n in decision.get(verb, ()) if n in place) for verb in ("accept", "reject")}
        with self.hold_trait_notifications():
            for name in LIMITS:
                setattr(self, name, decision.get(name))
            self.accepted_by_hand, self.rejected_by_hand = hand["accept"], hand["reject"]

    def _keep(self, _change: Any) -> None:
        self._decided(self.decision)
