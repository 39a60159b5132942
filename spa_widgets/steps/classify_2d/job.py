"""2D classification: reads particles, writes class averages, their figures and the poses."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from engine.arrays import to_numpy
from engine.classification.classify import classify_2d
from engine.classification.figures import class_figures, shell_resolutions_A
from engine.classification.options import ClassificationOptions
from engine.classification.state import ClassificationState
from engine.display import atlas
from engine.fourier.crop import fourier_resize
from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.curves import write_fsc_csv
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import JobContext

_FEW_IN_A_CLASS = 5
_SHOWN = ("class", "count", "resolution_A", "effective_classes")


def run(ctx: JobContext) -> None:
    """Run the job."""
    particle_set = ParticleSet.read(ctx.input("particles"))
    classes = _sensible_classes(ctx, particle_set)
    options = ClassificationOptions(**{**ctx.params.model_dump(exclude={"seed"}), "classes": classes})
    for sentence in particle_warnings(particle_set, ctx.params.mask_diameter_A):
        ctx.warn(sentence)
    with ctx.stage("classify"):
        try:
            state = _classify(ctx, particle_set, options)
        except ValueError as error:
            raise UserError(str(error)) from error
    with ctx.stage("write"):
        _write(ctx, particle_set, state)


def _sensible_classes(ctx: JobContext, particle_set: ParticleSet) -> int:
    """Return how many classes to make: no more than the particles can fill."""
    wanted, count = int(ctx.params.classes), particle_set.count
    if count < 2:
        raise UserError(f"{particle_set.path} holds 1 particle; expected at least 2 to make a class: pick more.")
    if wanted > count:
        fewer = max(1, count // _FEW_IN_A_CLASS)
        ctx.warn(
            f"{wanted} classes were asked for, but {particle_set.path} holds {count} particles; {fewer} "
            f"{'class is' if fewer == 1 else 'classes are'} made instead: pick more particles to tell more views apart."
        )
        return fewer
    if wanted > 1 and wanted * _FEW_IN_A_CLASS > count:
        ctx.warn(
            f"{count} particles in {wanted} classes are fewer than {_FEW_IN_A_CLASS} in each; averages of so few show "
            f"noise as if it were detail: {max(1, count // (2 * _FEW_IN_A_CLASS))} would show more."
        )
    return wanted


def _classify(ctx: JobContext, particle_set: ParticleSet, options: ClassificationOptions) -> ClassificationState:
    kept = ctx.load_checkpoint()
    start = None if kept is None else ClassificationState.from_dict(kept, ctx.xp)
    ctx.progress(0 if start is None else start.iteration, options.iterations + options.full_iterations)
    last, particles = start, particle_set.to_engine()
    with ctx.mapping(particles, particle_set.path) as map_add:
        for state in classify_2d(particles, options, ctx.rng(), start, ctx.xp, map_add):
            message = f"iteration {state.iteration} of {state.total}, next to {state.resolution_A:.1f} Å"
            _show(ctx, state, message)
            ctx.save_checkpoint(state.to_dict())
            ctx.progress(state.iteration, state.total, message)
            last = state
    assert last is not None  # there is at least one full iteration
    return last


def _show(ctx: JobContext, state: ClassificationState, message: str) -> None:
    """Show the averages of an iteration, largest class first, and tell what each tile of the picture is.

    The event ``classes`` holds, tile by tile in reading order, the columns ``class`` (number from 1), ``count``,
    ``resolution_A`` (None where there is none) and ``effective_classes``, and how many tiles make a row.
    """
    order = np.argsort(-state.weight, kind="stable")
    in_a_row = math.ceil(math.sqrt(2 * len(order)))
    # averages hold hardly any noise: from their darkest to their brightest pixel there is nothing to clip
    tiles = atlas(to_numpy(state.averages)[order], in_a_row, sigma=0.0)
    ctx.picture("classes", to_numpy(tiles), caption=message)
    figures = class_figures(state)
    columns = {name: [_plain(v) for v in figures[name][order]] for name in _SHOWN}
    ctx.event("classes", iteration=state.iteration, picture="classes", tiles_in_a_row=in_a_row, **columns)


def _plain(value: float) -> float | None:
    """Return a number that JSON can hold."""
    return round(float(value), 3) if math.isfinite(value) else None


def _write(ctx: JobContext, particle_set: ParticleSet, state: ClassificationState) -> None:
    box_px = particle_set.to_engine().box_px
    averages = to_numpy(fourier_resize(state.averages, box_px))
    write_mrc(ctx.out / "class_averages.mrcs", averages, particle_set.pixel_size_A, is_stack=True)
    figures = class_figures(state)
    table = pd.DataFrame(figures)
    table.to_csv(ctx.out / "classes.csv", index=False, float_format="%.4f")
    resolution_A = shell_resolutions_A(state)
    curves = {f"class_{number}": curve for number, curve in enumerate(state.frc_low, 1)}
    write_fsc_csv(ctx.out / "class_frc.csv", resolution_A, curves)
    _with_results(particle_set, state).write(ctx.out / "particles.star")
    ctx.figure("iterations", state.iteration)
    ctx.figure("working_resolution_A", round(state.resolution_A, 2))
    filled = table[table["count"] > 0]
    ctx.figure("classes_filled", len(filled))
    if len(filled):
        _best_resolution(ctx, float(filled["resolution_A"].min()))
        ctx.figure("mean_effective_classes", round(float(state.effective_classes.mean()), 3))
        ctx.figure("mean_max_probability", round(float(state.max_probability.mean()), 3))


def _best_resolution(ctx: JobContext, resolution_A: float) -> None:
    if math.isfinite(resolution_A):
        ctx.figure("best_resolution_A", round(resolution_A, 2))
        return
    ctx.warn(
        f"No class has a resolution: beyond {ctx.params.independent_beyond_A:g} Å the halves of each agree no better "
        "than aligned noise. Look whether the images show particles (picks, inverted contrast); with few or faint ones "
        "fewer classes show more."
    )


def _with_results(particle_set: ParticleSet, state: ClassificationState) -> ParticleSet:
    """Return the particles with class, in-plane pose and probability; rot and tilt, which 2D does not know, are 0."""
    zero = np.zeros_like(state.psi_deg)
    angles = np.stack([zero, zero, state.psi_deg], axis=1)
    posed = particle_set.with_absolute_names().with_poses(angles, state.shift_A)
    posed.table["rlnClassNumber"] = state.class_index + 1
    posed.table["rlnMaxValueProbDistribution"] = state.max_probability
    return posed
