"""What goes into a CTF fit and what comes out of it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.optics import Defocus


@dataclass(frozen=True)
class CtfSettings:
    """How to fit; the defaults suit ordinary micrographs.

    Attributes
    ----------
    low_resolution_A, high_resolution_A : float
        Fit range in Å; the high end is clipped to Nyquist.
    min_defocus_A, max_defocus_A : float
        Search range of the mean defocus, underfocus positive.
    max_astigmatism_A : float
        Largest defocus difference U - V that is searched.
    fit_astigmatism : bool
        Whether to fit astigmatism at all.
    fit_phase_shift : bool
        Whether to search a phase shift of 0–180° (phase plate); `phase_shift_deg` is used as it is otherwise.
    phase_shift_deg : float
        Fixed phase shift.
    fit_patches : bool
        Whether to fit the local defocus surface.
    tile_A : float
        Side of the tiles in Å. Large tiles resolve the fast rings of a high defocus, small ones follow local
        defocus; where the rings are too fast for them or the fit is unsure, larger ones are tried as well.
    astigmatism_prior_A : float
        Astigmatism that is thought usual (standard deviation): a weak prior that decides where the data cannot.
    tilt_prior_deg : float
        Tilt that is thought usual (standard deviation): surfaces are drawn towards flatness by it.
    curvature_prior_A : float
        Usual size of the surface's quadratic coefficients, in Å.
    """

    low_resolution_A: float = 25.0
    high_resolution_A: float = 4.0
    min_defocus_A: float = 1000.0
    max_defocus_A: float = 40000.0
    max_astigmatism_A: float = 4000.0
    fit_astigmatism: bool = True
    fit_phase_shift: bool = False
    phase_shift_deg: float = 0.0
    fit_patches: bool = True
    tile_A: float = 800.0
    astigmatism_prior_A: float = 800.0
    tilt_prior_deg: float = 4.0
    curvature_prior_A: float = 40.0

    def __post_init__(self) -> None:
        """Check the ranges that cannot be checked later."""
        if not 0 < self.min_defocus_A < self.max_defocus_A:
            raise ValueError(
                f"The defocus range is {self.min_defocus_A:g}–{self.max_defocus_A:g} Å; expected a smaller and then a "
                "larger positive number: correct the two bounds."
            )


def _zeros() -> NDArray[np.float32]:
    return np.zeros(6, np.float32)


@dataclass(frozen=True)
class CtfCurves:
    """One-dimensional curves of a fit, along the frequency at mean defocus.

    The spectrum is averaged along lines of equal CTF phase, so astigmatism and tilt do not blur it. Power is
    in units of the smooth background's fit, so it stays near 1.

    Attributes
    ----------
    frequency_per_A : NDArray
        (R,) frequency, 1/Å.
    spectrum, background, fit : NDArray
        (R,) averaged power, its smooth background, and background + envelope × CTF².
    cross_correlation : NDArray
        (R,) local correlation of spectrum and fit after removal of the background, less what chance may bring.
    """

    frequency_per_A: NDArray[np.float32]
    spectrum: NDArray[np.float32]
    background: NDArray[np.float32]
    fit: NDArray[np.float32]
    cross_correlation: NDArray[np.float32]


@dataclass(frozen=True)
class CtfFit:
    """The CTF of one micrograph.

    Attributes
    ----------
    u_A, v_A : float
        Larger and smaller defocus in Å, averaged over the micrograph.
    angle_deg : float
        Angle from x of the axis of `u_A`, in (-90, 90].
    phase_shift_deg : float
        Phase shift.
    surface : NDArray
        (6,) polynomial c0 + c1x + c2y + c3x² + c4xy + c5y² in Å to add to the mean defocus, x and y in [-1,
        1] over the micrograph. Its mean over the micrograph is zero.
    fit_resolution_A : float
        Up to where spectrum and fit agree, in Å: the excess of their local correlation over 0.3 adds up highest there.
    score : float
        Correlation of spectrum and fit over rings and sectors, 0 to 1.
    confidence : float
        How far the best defocus stands above the best different one, 0 (a guess) to 1.
    ice_thickness : float
        Relative measure of the ice: power of the water ring (3.7 Å) against that of its surroundings; NaN
        where the pixels are too coarse to see it.
    error_A : float
        Standard error of the mean defocus expected from the noise.
    curves : CtfCurves
        One-dimensional curves.
    spectrum_2d : NDArray
        (m, m) float32 picture with grey values 0 to 1, DC at [m//2, m//2], row 0 the lowest ky: CTF² of the fit on the
        left, the spectrum at the right where ky < 0 and its equiphase average at the right where ky ≥ 0.
        `spectrum_2d_step_per_A` is the frequency step of its pixels.
    """

    u_A: float
    v_A: float
    angle_deg: float
    phase_shift_deg: float
    fit_resolution_A: float
    score: float
    confidence: float
    ice_thickness: float
    error_A: float
    curves: CtfCurves
    spectrum_2d: NDArray[np.float32]
    spectrum_2d_step_per_A: float
    surface: NDArray[np.float32] = field(default_factory=_zeros)

    @property
    def mean_defocus_A(self) -> float:
        """Mean of the two defoci, in Å."""
        return 0.5 * (self.u_A + self.v_A)

    @property
    def astigmatism_A(self) -> float:
        """Difference of the two defoci, in Å."""
        return self.u_A - self.v_A

    @property
    def defocus(self) -> Defocus:
        """The mean defocus as the CTF model takes it."""
        return Defocus(self.u_A, self.v_A, self.angle_deg, self.phase_shift_deg)
