"""The five FSC curves of two half maps, and their resolutions.

Fourier shell correlation: Harauz & van Heel, Optik 73, 146-156 (1986); threshold 0.143: Rosenthal & Henderson, J Mol
Biol 333, 721-745 (2003); correction for the mask by noise substitution: Chen et al., Ultramicroscopy 135, 24-35
(2013).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.grids import shell_index
from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.fourier.transforms import irfft3, rfft3
from engine.validation.masks import LOOSE, TIGHT, automatic_mask, soft_mask_from_map, spherical_mask

CURVES = ("no_mask", "spherical", "loose", "tight", "corrected")
_SHELLS_PAST_START = 2
_COARSEST_MASK_A = 40.0


@dataclass(frozen=True)
class FSCCurves:
    """Five FSC curves and what they were made with.

    Attributes
    ----------
    curves : dict of (n // 2 + 1,) arrays
        By the names of `CURVES`; shell s is the frequency s / (n · pixel size).
    randomised : (n // 2 + 1,) array
        FSC of the masked maps after their phases were randomised beyond `randomised_from_A`.
    randomised_from_A : float
        Resolution where the no-mask curve first drops below the threshold of randomisation.
    masks : dict of (n, n, n) float32 arrays
        ``spherical``, ``loose`` and ``tight``.
    box_px : int
    pixel_size_A : float
    """

    curves: dict[str, NDArray[np.float64]]
    randomised: NDArray[np.float64]
    randomised_from_A: float
    masks: dict[str, NDArray[np.float32]]
    box_px: int
    pixel_size_A: float

    @property
    def frequency_per_A(self) -> NDArray[np.float64]:
        """Spatial frequency of each shell in 1/Å."""
        return np.arange(self.box_px // 2 + 1) / (self.box_px * self.pixel_size_A)

    @property
    def resolution_A(self) -> NDArray[np.float64]:
        """Resolution of each shell in Å; infinite for shell 0."""
        shells = np.arange(self.box_px // 2 + 1)
        return np.where(shells > 0, self.box_px * self.pixel_size_A / np.maximum(shells, 1), np.inf)

    def resolution(self, curve: str = "corrected", threshold: float = 0.143) -> float:
        """Resolution in Å where a curve first drops below a threshold."""
        return resolution_at(self.curves[curve], self.box_px, self.pixel_size_A, threshold)

    @property
    def resolutions(self) -> dict[str, float]:
        """Resolution in Å of every curve at 0.143."""
        return {name: self.resolution(name) for name in self.curves}


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
    _check(half_a, half_b, mask)
    n = int(half_a.shape[0])
    mean = average(half_a, half_b)
    masks = {"spherical": spherical_mask(n), "loose": soft_mask_from_map(mean, pixel_size_A, *LOOSE)}
    if mask is None:
        masks["tight"] = soft_mask_from_map(mean, pixel_size_A, *TIGHT)
    else:
        masks["tight"] = np.asarray(mask, dtype=np.float32)
    curves = {"no_mask": fourier_shell_correlation(half_a, half_b)}
    for name, window in masks.items():
        curves[name] = _masked_fsc(half_a, half_b, window)
    start = randomisation_start(curves["no_mask"], randomise_at_fsc)
    noise_a = randomise_phases(half_a, start, rng)
    noise_b = randomise_phases(half_b, start, rng)
    randomised = _masked_fsc(noise_a, noise_b, masks["tight"])
    curves["corrected"] = corrected_fsc(curves["tight"], randomised, start)
    return FSCCurves(curves, randomised, n * pixel_size_A / start, masks, n, pixel_size_A)


def automatic_fsc_mask(half_a: Array, half_b: Array, found: FSCCurves) -> NDArray[np.float32]:
    """Mask whose threshold the map decides, smoothed as far as the halves agree (no-mask FSC 0.5, 15 to 40 Å)."""
    agreed_A = min(found.resolution("no_mask", 0.5), _COARSEST_MASK_A)
    return automatic_mask(average(half_a, half_b), found.pixel_size_A, low_pass_A=max(agreed_A, 15.0))


def average(half_a: Array, half_b: Array) -> Array:
    """Return the map that two half maps (n, n, n) make together."""
    return 0.5 * (half_a + half_b)


def randomisation_start(no_mask: NDArray[np.floating], randomise_at_fsc: float) -> int:
    """First shell (not the zeroth) where the no-mask curve is below the threshold; the last if it never is."""
    below = np.flatnonzero(np.asarray(no_mask[1:]) < randomise_at_fsc)
    return int(below[0]) + 1 if below.size else len(no_mask) - 1


def corrected_fsc(tight: NDArray[np.floating], randomised: NDArray[np.floating], start: int) -> NDArray[np.float64]:
    """Take the mask's own correlation off a curve.

    ``(tight - randomised) / (1 - randomised)`` from two shells past `start`, `tight` before. Where the noise alone
    correlates as well as the maps do, nothing is left and the curve is at most 0.
    """
    corrected = np.array(tight, dtype=np.float64)
    beyond = slice(start + _SHELLS_PAST_START, None)
    noise = np.minimum(np.asarray(randomised, dtype=np.float64)[beyond], 1.0 - 1e-6)
    corrected[beyond] = (corrected[beyond] - noise) / (1.0 - noise)
    return np.clip(corrected, -1.0, 1.0)


def randomise_phases(volume: Array, start_shell: int, rng: np.random.Generator) -> Array:
    """Give every coefficient from a shell on a random phase; amplitudes stay.

    The phases are those of white noise, so the result is real without any bookkeeping of conjugate pairs.
    """
    xp = array_namespace(volume)
    shape = tuple(int(s) for s in volume.shape)
    spectrum = rfft3(volume)
    noise = rfft3(xp.asarray(rng.standard_normal(shape, dtype=np.float32)))
    size = xp.abs(noise)
    phase = noise / xp.where(size > 0, size, xp.ones_like(size))
    beyond = xp.asarray(np.asarray(shell_index(shape)) >= start_shell)
    changed = xp.where(beyond, xp.abs(spectrum) * phase, spectrum)
    return xp.astype(irfft3(changed, shape), volume.dtype)  # type: ignore[arg-type]


def _masked_fsc(a: Array, b: Array, mask: NDArray[np.float32]) -> NDArray[np.float64]:
    xp = array_namespace(a)
    window = xp.asarray(mask)
    return fourier_shell_correlation(a * window, b * window)


def _check(half_a: Array, half_b: Array, mask: Array | None) -> None:
    shapes = [tuple(x.shape) for x in (half_a, half_b, mask) if x is not None]
    if len(set(shapes)) != 1 or len(shapes[0]) != 3 or len(set(shapes[0])) != 1:
        found = ", ".join(str(s) for s in shapes)
        raise ValueError(f"half maps and mask must be cubes of one size, got {found}; resample them first")
