"""What the notebook of experiments starts from: the results of a tutorial that has run, and places of bare ice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from engine.picking.empty import empty_places
from spa_widgets.errors import UserError
from spa_widgets.io.mrc import mrc_shape
from spa_widgets.tutorial.checks import truth_objects
from spa_widgets.tutorial.data import TutorialData

WORKSPACE = "tutorial"
_STEPS = {
    "simulated": "simulate",
    "ctf": "estimate_ctf",
    "candidates": "pick_templates",
    "selected": "select_2d",
    "initial": "initial_model",
    "refined": "refine",
}


@dataclass(frozen=True)
class TutorialResults:
    """Finished jobs of the tutorial, each the last of its step."""

    simulated: Any
    ctf: Any
    candidates: Any
    selected: Any
    initial: Any
    refined: Any


def tutorial_results(session: Any, data: TutorialData) -> TutorialResults:
    """Find the jobs of a tutorial on the embedded set, and let ``data`` know the truth.

    Raises
    ------
    UserError
        If the tutorial has not run to its end in this project.
    """
    if not data.is_embedded:
        raise UserError("The experiments need data of which the truth is known: leave SPA_TUTORIAL's micrographs out.")
    finished = [job for job in session.workspace(WORKSPACE).jobs if job.status == "finished"]
    last = {job.step.name: job for job in finished}
    if missing := [step for step in _STEPS.values() if step not in last]:
        raise UserError(
            f"The experiments start from a finished tutorial on its embedded data, but {session.path} has no finished "
            f"{missing[0]}; run the tutorial's notebook to its end (or `spa tutorial`) and then this one again."
        )
    data.prepare(session)
    return TutorialResults(**{name: last[step] for name, step in _STEPS.items()})


def bare_ice(data: TutorialData, each: int, away_A: float = 150.0, seed: int = 0) -> dict[str, list[list[int]]]:
    """Places of a simulated set with no object nearby, by micrograph, as picks by hand.

    Parameters
    ----------
    data : TutorialData
        The embedded set, prepared.
    each : int
        Places wanted on a micrograph; a crowded one has fewer.
    away_A : float
        Least distance to any object's centre, in Å.
    seed : int
        Of the draw.
    """
    rng = np.random.default_rng(seed)
    if data.truth is None:
        raise UserError("Where the ice is bare is known of the embedded data only; run the tutorial on those first.")
    away_px, margin_px = away_A / data.pixel_size_A, data.box_px // 2
    places = {}
    for name, known in truth_objects(data.truth).groupby("rlnMicrographName"):
        file = Path(str(name))
        height, width = mrc_shape(file)[-2:]
        around = known[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float)
        found = empty_places(around, (height, width), away_px, margin_px, each, rng)
        places[file.name] = np.rint(found).astype(int).tolist()
    return places


def as_table(jobs: Mapping[Any, Any], figures: Mapping[str, str]) -> pd.DataFrame:
    """One row for each job, with those of its figures that are asked for, by the name that they are to have."""
    return pd.DataFrame(
        {label: {name: job.figures.get(key) for name, job in jobs.items()} for key, label in figures.items()}
    ).round(2)


def truth_table(data: TutorialData, what: str, jobs: Mapping[Any, Any]) -> pd.DataFrame:
    """One row for each job, with what `TutorialData.check` says of it."""
    return pd.DataFrame.from_dict(
        {name: {label: value for label, value, _ in data.check(what, job).rows} for name, job in jobs.items()},
        orient="index",
    ).round(2)
