"""Where a refinement begins: the initial volume without detail, its axes where the point group expects them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.alignment.symmetry_axis import find_symmetry
from engine.fourier.crop import fourier_resize_volume
from engine.fourier.filters import low_pass
from engine.particles import Particles
from engine.refinement.plan import working_box
from engine.refinement.solve import resized_mask, sphere_mask
from engine.refinement.state import RefinementOptions, RefinementState, initial_state
from engine.symmetry import point_group

_AXES_A = 20.0
_FINER = 3.0
"""Frequencies that the box holds, as a multiple of the finest that is looked at: a turned map needs some to spare."""


def coarse_start(
    volume: NDArray[np.float32], pixel_size_A: float, low_pass_A: float
) -> tuple[NDArray[np.float32], float]:
    """Return a volume and its Å per px on the smallest box that holds what a low-pass leaves and finding axes needs.

    Parameters
    ----------
    volume : (n, n, n) float32
    pixel_size_A : float
    low_pass_A : float
    """
    field_A = volume.shape[0] * pixel_size_A
    box_px = working_box(_FINER * field_A / min(low_pass_A, _AXES_A), volume.shape[0])
    return fourier_resize_volume(np.asarray(volume, np.float32), box_px), field_A / box_px


def first_state(
    particles: Particles,
    volume: NDArray[np.float32],
    mask: NDArray[np.float32] | None,
    options: RefinementOptions,
    rng: np.random.Generator,
) -> RefinementState:
    """Align, low-pass and mask the initial volume, on a box that holds what the low-pass leaves and the axes need.

    Parameters
    ----------
    particles : Particles
    volume : (n, n, n) float32
        On the particles' grid.
    mask : (n, n, n) float32 or None
        Takes the place of the sphere.
    options : RefinementOptions
    rng : numpy.random.Generator
        Used once, for a seed that the state carries.
    """
    reference, pixel_size_A = coarse_start(volume, particles.pixel_size_A, options.initial_low_pass_A)
    if options.align_symmetry and len(point_group(options.symmetry)) > 1:
        found = find_symmetry(reference, pixel_size_A, options.symmetry, _AXES_A, may_stand=True)
        reference = np.asarray(found.aligned, np.float32)
    reference = low_pass(reference, pixel_size_A, options.initial_low_pass_A, ndim=3)
    box_px = reference.shape[0]
    sphere = sphere_mask(box_px, pixel_size_A, options.mask_diameter_A)
    mask = sphere if mask is None else resized_mask(mask, box_px)
    seed = int(rng.integers(2**62))
    return initial_state(particles.count, particles.box_px, reference, mask, options, seed)
