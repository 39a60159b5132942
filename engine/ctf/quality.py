"""How good a CTF fit is: curves along the equiphase average, fit resolution, score, confidence, ice.

The equiphase average replaces the rotational one so that astigmatism and local defocus do not blur the rings,
and the local correlation along it gives the resolution to which the rings are explained (Rohou & Grigorieff,
J Struct Biol 192, 216 (2015), section 2.5; Zhang, J Struct Biol 193, 1 (2016), "equi-phase average").
"""

from __future__ import annotations

import numpy as np

from engine.arrays import Array
from engine.ctf.fringes import Fringes, phase_at
from engine.ctf.result import CtfCurves
from engine.optics import Optics

FIT_RESOLUTION_THRESHOLD = 0.3
_SURE_SIGMA = 3.0
_WATER_RING_A = (3.9, 3.5)
_BESIDE_WATER_A = (5.0, 4.3)


def equiphase_frequency(phase: Array, mean_defocus_A: float, offset: float, optics: Optics) -> Array:
    """Frequency at which the CTF without astigmatism, at the mean defocus, has the given phase.

    Parameters
    ----------
    phase : Array
        Phase γ of the CTF, any shape, rad.
    mean_defocus_A : float
        Mean defocus in Å.
    offset : float
        Phase at zero frequency (amplitude contrast and phase shift), rad.
    optics : Optics
        The microscope.

    Returns
    -------
    Array
        Frequency in 1/Å, same shape. Beyond the turning point of the phase (strong spherical aberration at
        low defocus) it stays there.
    """
    wavelength = float(optics.wavelength_A)
    linear = np.pi * wavelength * mean_defocus_A
    square = 0.5 * np.pi * float(optics.cs_mm) * 1e7 * wavelength**3
    # square·q² - linear·q + (γ - offset) = 0 with q = k²; this form of the root is also right when square is
    # zero
    root = np.sqrt(np.maximum(linear**2 - 4.0 * square * (phase - offset), 0.0))
    return np.sqrt(np.maximum(2.0 * (phase - offset) / (linear + root), 0.0))


def equiphase_curves(
    data: Fringes,
    parameters: Array,
    optics: Optics,
    certainty: float = 1.0,
    polar: Array | None = None,
    local_defocus_A: Array | None = None,
) -> CtfCurves:
    """Average a spectrum along lines of equal phase and compare it with the fit.

    Parameters
    ----------
    data : Fringes
        The mean spectrum.
    parameters : Array
        (4,) mean defocus, a_cos, a_sin in Å, phase shift in rad.
    optics : Optics
        The microscope.
    certainty : float
        Factor of the correlation, see `certainty`.
    polar, local_defocus_A : Array, optional
        (T, R, S) tile spectra in units of the smooth background and (T,) local defoci: the average then
        follows the surface.

    Returns
    -------
    CtfCurves
    """
    phase = data.phase(parameters)
    background, envelope = data.solve(phase)
    offset = float(np.arcsin(optics.amplitude_contrast) + parameters[3])
    tiles = data.power[None] if polar is None or local_defocus_A is None else polar
    local = np.zeros(1) if polar is None or local_defocus_A is None else local_defocus_A
    frequency = data.frequency
    edges = np.concatenate([[-np.inf], 0.5 * (frequency[1:] + frequency[:-1]), [np.inf]])
    top, bottom, share = np.zeros(len(frequency)), np.zeros(len(frequency)), len(tiles)
    for tile, shift in zip(tiles, local, strict=True):
        k = equiphase_frequency(phase + shift * data.quadratic[0], float(parameters[0]), offset, optics)
        ring = np.searchsorted(edges, k.ravel()) - 1
        difference = (tile - background[:, None]) * data.weight
        top += np.bincount(ring, difference.ravel(), len(frequency))
        bottom += np.bincount(ring, data.weight.ravel(), len(frequency))
    round_phase = phase_at(frequency, 0.0, np.array([parameters[0], 0.0, 0.0, parameters[3]]), optics)
    fringe = -0.5 * np.cos(2.0 * round_phase)
    signal = top / np.maximum(bottom, 1e-12)
    correlation = certainty * local_correlation(signal, fringe, bottom / share, frequency, parameters[0], optics)
    base = background - 0.5 * envelope
    return CtfCurves(
        *(
            np.asarray(c, np.float32)
            for c in (frequency, background + signal, base, background + envelope * fringe, correlation)
        )
    )


def local_correlation(
    signal: Array, fringe: Array, weight: Array, frequency: Array, defocus_A: float, optics: Optics
) -> Array:
    """Correlation of two curves in a sliding window of about one and a half fringes, at least nine rings.

    A correlation that chance alone may bring in a window of so few rings counts less: it is scaled down where the
    fringes' amplitude is below three standard errors.

    Parameters
    ----------
    signal, fringe : Array
        (R,) spectrum without its background, and the model.
    weight : Array
        (R,) inverse variance of the signal.
    frequency : Array
        (R,) 1/Å.
    defocus_A : float
        Mean defocus: sets the width of a fringe.
    optics : Optics
        The microscope.

    Returns
    -------
    Array
        (R,) in [-1, 1].
    """
    step = float(np.mean(np.diff(frequency)))
    period = 1.0 / (2.0 * float(optics.wavelength_A) * defocus_A * frequency)
    half_width = np.clip(0.75 * period, 4.5 * step, 0.25 * (frequency[-1] - frequency[0]))
    window = np.exp(-0.5 * ((frequency[None, :] - frequency[:, None]) / (0.6 * half_width[:, None])) ** 2)
    window /= window.sum(1, keepdims=True)
    a, b = window @ signal, window @ fringe
    covariance = window @ (signal * fringe) - a * b
    spread = (window @ signal**2 - a**2) * (window @ fringe**2 - b**2)
    amplitude, variance = window @ (weight * signal * fringe), window**2 @ (weight * fringe**2)
    strength = np.maximum(amplitude, 0.0) / np.sqrt(np.maximum(variance, 1e-30))
    return covariance / np.sqrt(np.maximum(spread, 1e-30)) * np.minimum(1.0, strength / _SURE_SIGMA)


def fit_resolution_A(curves: CtfCurves, threshold: float = FIT_RESOLUTION_THRESHOLD) -> float:
    """Resolution up to which the rings are explained: where the correlation's excess over a threshold adds up highest.

    Summed from low frequency, it grows while rings agree with the fit and falls where they do not, so that a few rings
    that agree by chance beyond a long gap do not count, nor does a short gap that is followed by a long run of rings
    that agree.

    Returns
    -------
    float
        In Å; the first ring's resolution if the correlation is low throughout.
    """
    excess = np.cumsum(curves.cross_correlation.astype(np.float64) - threshold)
    last = int(np.argmax(excess)) if excess.max() > 0 else 0
    return float(1.0 / curves.frequency_per_A[last])


def score(data: Fringes, parameters: Array) -> float:
    """Weighted correlation coefficient of the background-free spectrum with the fit over all bins."""
    without = data.residual_without_fringes()
    return float(np.sqrt(np.clip(data.gain(parameters) / max(without, 1e-30), 0.0, 1.0)))


def chance_gain(searched: int) -> float:
    """Gain that the best of many wrong CTFs reaches.

    The gains are twice log-likelihood ratios: the best of `searched` independent trials reaches about 2 ln(searched).
    The constant stands for the parameters that are refined afterwards.
    """
    return float(2.0 * np.log(max(searched, 2)) + 6.0)


def certainty(gain: float, searched: int) -> float:
    """Share of a fit's correlation that is not chance: sqrt(1 - chance / gain), 0 where chance explains all of it."""
    return float(np.sqrt(max(0.0, 1.0 - chance_gain(searched) / max(gain, 1e-30))))


def confidence(gain: float, rival_gain: float, searched: int) -> float:
    """Probability-like measure that the best defocus is the right one.

    What stands above both chance and the best different defocus counts, measured against a factor of e⁴ in likelihood
    plus a twentieth of the gain itself: where the model is slightly wrong, all the gains of a good micrograph are
    large and their difference means less. The margin passes smoothly into zero, so that guesses are ranked too.
    Of random micrographs those above 0.5 were right; most of pure noise is below 0.2.

    Parameters
    ----------
    gain, rival_gain : float
        Of the best and of the best different defocus.
    searched : int
        Number of independent trials in the search.

    Returns
    -------
    float
        0 (a guess) to 1.
    """
    margin = 2.0 * np.logaddexp(0.0, 0.5 * (gain - max(rival_gain, chance_gain(searched))))
    return float(margin / (margin + 8.0 + 0.05 * max(gain, 0.0)))


def ice_thickness(frequency: Array, power: Array) -> float:
    """Power of the water ring at 3.7 Å relative to that between 5 and 4.3 Å.

    Thicker ice scatters more into the ring; the ratio compares micrographs of one session and is no length.

    Parameters
    ----------
    frequency, power : Array
        (R,) rotational average over frequencies that need not be those of the fit.

    Returns
    -------
    float
        NaN where the frequencies do not reach 3.5 Å.
    """
    if frequency[-1] < 1.0 / _WATER_RING_A[1]:
        return float("nan")

    def mean(band: tuple[float, float]) -> float:
        inside = (frequency >= 1.0 / band[0]) & (frequency <= 1.0 / band[1])
        return float(power[inside].mean())

    return mean(_WATER_RING_A) / mean(_BESIDE_WATER_A)
