"""What a finished refinement is shown by: the five FSC curves, masks and the sharpened map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import to_numpy
from engine.refinement.state import RefinementState
from engine.validation.curves import FSCCurves
from engine.validation.fsc import fsc_curves
from engine.validation.guinier import sharpening_b_factor
from engine.validation.masks import automatic_mask
from engine.validation.sharpening import sharpen


@dataclass(frozen=True)
class RefinementProducts:
    """Outputs of a refinement besides its state.

    Attributes
    ----------
    curves : FSCCurves
        Between the half maps.
    sharpened : (n, n, n) float32
        Mean of the half maps, sharpened, weighted by the FSC and low-passed at the resolution.
    b_factor_A2 : float
        Of the Guinier plot; 0 where the map is too coarse for one.
    mask_fsc : (n, n, n) float32
        The mask of the corrected curve.
    mask_auto : (n, n, n) float32
        A tight mask whose threshold the map decides.
    """

    curves: FSCCurves
    sharpened: NDArray[np.float32]
    b_factor_A2: float
    mask_fsc: NDArray[np.float32]
    mask_auto: NDArray[np.float32]


def refinement_products(
    state: RefinementState,
    pixel_size_A: float,
    rng: np.random.Generator,
    mask: NDArray[np.float32] | None = None,
) -> RefinementProducts:
    """Compare and sharpen the half maps of a refinement.

    Parameters
    ----------
    state : RefinementState
    pixel_size_A : float
    rng : numpy.random.Generator
        For the noise substitution.
    mask : (n, n, n) float32 or None
        Takes the place of the tight mask.
    """
    half_a, half_b = state.half_maps
    curves = fsc_curves(half_a, half_b, pixel_size_A, rng, mask=mask)
    tight = curves.masks["tight"]
    mean = np.float32(0.5) * (half_a + half_b)
    corrected, resolution_A = curves.curves["corrected"], curves.resolution()
    b_factor_A2 = 0.0
    box_A = mean.shape[0] * pixel_size_A
    if resolution_A < box_A / 8:
        b_factor_A2 = sharpening_b_factor(mean, pixel_size_A, resolution_A, corrected, mask=tight).cautious_b_factor_A2
    low_pass_A = min(resolution_A, box_A / 4)
    sharpened = sharpen(mean, pixel_size_A, b_factor_A2, corrected, low_pass_A)
    automatic = automatic_mask(state.volume, pixel_size_A)
    return RefinementProducts(curves, np.asarray(to_numpy(sharpened), np.float32), b_factor_A2, tight, automatic)


def central_slices(state: RefinementState) -> NDArray[np.float32]:
    """Return the masked map's three central slices side by side, (n, 3 n): across z, y and x."""
    volume = state.volume * state.mask
    middle = volume.shape[0] // 2
    return np.concatenate([volume[middle], volume[:, middle], volume[:, :, middle]], axis=1)
