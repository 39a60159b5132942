"""Apply other thresholds to the scores that a picker kept."""

from __future__ import annotations

from pathlib import Path

from spa_widgets.io.picks import read_picks
from spa_widgets.io.star import Tables
from spa_widgets.session.context import JobContext
from spa_widgets.steps._pick_scores import write_within_thresholds
from spa_widgets.steps._picks import CANDIDATES_FILE


def run(ctx: JobContext) -> None:
    """Write the picks within the thresholds."""
    write_within_thresholds(ctx, scored_picks(ctx.input("picks"), ctx.params.use_candidates))


def scored_picks(picks: Path, use_candidates: bool = True) -> Tables:
    """Picks with their scores; all candidates of the same picker where they lie beside its picks."""
    beside = picks.resolve().parent / CANDIDATES_FILE
    return read_picks(beside if use_candidates and picks.name == "picks.star" and beside.is_file() else picks)
