"""From sums over particles to half maps, their FSC, the references of the next iteration and its mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.shells import resolution_at
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.half_maps import join_low_frequencies, levelled, masked_fsc, ssnr_from_fsc
from engine.refinement.plan import has_settled
from engine.refinement.state import RefinementOptions, RefinementState
from engine.validation.masks import refinement_mask
from engine.windows import soft_sphere

Volume = NDArray[np.float32]

_EDGE_PX = 3.0
_FIRST_GAIN = 2.5


def sphere_mask(box_px: int, pixel_size_A: float, diameter_A: float | None) -> Volume:
    """Return the soft sphere that holds the particle; None takes 85 % of the box."""
    radius = 0.425 * box_px if diameter_A is None else min(diameter_A / 2 / pixel_size_A, box_px / 2 - _EDGE_PX)
    return soft_sphere(box_px, radius, _EDGE_PX)


def resized_mask(mask: Volume, box_px: int) -> Volume:
    """Return a mask on another box over the same field of view, still between 0 and 1."""
    return np.clip(fourier_resize_volume(mask, box_px), 0, 1).astype(np.float32)


def solve_iteration(
    state: RefinementState,
    sums: Sequence[Accumulator],
    options: RefinementOptions,
    field_A: float,
    working_px: float,
    mask: Volume | None,
    rng: np.random.Generator,
    last: bool,
) -> RefinementState:
    """Solve what one iteration has summed.

    Parameters
    ----------
    state : RefinementState
        With the new poses.
    sums : two of Accumulator
        Symmetrised sums of each half.
    options : RefinementOptions
    field_A : float
        Side of the box.
    working_px : float
        Frequencies that poses were found with.
    mask : (n, n, n) or None
        Given by the user, on the box of the sums; None lets the map make one.
    rng : numpy.random.Generator
    last : bool
        This was the pass with all resolution: no references are needed any more.
    """
    box_px = sums[0].box_px
    pixel = field_A / box_px
    maps = [to_numpy(half.solve()) for half in sums]
    window = resized_mask(state.mask, box_px)
    fsc = masked_fsc(maps[0], maps[1], window, rng, working_px)
    finest_A = options.initial_low_pass_A / _FIRST_GAIN if state.iteration == 0 else 0.0
    resolution = float(np.clip(resolution_at(fsc, box_px, pixel, 0.143), finest_A, field_A / 3))
    last_shell = min(round(field_A / resolution) + 2, box_px // 2)
    ssnr = ssnr_from_fsc(fsc, last_shell)
    sphere = sphere_mask(box_px, pixel, options.mask_diameter_A)
    empty = sphere < 0.01
    if last:
        references = state.references
        sums[0].add(sums[1])
        volume = levelled(to_numpy(sums[0].solve(2 * ssnr, radius_px=last_shell)), empty)
    else:
        references = _references(sums, ssnr, last_shell, field_A / options.join_A, empty)
        volume = np.asarray(references.mean(axis=0), np.float32)
    masked = state.masked or resolution <= options.mask_start_A or has_settled(state)
    if mask is None:
        mask = _next_mask(volume, sphere, options, pixel) if options.dynamic_mask and masked else sphere
    improved = resolution < 0.99 * state.best_resolution_A or state.iteration == 0
    return state.evolve(
        iteration=state.iteration + 1,
        half_maps=np.stack([levelled(half, empty) for half in maps]),
        references=references,
        volume=volume,
        mask=mask,
        masked=masked,
        fsc=fsc,
        resolution_A=resolution,
        best_resolution_A=resolution if state.iteration == 0 else min(resolution, state.best_resolution_A),
        stalled=0 if improved else state.stalled + 1,
        finished=last,
    )


def on_box(state: RefinementState, box_px: int) -> RefinementState:
    """Return a state whose maps are on another box over the same field of view.

    Parameters
    ----------
    state : RefinementState
        Finished: its references stay as they are.
    box_px : int
        Side of the box; half maps are resized one after the other, which bounds the memory.
    """
    if state.volume.shape[0] == box_px:
        return state
    halves = np.empty((2, box_px, box_px, box_px), np.float32)
    for whole, half in zip(halves, state.half_maps, strict=True):
        whole[:] = fourier_resize_volume(half, box_px)
    fsc = np.zeros(box_px // 2 + 1)
    fsc[: len(state.fsc)] = state.fsc
    volume, mask = fourier_resize_volume(state.volume, box_px), resized_mask(state.mask, box_px)
    return state.evolve(half_maps=halves, volume=volume, mask=mask, fsc=fsc)


def _references(
    sums: Sequence[Accumulator],
    ssnr: NDArray[np.float64],
    last_shell: int,
    join_shell: float,
    empty: NDArray[np.bool_],
) -> Volume:
    """References (2, n, n, n) with the prior, their coarse components shared."""
    a, b = (to_numpy(half.solve(ssnr, radius_px=last_shell)) for half in sums)
    return np.stack([levelled(reference, empty) for reference in join_low_frequencies(a, b, join_shell)])


def _next_mask(volume: Volume, sphere: Volume, options: RefinementOptions, pixel_size_A: float) -> Volume:
    average = volume * sphere
    if not average.max() > 0:
        return sphere
    threshold, near, far = options.mask_threshold, options.mask_near_A, options.mask_far_A
    return np.asarray(sphere * refinement_mask(average, pixel_size_A, threshold, near, far), np.float32)
