"""Check picks made by hand against the micrographs and write them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.star import write_star
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Write the picks, micrographs in their order in the set."""
    micrographs = MicrographSet.read(ctx.input("micrographs"))
    rows: list[tuple[int, float, float]] = []
    for name, points in ctx.params.picks.items():
        index = find_micrograph(micrographs, name)
        height, width = micrographs.shape(index)
        for x, y in points:
            if not (0 <= x <= width - 1 and 0 <= y <= height - 1):
                raise UserError(
                    f"The pick ({x:g}, {y:g}) lies outside {name}, which has {width} × {height} px; "
                    "expected pixels of the micrograph itself: were the picks made on a binned picture?"
                )
            rows.append((index, x, y))
    if not rows:
        raise UserError("Nothing is picked; expected at least one position: click on some particles first.")
    rows.sort(key=lambda row: row[0])
    table = pd.DataFrame(
        {
            "rlnMicrographName": [str(micrographs.image_path(index)) for index, _, _ in rows],
            "rlnCoordinateX": [x for _, x, _ in rows],
            "rlnCoordinateY": [y for _, _, y in rows],
        }
    )
    write_star(ctx.out / "picks.star", {"particles": table})
    ctx.figure("picks", len(table))
    ctx.figure("micrographs", table["rlnMicrographName"].nunique())


def find_micrograph(micrographs: MicrographSet, wanted: str) -> int:
    """Index of a micrograph by its full name, its file name or its file name without ending.

    Raises
    ------
    UserError
        When there is none, or more than one.
    """
    paths = [Path(micrographs.name(i)) for i in range(micrographs.count)]
    for names in ([str(path) for path in paths], [path.name for path in paths], [path.stem for path in paths]):
        found = [i for i, name in enumerate(names) if name == wanted]
        if len(found) == 1:
            return found[0]
        if found:
            raise UserError(f"{len(found)} micrographs are called {wanted}; name them with their folders.")
    raise UserError(f"There is no micrograph {wanted} among the {len(paths)}; the first one is {paths[0].name}.")
