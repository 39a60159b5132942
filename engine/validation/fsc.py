"""The five FSC curves of two half maps in one call; `comparison.HalfMapComparison` is for more than one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array
from engine.validation.comparison import HalfMapComparison, check_cubes
from engine.validation.curves import FSCCurves
from engine.validation.masks import automatic_mask

_COARSEST_MASK_A = 40.0


def fsc_curves(
    half_a: Array,
    half_b: Array,
    pixel_size_A: float,
    rng: np.random.Generator,
    mask: Array | None = None,
    randomise_at_fsc: float = 0.143,
) -> FSCCurves:
    """Compare two half maps without a mask and within three masks, and correct for the tightest.

    Parameters
    ----------
    half_a, half_b : (n, n, n) arrays
    pixel_size_A : float
    rng : numpy.random.Generator
        Draws the phases of the noise substitution.
    mask : (n, n, n) array, optional
        Takes the place of the tight mask (and so of the one that is corrected for).
    randomise_at_fsc : float
        Phases are randomised from the shell where the no-mask curve first drops below this: 0.143, or 0.8 as
        RELION does.

    Returns
    -------
    FSCCurves

    Raises
    ------
    ValueError
        If the shapes differ or are not cubic, or a map is empty.
    """
    if mask is not None:
        check_cubes(half_a, half_b, mask)
    return HalfMapComparison(half_a, half_b, pixel_size_A, rng, randomise_at_fsc).curves(mask)


def automatic_fsc_mask(half_a: Array, half_b: Array, found: FSCCurves) -> NDArray[np.float32]:
    """Mask whose threshold the map decides, smoothed as far as the halves agree (no-mask FSC 0.5, 15 to 40 Å)."""
    agreed_A = min(found.resolution("no_mask", 0.5), _COARSEST_MASK_A)
    return automatic_mask(average(half_a, half_b), found.pixel_size_A, low_pass_A=max(agreed_A, 15.0))


def average(half_a: Array, half_b: Array) -> Array:
    """Return the map that two half maps (n, n, n) make together."""
    return 0.5 * (half_a + half_b)
