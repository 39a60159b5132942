"""Homogeneous refinement of two independent halves (gold standard).

Expectation–maximisation in Fourier space with a Wiener prior taken from the FSC of the halves (Scheres, J Mol Biol 415,
406, 2012; Scheres & Chen, Nat Methods 9, 853, 2012), poses found by a hierarchical search (Punjani et al., Nat Methods
14, 290, 2017), the reference masked by what the map itself shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import to_numpy
from engine.fourier.disc import HalfDisc
from engine.fourier.filters import low_pass
from engine.fourier.shells import resolution_at
from engine.geometry import rotation_angle_deg
from engine.particles import Particles
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import fourier_volume
from engine.reconstruction.half_maps import (
    join_low_frequencies,
    levelled,
    masked_fsc,
    ssnr_from_fsc,
)
from engine.reconstruction.image_coefficients import ImageCoefficients
from engine.reconstruction.pose_grid import (
    global_orientations,
    rotation_from_vector,
    rotation_offsets,
    shift_disc,
    shift_offsets,
)
from engine.reconstruction.pose_search import Level
from engine.reconstruction.refinement_state import RefinementOptions, RefinementState, initial_state
from engine.reconstruction.refinement_steps import HalfResult, SearchPlan, image_power, process_half
from engine.symmetry import point_group
from engine.validation.masks import refinement_mask
from engine.windows import soft_sphere

_EDGE_PX = 3.0
_JUMP_DEG = 10.0
_KEPT = 16
_SETTLING = 8


def refine(
    particles: Particles,
    halves: ArrayLike,
    initial_volume: NDArray[np.float32],
    options: RefinementOptions,
    rng: np.random.Generator,
    state: RefinementState | None = None,
    mask: NDArray[np.float32] | None = None,
    xp: Any = np,
) -> Iterator[RefinementState]:
    """Refine poses and the map; one state after each iteration, the last one ``finished``.

    Parameters
    ----------
    particles : Particles
    halves : (count,) of 1 and 2
        Half set of each particle; never drawn again.
    initial_volume : (n, n, n) float32
        On the particles' grid.
    options : RefinementOptions
    rng : numpy.random.Generator
        Used once, for a seed that the state carries.
    state : RefinementState or None
        Go on from here; gives the same bits as a run that was not interrupted.
    mask : (n, n, n) float32 or None
        Takes the place of the sphere and of the dynamic mask.
    xp : module
        Array namespace of the device to compute on.

    Raises
    ------
    ValueError
        When the volume is not on the particles' grid or a half is empty.
    """
    subsets = _check(particles, halves, initial_volume)
    if mask is not None:
        if mask.shape != initial_volume.shape:
            raise ValueError(f"The mask has shape {mask.shape}, the volume {initial_volume.shape}: resample it first.")
        options = replace(options, dynamic_mask=False)
    if state is None:
        state = _start(particles, initial_volume, mask, options, rng)
    disc = HalfDisc(particles.box_px, (particles.box_px - 1) / 2)
    store = ImageCoefficients(particles, disc, xp)
    if state.iteration == 0:
        state = state.evolve(noise=np.stack([image_power(store, subset) for subset in subsets]))
    while not state.finished:
        state = _iterate(store, subsets, state, options)
        yield state


def _check(particles: Particles, halves: ArrayLike, volume: NDArray[np.float32]) -> list[NDArray[np.intp]]:
    labels = np.asarray(halves)
    if labels.shape != (particles.count,):
        raise ValueError(
            f"There are {labels.size} half-set labels for {particles.count} particles; one each is needed."
        )
    subsets = [np.flatnonzero(labels == half) for half in (1, 2)]
    if min(len(subset) for subset in subsets) == 0 or len(subsets[0]) + len(subsets[1]) != particles.count:
        raise ValueError(
            f"Half sets hold {len(subsets[0])} and {len(subsets[1])} of {particles.count} particles; "
            "each particle must be in half 1 or 2, and neither half may be empty."
        )
    if volume.shape != (particles.box_px,) * 3:
        raise ValueError(
            f"The initial volume has shape {volume.shape}, particles are {particles.box_px} px: resample it first."
        )
    return subsets


def _start(
    particles: Particles,
    volume: NDArray[np.float32],
    mask: NDArray[np.float32] | None,
    options: RefinementOptions,
    rng: np.random.Generator,
) -> RefinementState:
    """Low-pass, align and mask the initial volume."""
    if options.align_symmetry and len(point_group(options.symmetry)) > 1:
        from engine.reconstruction.alignment import align_to_symmetry

        volume = align_to_symmetry(volume, particles.pixel_size_A, options.symmetry)[0]
    reference = low_pass(np.asarray(volume, np.float32), particles.pixel_size_A, options.initial_low_pass_A, ndim=3)
    if mask is None:
        mask = sphere_mask(particles.box_px, particles.pixel_size_A, options.mask_diameter_A)
    seed = int(rng.integers(2**62))
    return initial_state(particles.count, particles.box_px, reference, mask, options, seed)


def sphere_mask(box_px: int, pixel_size_A: float, diameter_A: float | None) -> NDArray[np.float32]:
    """Return the soft sphere that holds the particle; None takes 85 % of the box."""
    radius = 0.425 * box_px if diameter_A is None else min(diameter_A / 2 / pixel_size_A, box_px / 2 - _EDGE_PX)
    return soft_sphere(box_px, radius, _EDGE_PX)


def _iterate(
    store: ImageCoefficients, subsets: list[NDArray[np.intp]], state: RefinementState, options: RefinementOptions
) -> RefinementState:
    particles = store.particles
    pixel = particles.pixel_size_A
    field_A = particles.box_px * pixel
    rng = np.random.default_rng([state.seed, state.iteration])
    last = is_last(state, options)
    working_px = _working_radius(state, field_A, particles.box_px)
    plan = plan_search(state, options, field_A, particles.box_px, working_px, rng)
    insert_px = float(store.disc.radius_px) if last else min(1.25 * working_px + 6, store.disc.radius_px)
    results, sums = [], []
    for half, subset in enumerate(subsets):
        masked = store.xp.asarray(state.references[half] * state.mask)
        reference = fourier_volume(masked, options.padding, radius_px=working_px)
        poses = (state.rotations[subset], state.shifts_A[subset] / pixel)
        result, accumulator = process_half(
            store, subset, reference, state.noise[half], state.scale[subset], poses, plan, insert_px
        )
        results.append(result)
        sums.append(accumulator.symmetrised(options.symmetry))
        del accumulator
    state = _take_poses(state, subsets, results, pixel, options, plan)
    return _solve(state, sums, options, pixel, rng, last)


def is_last(state: RefinementState, options: RefinementOptions) -> bool:
    """Tell whether the next iteration is the pass with all resolution."""
    converged = state.stalled >= 2 and not state.was_global
    return converged or state.iteration + 1 >= options.max_iterations


def _working_radius(state: RefinementState, field_A: float, box_px: int) -> float:
    """Frequencies to compare: what the halves agree on and a little more, where the prior still lets signal through."""
    margin = 1.0 if state.iteration == 0 else 2.0
    return float(np.clip(field_A / state.resolution_A + margin, 6.0, (box_px - 1) / 2))


def searches_all(state: RefinementState) -> bool:
    """Tell whether the next iteration searches all orientations.

    It does at first, for some iterations more while such searches still move many particles, and when the map has
    become much better since the last one: only that rescues a particle from a wrong orientation.
    """
    if state.iteration < 3:
        return True
    settling = state.iteration < _SETTLING and state.was_global and state.jumped > 0.02
    gain = state.resolution_A / state.global_resolution_A
    return settling or gain < 0.93 or (state.stalled >= 1 and gain < 0.97)


def plan_search(
    state: RefinementState,
    options: RefinementOptions,
    field_A: float,
    box_px: int,
    working_px: float,
    rng: np.random.Generator,
) -> SearchPlan:
    """Decide between a search over all orientations and one about the poses at hand, and how fine to go."""
    diameter_A = options.mask_diameter_A or 0.7 * field_A
    pixel = field_A / box_px
    resolution_A = field_A / working_px
    # a particle's edge moves by a third of the resolution in one finest step
    fine_deg = float(np.rad2deg(0.33 * resolution_A / (diameter_A / 2)) / 2)
    fine_px = resolution_A / pixel / 12
    free = state.iteration == 0
    if not searches_all(state):
        levels = [
            Level(working_px, rotation_offsets(3, 3 * fine_deg), shift_offsets(5, 3 * fine_px), 4),
            Level(working_px, rotation_offsets(2, 1.5 * fine_deg), shift_offsets(3, 2 * fine_px), 4),
            Level(working_px, rotation_offsets(2, 0.75 * fine_deg), shift_offsets(3, fine_px), _KEPT),
        ]
        return SearchPlan(None, np.zeros((1, 2), np.float32), working_px, 1, levels, False)
    step = options.coarse_step_deg
    coarse_px = min(working_px, 1.2 * field_A / (np.deg2rad(step) * diameter_A))
    jitter = rotation_from_vector(rng.uniform(-step / 2, step / 2, 3))
    orientations = jitter @ global_orientations(step, options.symmetry)
    shift_step = max(field_A / coarse_px / 4, pixel) / pixel
    shifts = shift_disc(options.shift_range_A / pixel, shift_step)
    return SearchPlan(
        orientations, shifts, coarse_px, 24, _halving(step, shift_step, coarse_px, working_px, fine_deg), free
    )


def _halving(step: float, shift_step: float, coarse_px: float, working_px: float, fine_deg: float) -> list[Level]:
    """Levels that halve the angular step and double the radius until the step is fine."""
    levels: list[Level] = []
    spacing, shift, radius, keep = step / 2, shift_step / 2, coarse_px, 12
    while True:
        radius = min(radius * 1.6, working_px)
        done = spacing <= fine_deg and radius >= working_px
        levels.append(Level(radius, rotation_offsets(2, spacing), shift_offsets(3, shift), _KEPT if done else keep))
        if done:
            return levels
        spacing, shift, keep = spacing / 2, shift / 2, max(keep // 2, 4)


def _take_poses(
    state: RefinementState,
    subsets: list[NDArray[np.intp]],
    results: list[HalfResult],
    pixel_size_A: float,
    options: RefinementOptions,
    plan: SearchPlan,
) -> RefinementState:
    rotations, shifts = state.rotations.copy(), state.shifts_A.copy()
    confidence, scale = state.confidence.copy(), state.scale.copy()
    for subset, result in zip(subsets, results, strict=True):
        rotations[subset], shifts[subset] = result.rotations, result.shifts_px * pixel_size_A
        confidence[subset] = result.confidence
        if options.per_particle_scale and not plan.free_scale:
            scale[subset] = _updated_scale(scale[subset] * result.scale)
    turned = pose_distance_deg(rotations, state.rotations, options.symmetry)
    moved = np.linalg.norm(shifts - state.shifts_A, axis=1)
    searched = plan.orientations is not None
    return state.evolve(
        rotations=rotations,
        shifts_A=shifts,
        confidence=confidence,
        scale=scale,
        noise=np.stack([result.noise for result in results]),
        median_change_deg=float(np.median(turned)),
        mean_change_deg=float(np.mean(turned)),
        median_change_A=float(np.median(moved)),
        was_global=searched,
        global_resolution_A=state.resolution_A if searched else state.global_resolution_A,
        jumped=float(np.mean(turned > _JUMP_DEG)) if searched else state.jumped,
    )


def _updated_scale(fitted: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return contrasts within a factor of 2 of their median, drawn halfway to it: one image says little of its own."""
    median = max(float(np.median(fitted)), 1e-6)
    limited = np.clip(fitted / median, 0.5, 2.0)
    result = 0.5 + 0.5 * limited
    return np.asarray(result / result.mean())


def pose_distance_deg(a: NDArray[np.float64], b: NDArray[np.float64], symmetry: str = "C1") -> NDArray[np.float64]:
    """Return the smallest angle between two sets of poses (m, 3, 3) that the symmetry leaves."""
    distances = [rotation_angle_deg(a, b @ operator) for operator in point_group(symmetry)]
    return np.min(distances, axis=0)


def _solve(
    state: RefinementState,
    sums: list[Accumulator],
    options: RefinementOptions,
    pixel_size_A: float,
    rng: np.random.Generator,
    last: bool,
) -> RefinementState:
    """Half maps, their FSC, the resolution, references for the next iteration and the mask."""
    box_px = sums[0].box_px
    field_A = box_px * pixel_size_A
    half_maps = np.stack([to_numpy(part.solve()) for part in sums])
    mask = state.mask
    fsc = masked_fsc(half_maps[0], half_maps[1], mask, rng)
    resolution = min(resolution_at(fsc, box_px, pixel_size_A, 0.143), field_A / 3)
    last_shell = round(field_A / resolution) + 2
    ssnr = ssnr_from_fsc(fsc, last_shell)
    references = [to_numpy(part.solve(ssnr, radius_px=last_shell)) for part in sums]
    volume = to_numpy((sums[0] + sums[1]).solve(2 * ssnr, radius_px=last_shell))
    empty = sphere_mask(box_px, pixel_size_A, options.mask_diameter_A) < 0.01
    half_maps = np.stack([levelled(half, empty) for half in half_maps])
    references = [
        levelled(r, empty) for r in join_low_frequencies(references[0], references[1], field_A / options.join_A)
    ]
    if options.dynamic_mask:
        mask = _next_mask(references, resolution, options, pixel_size_A)
    improved = resolution < 0.99 * state.best_resolution_A or state.iteration == 0
    return state.evolve(
        iteration=state.iteration + 1,
        half_maps=half_maps,
        references=np.stack(references),
        volume=levelled(np.asarray(volume, np.float32), empty),
        mask=mask,
        fsc=fsc,
        resolution_A=float(resolution),
        best_resolution_A=float(resolution if state.iteration == 0 else min(resolution, state.best_resolution_A)),
        stalled=0 if improved else state.stalled + 1,
        finished=last,
    )


def _next_mask(
    references: list[NDArray[np.float32]], resolution_A: float, options: RefinementOptions, pixel_size_A: float
) -> NDArray[np.float32]:
    box_px = references[0].shape[0]
    sphere = sphere_mask(box_px, pixel_size_A, options.mask_diameter_A)
    if resolution_A > options.mask_start_A:
        return sphere
    average = (references[0] + references[1]) * np.float32(0.5) * sphere
    if not average.max() > 0:
        return sphere
    threshold, near, far = options.mask_threshold, options.mask_near_A, options.mask_far_A
    return np.asarray(sphere * refinement_mask(average, pixel_size_A, threshold, near, far), np.float32)
