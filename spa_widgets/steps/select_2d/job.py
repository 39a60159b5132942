"""Choice of 2D classes: keeps the particles and averages of the good ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.classification.select import select_classes
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import need_columns
from spa_widgets.io.tables import read_csv_table
from spa_widgets.session.context import JobContext


def run(ctx: JobContext) -> None:
    """Run the job."""
    averages_path = ctx.input("classes")
    if averages_path.is_dir():
        averages_path = averages_path / "class_averages.mrcs"
    averages, pixel_size_A = read_mrc(averages_path)
    numbers = _choose(ctx, averages_path.parent, len(averages))
    particles = ParticleSet.read(_beside(averages_path.parent, "particles.star"))
    need_columns(particles.table, ("rlnClassNumber",), particles.path)
    kept = np.flatnonzero(np.isin(particles.table["rlnClassNumber"].to_numpy(), numbers))
    if not len(kept):
        raise UserError(f"The chosen classes {_listed(numbers)} hold no particle: choose others.")
    particles.take(kept).write(ctx.out / "particles.star")
    templates = averages[np.asarray(numbers) - 1]
    write_mrc(ctx.out / "templates.mrcs", templates, pixel_size_A, is_stack=True)
    ctx.figure("classes", [int(number) for number in numbers])
    ctx.figure("particles", len(kept))
    ctx.figure("particles_of", particles.count)
    ctx.progress(1, 1, f"{len(numbers)} of {len(averages)} classes, {len(kept)} of {particles.count} particles")


def _choose(ctx: JobContext, folder: Path, count: int) -> list[int]:
    """Return the numbers (from 1) of the classes to keep."""
    if not ctx.params.auto:
        numbers = sorted(set(ctx.params.classes))
        if numbers[-1] > count:
            raise UserError(
                f"Class {numbers[-1]} was chosen but there are only {count} classes: choose from 1 to {count}."
            )
        return numbers
    table = read_csv_table(_beside(folder, "classes.csv"), "a row of numbers for each class")
    try:
        chosen = select_classes({str(name): table[name].to_numpy() for name in table})
    except ValueError as error:
        raise UserError(str(error)) from error
    return [int(number) for number in table["class"].to_numpy()[chosen]]


def _beside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.exists():
        raise UserError(f"{folder} has no {name}; give the folder of a 2D classification.")
    return path


def _listed(numbers: list[int]) -> str:
    return ", ".join(str(number) for number in numbers)
