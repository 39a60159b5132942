"""What an iteration of a refinement compares, on which grid, and where it looks for poses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.geometry import in_plane_rotation
from engine.poses.candidates import Level
from engine.poses.grid import (
    global_orientations,
    rotation_from_vector,
    rotation_offsets,
    shift_disc,
    shift_offsets,
)
from engine.refinement.state import RefinementOptions, RefinementState

_KEPT = 16
_SETTLING = 8
_MOSTLY_SETTLED = 0.3
_SETTLED = 0.15
_SMALLEST_PX = 6.0
_BYTES_A_VOXEL = 12
_LARGEST_SUMS = 1_000_000_000
_ALTERNATIVES = 128
_ALIKE_STEPS = 1.1
_NONE_ASTRAY = 0.003
_MUCH_BETTER = 0.75


@dataclass(frozen=True)
class SearchPlan:
    """How one iteration looks for poses.

    Attributes
    ----------
    orientations : (R, 3, 3) or None
        Grid of the global search, which adds those turned by 180° in the plane; None starts from the poses at hand.
    shifts_px : (S, 2)
        Shifts of the global search.
    about_last : bool
        Shifts are about those that the particles have, and their last poses are candidates beside those of the grid.
    radius_px : float
        Working radius of the global search.
    keep : int
        Candidates of the global search.
    levels : sequence of Level
        Subdivisions that follow.
    descend : int
        Candidates of those that are subdivided.
    undecided : Level or None
        What is done instead, once, with an image that more candidates than that fit alike; None treats all alike,
        which is done once searches have settled.
    free_scale : bool
        The reference's grey scale is not that of the images yet.
    alike_deg : float
        Poses of one image that differ by less go into the map as one.
    defocus_range_A : float
        Each particle's defocus is searched as far as this; 0 leaves it as it is.
    """

    orientations: NDArray[np.float64] | None
    shifts_px: NDArray[np.float32]
    about_last: bool
    radius_px: float
    keep: int
    levels: Sequence[Level]
    descend: int
    undecided: Level | None
    free_scale: bool
    alike_deg: float
    defocus_range_A: float = 0.0


def is_last(state: RefinementState, options: RefinementOptions) -> bool:
    """Tell whether the next iteration is the pass with all resolution.

    It is when searches about the poses at hand have brought nothing twice; once where no particle was astray.
    """
    patience = 5 if state.was_global else 1 if state.jumped < _NONE_ASTRAY else 2
    converged = state.stalled >= patience
    return converged or state.iteration + 1 >= options.max_iterations


def working_radius(state: RefinementState, field_A: float, box_px: int) -> float:
    """Frequencies to compare: what the halves agree on, and no more.

    What they agree on beyond tells signal from noise that was aligned with alike references.
    """
    margin = 1.0 if state.iteration == 0 else 0.0
    return float(np.clip(field_A / state.resolution_A + margin, _SMALLEST_PX, (box_px - 1) / 2))


def working_box(radius_px: float, box_px: int) -> int:
    """Return the smallest even box of factors 2, 3 and 5 that holds a radius; the whole box where it is no larger."""
    size = 2 * int(np.ceil(radius_px + 1))
    while size < box_px:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 2
    return box_px


def summed_radius(working_px: float, full_px: float, padding: float, last: bool) -> float:
    """Return how far slices are summed: some way beyond what is compared, so that the FSC can grow.

    The last pass sums everything, unless the sums of a half would not fit into a gigabyte: then half as far again as
    what was compared.
    """
    beyond = 1.25 * working_px + 6
    if last:
        side = 2 * padding * full_px
        beyond = full_px if _BYTES_A_VOXEL * side**3 / 2 < _LARGEST_SUMS else 1.5 * working_px + 6
    return min(beyond, full_px)


def has_settled(state: RefinementState) -> bool:
    """Tell whether the last search of all orientations moved few particles.

    Until then an image that many orientations fit alike is spread over all of them: choices made too early, while the
    map is still becoming another one, are kept by what they brought into it.
    """
    return state.jumped < _SETTLED


def searches_all(state: RefinementState) -> bool:
    """Tell whether the next iteration searches all orientations.

    It does at first, for some iterations more while such searches still move many particles, and when the map has
    become better since the last one: only that rescues a particle from a wrong orientation. Where the last one moved
    next to none, the map must have become much better for another to find more.
    """
    if state.iteration < 3:
        return True
    patience = _SETTLING if state.jumped < 0.1 else 2 * _SETTLING
    settling = state.iteration < patience and state.was_global and state.jumped > 0.04
    gain = state.resolution_A / state.global_resolution_A
    if state.jumped < _NONE_ASTRAY:
        return gain < _MUCH_BETTER
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
    alike_deg = _ALIKE_STEPS * fine_deg
    first = state.iteration == 0
    if not searches_all(state):
        range_A = options.defocus_range_A if options.refine_defocus else 0.0
        levels = [
            Level(working_px, rotation_offsets(3, 2 * fine_deg), shift_offsets(3, 2 * fine_px), 4),
            Level(working_px, rotation_offsets(2, fine_deg), shift_offsets(3, fine_px), _KEPT),
        ]
        shifts = np.zeros((1, 2), np.float32)
        return SearchPlan(None, shifts, True, working_px, 1, levels, 1, None, False, alike_deg, range_A)
    step = options.coarse_step_deg
    coarse_px = min(working_px, 1.2 * field_A / (np.deg2rad(step) * diameter_A))
    turn = rotation_from_vector(rng.uniform(-step, step, 3))
    in_plane = in_plane_rotation(rng.uniform(-step / 2, step / 2))
    orientations = in_plane @ global_orientations(step, options.symmetry, turn, half_circle=True)
    shift_step = max(field_A / coarse_px / 4, pixel) / pixel
    settled = state.iteration >= 2 and state.jumped < _MOSTLY_SETTLED
    shifts = shift_offsets(3, shift_step) if settled else shift_disc(options.shift_range_A / pixel, shift_step)
    keep = 12 if settled else 24
    levels = _halving(step, shift_step, coarse_px, working_px, fine_deg, keep // 2)
    if has_settled(state):
        return SearchPlan(orientations, shifts, settled, coarse_px, keep, levels, keep, None, first, alike_deg)
    undecided = Level(working_px, np.eye(3)[None], shift_offsets(3, shift_step / 2), _ALTERNATIVES)
    return SearchPlan(
        orientations, shifts, settled, coarse_px, _ALTERNATIVES, levels, keep, undecided, first, alike_deg
    )


def _halving(
    step: float, shift_step: float, coarse_px: float, working_px: float, fine_deg: float, keep: int
) -> list[Level]:
    """Levels that halve the angular step and widen the radius until the step is fine."""
    levels: list[Level] = []
    spacing, shift, radius = step / 2, shift_step / 2, coarse_px
    while True:
        radius = min(radius * 1.6, working_px)
        done = spacing <= fine_deg and radius >= working_px
        levels.append(Level(radius, rotation_offsets(2, spacing), shift_offsets(3, shift), _KEPT if done else keep))
        if done:
            return levels
        spacing, shift, keep = spacing / 2, shift / 2, max(keep // 2, 4)
