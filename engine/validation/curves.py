"""The five FSC curves of two half maps as a result: resolutions, their errors, and what the mask adds.

Fourier shell correlation: Harauz & van Heel, Optik 73, 146-156 (1986); threshold 0.143: Rosenthal & Henderson, J Mol
Biol 333, 721-745 (2003); correction for the mask by noise substitution: Chen et al., Ultramicroscopy 135, 24-35
(2013).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.fourier.grids import hermitian_weight, radial_frequency_px
from engine.fourier.shells import resolution_at, shell_counts

CURVES = ("no_mask", "spherical", "loose", "tight", "corrected")
_SHELLS_PAST_START = 2
_MOST_MASK_CORRELATION = 0.15
_MOST_MASK_GAIN = 1.08
_MASK_SAMPLES = 64


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
    errors : dict of (n // 2 + 1,) arrays
        Standard error of each curve, see `correlation_error`.
    """

    curves: dict[str, NDArray[np.float64]]
    randomised: NDArray[np.float64]
    randomised_from_A: float
    masks: dict[str, NDArray[np.float32]]
    box_px: int
    pixel_size_A: float
    errors: dict[str, NDArray[np.float64]] = field(default_factory=dict)

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

    def interval(self, curve: str = "corrected", threshold: float = 0.143) -> tuple[float, float]:
        """Resolutions in Å (finer, coarser) where the curve plus and minus its standard error crosses a threshold."""
        return resolution_interval(self.curves[curve], self.errors[curve], self.box_px, self.pixel_size_A, threshold)

    @property
    def mask_correlation(self) -> float:
        """Mean FSC that the mask alone gives noise, from where the correction starts to the tight curve's end."""
        box_A = self.box_px * self.pixel_size_A
        first = round(box_A / self.randomised_from_A) + _SHELLS_PAST_START
        last = min(max(int(box_A / self.resolution("tight")), first), len(self.randomised) - 1)
        return float(np.mean(self.randomised[first : last + 1])) if first <= last else 0.0

    @property
    def mask_is_too_tight(self) -> bool:
        """Whether the mask makes correlation of its own: an over-tight mask, or one with too sharp an edge."""
        gained = self.resolution("corrected") > _MOST_MASK_GAIN * self.resolution("tight")
        return bool(self.mask_correlation > _MOST_MASK_CORRELATION or (gained and self.mask_correlation > 0.05))


def randomisation_start(no_mask: NDArray[np.floating], randomise_at_fsc: float) -> int:
    """First shell (not the zeroth) where the no-mask curve is below the threshold; the last if it never is."""
    below = np.flatnonzero(np.asarray(no_mask[1:]) < randomise_at_fsc)
    return int(below[0]) + 1 if below.size else len(no_mask) - 1


def corrected_fsc(
    tight: NDArray[np.floating], randomised: NDArray[np.floating], start: int, past: int = _SHELLS_PAST_START
) -> NDArray[np.float64]:
    """Take the mask's own correlation off a curve.

    ``(tight - randomised) / (1 - randomised)`` from `past` shells past `start`, `tight` before. Where the noise alone
    correlates as well as the maps do, nothing is left and the curve is at most 0.
    """
    corrected = np.array(tight, dtype=np.float64)
    beyond = slice(start + past, None)
    noise = np.minimum(np.asarray(randomised, dtype=np.float64)[beyond], 1.0 - 1e-6)
    corrected[beyond] = (corrected[beyond] - noise) / (1.0 - noise)
    return np.clip(corrected, -1.0, 1.0)


def independent_voxels(box_px: int, mask: NDArray[np.floating] | None = None, mates: int = 1) -> NDArray[np.float64]:
    """Number of independent complex coefficients on each shell.

    Half of the shell's coefficients (the others are their conjugates), and fewer inside a mask m: there the noise of
    two coefficients q apart is correlated by ``|FT(m²)(q)|² / |FT(m²)(0)|²``, which counts where both lie on the shell.
    Symmetry that was imposed makes as many alike as the point group has operators, `mates`.
    """
    count = 0.5 * shell_counts((box_px,) * 3) / mates
    if mask is None:
        return np.maximum(count, 1.0)
    # the transform of a mask is narrow: a coarse copy of the mask has it all
    step = max(box_px // _MASK_SAMPLES, 1)
    power = np.square(np.abs(np.fft.rfftn(np.square(np.asarray(mask, np.float32)[::step, ::step, ::step]))))
    shape = tuple(len(range(0, box_px, step)) for _ in range(3))
    distance = radial_frequency_px(shape) * max(shape)
    # of a coefficient and one q shells away in a random direction: the chance that both are on a shell of width 1
    both = np.where(distance < 1.0, 1.0 - 0.5 * distance, 0.5 / np.maximum(distance, 1.0))
    correlated = float(np.sum(power * both * hermitian_weight(shape)) / max(float(power[0, 0, 0]), 1e-30))
    return np.maximum(count / max(correlated, 1.0), 1.0)


def correlation_error(curve: NDArray[np.floating], independent: NDArray[np.floating]) -> NDArray[np.float64]:
    """Standard error ``(1 - FSC²) / sqrt(2 N)`` of an FSC curve, N coefficients of a shell being independent."""
    return np.asarray((1.0 - np.square(np.clip(curve, -1.0, 1.0))) / np.sqrt(2.0 * independent))


def corrected_error(
    tight: NDArray[np.floating], randomised: NDArray[np.floating], independent: NDArray[np.floating], start: int
) -> NDArray[np.float64]:
    """Standard error of a corrected curve: from two shells past `start` on both curves that it is made of have one."""
    found = correlation_error(tight, independent)
    beyond = slice(start + _SHELLS_PAST_START, None)
    left = 1.0 - np.minimum(np.asarray(randomised, np.float64)[beyond], 1.0 - 1e-3)
    found[beyond] = np.hypot(found[beyond], correlation_error(randomised, independent)[beyond]) / left
    return found


def resolution_interval(
    curve: NDArray[np.floating],
    error: NDArray[np.floating],
    box_px: int,
    pixel_size_A: float,
    threshold: float = 0.143,
) -> tuple[float, float]:
    """Resolutions in Å (finer, coarser) where a curve plus and minus its error first crosses a threshold.

    Parameters
    ----------
    curve, error : (n // 2 + 1,) arrays
        Correlation of each shell and its standard error.
    box_px : int
        Side n of the box.
    pixel_size_A : float
        Å per px.
    threshold : float
    """
    curve, error = np.asarray(curve, np.float64), np.asarray(error, np.float64)
    finer, coarser = (resolution_at(curve + sign * error, box_px, pixel_size_A, threshold) for sign in (1.0, -1.0))
    return finer, coarser
