"""Homogeneous refinement of two independent halves (gold standard).

Expectation–maximisation in Fourier space with a Wiener prior taken from the FSC of the halves (Scheres, J Mol Biol 415,
406, 2012; Scheres & Chen, Nat Methods 9, 853, 2012), poses found by a hierarchical search (Punjani et al., Nat Methods
14, 290, 2017), the reference masked by what the map itself shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.fourier.crop import fourier_resize_volume
from engine.geometry import rotation_angle_deg
from engine.mapping import MapAdd, MapHere, cut
from engine.particles import Particles
from engine.reconstruction.image_coefficients import cropping_factor
from engine.refinement.chunks import (
    CHUNK,
    PassInput,
    cut_half,
    measured_noise,
    pass_chunk,
    power_chunk,
)
from engine.refinement.plan import (
    is_last,
    plan_search,
    summed_radius,
    working_box,
    working_radius,
)
from engine.refinement.solve import on_box, resized_mask, solve_iteration
from engine.refinement.start import first_state
from engine.refinement.state import RefinementOptions, RefinementState
from engine.refinement.steps import PassResult
from engine.symmetry import point_group

_JUMP_DEG = 10.0


def refine(
    particles: Particles,
    halves: ArrayLike,
    initial_volume: NDArray[np.float32],
    options: RefinementOptions,
    rng: np.random.Generator,
    state: RefinementState | None = None,
    mask: NDArray[np.float32] | None = None,
    xp: Any = np,
    map_add: MapAdd | None = None,
) -> Iterator[RefinementState]:
    """Refine poses and the map; one state after each iteration, the last one ``finished``.

    Parameters
    ----------
    particles : Particles
    halves : (count,) of 1 and 2
        Half set of each particle; never drawn again.
    initial_volume : (n, n, n) float32
        On the particles' grid; not looked at when there is a state to go on from.
    options : RefinementOptions
    rng : numpy.random.Generator
        Used once, for a seed that the state carries.
    state : RefinementState or None
        Go on from here; gives the same bits as a run that was not interrupted.
    mask : (n, n, n) float32 or None
        Takes the place of the sphere and of the dynamic mask.
    xp : module
        Array namespace of the device to compute on.
    map_add : callable or None
        Maps chunks of the same particles and adds their sums, on several workers perhaps; here by default.

    Yields
    ------
    RefinementState
        Its volumes are on the smallest box that the iteration needed, those of the last one on the particles'.

    Raises
    ------
    ValueError
        When the volume is not on the particles' grid or a half is empty.
    """
    subsets = _check(particles, halves, initial_volume if state is None else None, mask)
    if state is None:
        state = first_state(particles, initial_volume, mask, options, rng)
    map_add = map_add or MapHere(particles, xp)
    if state.iteration == 0:
        powers = map_add(power_chunk, None, [cut(subset, CHUNK) for subset in subsets])
        state = state.evolve(noise=np.stack([power.mean() for _, power in powers]))
    while not state.finished:
        state = _iterate(particles, subsets, state, options, mask, xp, map_add)
        yield state


def _check(
    particles: Particles,
    halves: ArrayLike,
    volume: NDArray[np.float32] | None,
    mask: NDArray[np.float32] | None,
) -> list[NDArray[np.intp]]:
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
    for name, cube in (("initial volume", volume), ("mask", mask)):
        if cube is not None and cube.shape != (particles.box_px,) * 3:
            raise ValueError(
                f"The {name} has shape {cube.shape}, particles are {particles.box_px} px: resample it first."
            )
    return subsets


def _iterate(
    particles: Particles,
    subsets: list[NDArray[np.intp]],
    state: RefinementState,
    options: RefinementOptions,
    mask: NDArray[np.float32] | None,
    xp: Any,
    map_add: MapAdd,
) -> RefinementState:
    """One iteration on the smallest box that holds the frequencies in question."""
    field_A = particles.box_px * particles.pixel_size_A
    rng = np.random.default_rng([state.seed, state.iteration])
    last = is_last(state, options)
    shared = _pass_input(state, options, particles, rng, last)
    pixel_size_A = field_A / shared.box_px
    chunks = [cut_half(state, half, subset, pixel_size_A) for half, subset in enumerate(subsets)]
    results = map_add(pass_chunk, shared, chunks)
    found, residuals, slices = [], [], []
    while results:  # the sums are large: those of a half are free before the next half's are symmetrised
        parts, sums = results.pop(0)
        found.append(PassResult.joined(parts))
        residuals.append(sums.residual)
        slices.append(sums.slices.on(xp).symmetrised(options.symmetry))
        del sums
    state = _take_poses(state, subsets, found, options, shared, pixel_size_A, last)
    state = state.evolve(noise=measured_noise(state.noise, residuals, shared, particles))
    given = None if mask is None else resized_mask(mask, shared.box_px)
    state = solve_iteration(state, slices, options, field_A, shared.working_px, given, rng, last)
    return on_box(state, particles.box_px) if last else state


def _pass_input(
    state: RefinementState, options: RefinementOptions, particles: Particles, rng: np.random.Generator, last: bool
) -> PassInput:
    """What the iteration compares particles with, and how."""
    field_A = particles.box_px * particles.pixel_size_A
    working_px = working_radius(state, field_A, particles.box_px)
    insert_px = summed_radius(working_px, (particles.box_px - 1) / 2, options.padding, last)
    box_px = working_box(insert_px, particles.box_px)
    mask = resized_mask(state.mask, box_px)
    return PassInput(
        iteration=state.iteration,
        box_px=box_px,
        working_px=working_px,
        insert_px=insert_px,
        padding=options.padding,
        references=np.stack([fourier_resize_volume(volume, box_px) * mask for volume in state.references]),
        noise=state.noise[:, : box_px // 2 + 1] * cropping_factor(particles, box_px) ** 2,
        defocus_shift_A=state.defocus_shift_A if np.any(state.defocus_shift_A) else None,
        plan=plan_search(state, options, field_A, box_px, working_px, rng),
    )


def _take_poses(
    state: RefinementState,
    subsets: Sequence[NDArray[np.intp]],
    results: Sequence[PassResult],
    options: RefinementOptions,
    shared: PassInput,
    pixel_size_A: float,
    last: bool,
) -> RefinementState:
    plan = shared.plan
    rotations, shifts = state.rotations.copy(), state.shifts_A.copy()
    confidence, scale = state.confidence.copy(), state.scale.copy()
    defocus_shift = state.defocus_shift_A.copy()
    for subset, result in zip(subsets, results, strict=True):
        rotations[subset], shifts[subset] = result.rotations, result.shifts_px * pixel_size_A
        confidence[subset] = result.confidence
        if plan.defocus_range_A > 0 and not last:
            defocus_shift[subset] = result.defocus_shift_A
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
        defocus_shift_A=defocus_shift,
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
    """Return the smallest angle (m,) between two sets of poses that the symmetry leaves.

    Parameters
    ----------
    a, b : (m, 3, 3)
    symmetry : str
        Point group.
    """
    distances = [rotation_angle_deg(a, b @ operator) for operator in point_group(symmetry)]
    return np.min(distances, axis=0)
