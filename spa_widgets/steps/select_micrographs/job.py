"""Keep the accepted micrographs, and tell why the others are left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.session.context import JobContext
from spa_widgets.steps.manual_picks.job import find_micrograph
from spa_widgets.steps.select_micrographs.choice import BY_HAND, LIMITS, NOT_FITTED, after_hand, facts_of, reasons

_FIGURES = {
    NOT_FITTED: "rejected_without_fit",
    BY_HAND: "rejected_by_hand",
    **{fact: f"rejected_for_{fact.removesuffix('_A')}" for fact in LIMITS.values()},
}


def run(ctx: JobContext) -> None:
    """Run the job."""
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    limits = {name: getattr(ctx.params, name) for name in LIMITS}
    facts = facts_of(micrographs.table)
    accept, reject = (
        {find_micrograph(micrographs, name) for name in names} for names in (ctx.params.accept, ctx.params.reject)
    )
    found = after_hand(reasons(facts, limits), accept, reject)
    kept = np.flatnonzero([not against for against in found])
    counts = Counter(reason for against in found for reason in against)
    if not len(kept):
        why = ", ".join(f"{count} for {reason}" for reason, count in counts.most_common())
        raise UserError(f"None of the {micrographs.count} micrographs is accepted ({why}): widen the limits.")
    table = micrographs.table.copy()
    table["rlnMicrographName"] = [str(micrographs.image_path(i)) for i in range(micrographs.count)]
    replace(micrographs, table=table.iloc[kept].reset_index(drop=True)).write(ctx.out / "micrographs.star")
    rejected = [(facts["name"].iloc[i], "; ".join(against)) for i, against in enumerate(found) if against]
    pd.DataFrame(rejected, columns=["micrograph", "reasons"]).to_csv(ctx.out / "rejected.csv", index=False)
    ctx.figure("micrographs", len(kept))
    ctx.figure("micrographs_of", micrographs.count)
    ctx.figure("rejected", len(rejected))
    for reason, count in counts.items():
        ctx.figure(_FIGURES[reason], count)
    ctx.progress(1, 1, f"{len(kept)} of {micrographs.count} micrographs")
