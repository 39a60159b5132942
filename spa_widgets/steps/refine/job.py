"""Refine poses and map."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.alignment.symmetry_axis import find_symmetry
from engine.display import contrast_by_sigma
from engine.fourier.crop import fourier_resize_volume
from engine.particles import Particles
from engine.reconstruction.half_maps import resample_volume
from engine.refinement.products import RefinementProducts, central_slices, refinement_products
from engine.refinement.refine import refine
from engine.refinement.start import coarse_start
from engine.refinement.state import RefinementOptions, RefinementState
from engine.symmetry import point_group
from spa_widgets.errors import UserError
from spa_widgets.guard.maps import symmetry_warnings
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.curves import write_fsc_csv
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.volumes import read_mask, read_volume
from spa_widgets.session.context import JobContext

_FEW = 10


def run(ctx: JobContext) -> None:
    """Refine, report each iteration, write maps, masks, curves and poses."""
    dataset = ParticleSet.read(ctx.input("particles")).with_absolute_names()
    dataset = _with_half_sets(ctx, dataset)
    particles = dataset.to_engine()
    for sentence in particle_warnings(dataset, ctx.params.mask_diameter_A):
        ctx.warn(sentence)
    checkpoint = ctx.load_checkpoint()
    state = None if checkpoint is None else RefinementState.from_dict(checkpoint)
    mask = _mask(ctx, particles)
    state = _refine(ctx, dataset, particles, state, mask)
    with ctx.stage("validation"):
        products = refinement_products(state, particles.pixel_size_A, ctx.rng("phases"), mask)
    with ctx.stage("write"):
        _write(ctx, dataset, particles.pixel_size_A, state, products)
    _report(ctx, state, products)


def _with_half_sets(ctx: JobContext, dataset: ParticleSet) -> ParticleSet:
    """Keep the half sets of the file; particles imported without any get them now."""
    if dataset.count < 2:
        raise UserError(
            f"{dataset.path} holds 1 particle; expected one for each half map at least: choose more classes or picks."
        )
    if dataset.count < _FEW:
        ctx.warn(
            f"{dataset.path} holds {dataset.count} particles; a map of fewer than {_FEW} shows noise as if it were "
            "detail, and its resolution means nothing: choose more classes or picks."
        )
    if "rlnRandomSubset" in dataset.table:
        counts = np.bincount(dataset.half_sets, minlength=3)[1:]
        if not counts.all():
            raise UserError(
                f"{dataset.path} has {counts[0]} particles in half set 1 and {counts[1]} in 2 (rlnRandomSubset); "
                "expected about as many in both: remove the column, and half sets are drawn anew."
            )
        return dataset
    ctx.warn("The particles have no half sets (rlnRandomSubset); they were drawn now and are written with the result.")
    table = dataset.table.assign(rlnRandomSubset=ctx.rng("half sets").permutation(np.arange(dataset.count) % 2) + 1)
    return dataset.with_table(table)


def _on_grid(ctx: JobContext, name: str, particles: Particles) -> NDArray[np.float32]:
    """Read a map onto the particles' grid."""
    volume, pixel_size_A = read_volume(ctx.input(name))
    return resample_volume(volume, pixel_size_A, particles.box_px, particles.pixel_size_A)


def _mask(ctx: JobContext, particles: Particles) -> NDArray[np.float32] | None:
    path = ctx.optional_input("mask")
    if path is None:
        return None
    mask, pixel_size_A = read_mask(path)
    return resample_volume(mask, pixel_size_A, particles.box_px, particles.pixel_size_A)


def _initial_volume(ctx: JobContext, particles: Particles) -> NDArray[np.float32]:
    volume = _on_grid(ctx, "volume", particles)
    if not ctx.params.align_symmetry or len(point_group(ctx.params.symmetry)) == 1:
        return volume
    ctx.progress(0, ctx.params.max_iterations, f"aligning {ctx.params.symmetry} axes")
    small, small_A = coarse_start(volume, particles.pixel_size_A, ctx.params.initial_low_pass_A)
    with ctx.stage("align symmetry"):
        found = find_symmetry(small, small_A, ctx.params.symmetry, may_stand=True)
    ctx.figure("symmetry_score", float(found.score))
    for sentence in symmetry_warnings(small, found, small_A, ctx.params.symmetry):
        ctx.warn(sentence)
    return fourier_resize_volume(np.asarray(found.aligned, np.float32), particles.box_px)


def _options(ctx: JobContext) -> RefinementOptions:
    values = ctx.params.model_dump(exclude={"seed"})
    return RefinementOptions(**{**values, "align_symmetry": False})


def _refine(
    ctx: JobContext,
    dataset: ParticleSet,
    particles: Particles,
    state: RefinementState | None,
    mask: NDArray[np.float32] | None,
) -> RefinementState:
    # a resumed run needs the initial volume no more
    initial = _initial_volume(ctx, particles) if state is None else state.volume
    options, most = _options(ctx), ctx.params.max_iterations
    with ctx.stage("refine"), ctx.mapping(particles, dataset.path) as map_add:
        ctx.progress(state.iteration if state else 0, most, "searching poses")
        for found in refine(particles, dataset.half_sets, initial, options, ctx.rng(), state, mask, ctx.xp, map_add):
            state = found
            _show(ctx, state, particles.box_px * particles.pixel_size_A)
            ctx.save_checkpoint(state.to_dict())
            ctx.progress(state.iteration, most, f"iteration {state.iteration}: {state.resolution_A:.2f} Å")
    if state is None:
        raise UserError("The refinement made no iteration; expected max_iterations of at least 2.")
    return state


def _show(ctx: JobContext, state: RefinementState, field_A: float) -> None:
    """Send what a person wants to see of an iteration; its map is no finer than the iteration needed."""
    ctx.picture("slices", contrast_by_sigma(central_slices(state), 4.0), f"iteration {state.iteration}: z, y, x")
    ctx.event(
        "iteration",
        iteration=state.iteration,
        resolution_A=state.resolution_A,
        median_change_deg=state.median_change_deg,
        median_change_A=state.median_change_A,
        searched_all=state.was_global,
        fsc=[float(value) for value in state.fsc],
        box_px=int(state.volume.shape[0]),
        pixel_size_A=field_A / state.volume.shape[0],
    )


def _write(
    ctx: JobContext, dataset: ParticleSet, pixel_size_A: float, state: RefinementState, products: RefinementProducts
) -> None:
    volumes = {
        "map": state.volume,
        "map_sharp": products.sharpened,
        "half_A": state.half_maps[0],
        "half_B": state.half_maps[1],
        "mask_refine": state.mask,
        "mask_fsc": products.mask_fsc,
        "mask_fsc_auto": products.mask_auto,
    }
    for name, volume in volumes.items():
        write_mrc(ctx.out / f"{name}.mrc", volume, pixel_size_A)
    write_fsc_csv(ctx.out / "fsc.csv", products.curves.resolution_A, products.curves.curves)
    posed = dataset.with_poses(state.angles_deg, state.shifts_A)
    table = posed.table.assign(rlnMaxValueProbDistribution=state.confidence, rlnNormCorrection=state.scale)
    if np.any(state.defocus_shift_A):
        columns = ("rlnDefocusU", "rlnDefocusV")
        table = table.assign(**{name: table[name].to_numpy(float) + state.defocus_shift_A for name in columns})
    posed.with_table(table).write(ctx.out / "particles.star")


def _report(ctx: JobContext, state: RefinementState, products: RefinementProducts) -> None:
    for name, resolution_A in products.curves.resolutions.items():
        ctx.figure(f"resolution_{name}_A", float(resolution_A) if np.isfinite(resolution_A) else None)
    resolution_A = products.curves.resolution()
    nyquist_A = float(products.curves.resolution_A[-1])
    ctx.figure("resolution_A", float(resolution_A) if np.isfinite(resolution_A) else None)
    ctx.figure("nyquist_A", nyquist_A)
    ctx.figure("b_factor_A2", products.b_factor_A2)
    ctx.figure("iterations", state.iteration)
    ctx.figure("last_pose_change_deg", state.median_change_deg)
    if resolution_A <= nyquist_A:
        ctx.warn(f"The map reaches the Nyquist limit ({nyquist_A:.2f} Å): smaller pixels may show more.")
    frequency = [float(f) for f in products.curves.frequency_per_A]
    curves = {name: [float(value) for value in curve] for name, curve in products.curves.curves.items()}
    ctx.event("fsc", frequency_per_A=frequency, curves=curves)
