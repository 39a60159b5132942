"""The model of a spectrum that the fits share: background + envelope × CTF², on rings and sectors.

With γ the CTF's phase, CTF² = ½ (1 - cos 2γ); the constant half belongs to the background, so a spectrum is
``b(k) - ½ s(k) cos 2γ(k, θ)`` with smooth b and s ≥ 0. The phase is linear in the parameters
``(mean defocus, a_cos, a_sin, phase shift)``, where the astigmatic defocus along θ is
``mean + a_cos cos 2θ + a_sin sin 2θ`` (Rohou & Grigorieff, J Struct Biol 192, 216 (2015), eq. 2–5).
For given parameters the best b and s follow from linear least squares, so only the phase's parameters are
searched (variable projection: Golub & Pereyra, SIAM J Numer Anal 10, 413 (1973)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.ctf.background import spline_basis
from engine.ctf.polar import PolarBins
from engine.optics import Optics

BACKGROUND_SPLINES = 8
ENVELOPE_SPLINES = 5
_VARIANCE_RINGS = 16
# Under a sine window neighbouring coefficients correlate by -1/2, their powers by 1/4: what varies slowly over the
# rings scatters 1 + 2/4 times as much as independent rings would.
_RING_CORRELATION = 1.5
_OUTLIER_SIGMA = 6.0
_LEAST_POWER = 0.2


@dataclass(frozen=True)
class Fringes:
    """A spectrum on polar bins, divided by its smooth background, and all that its model needs.

    Attributes
    ----------
    power : Array
        (R, S) power in units of the smooth background.
    weight : Array
        (R, S) independent coefficients of each bin: the inverse variance of `power`.
    frequency : Array
        (R,) in 1/Å.
    quadratic : Array
        (3, R, S) factors of mean defocus, a_cos and a_sin in the phase, rad/Å.
    constant : Array
        (R, S) rest of the phase (spherical aberration and amplitude contrast), rad.
    background, envelope : Array
        (R, b), (R, e) bases of the smooth parts.
    """

    power: Array
    weight: Array
    frequency: Array
    quadratic: Array
    constant: Array
    background: Array
    envelope: Array

    def phase(self, parameters: Array) -> Array:
        """Phase γ of the CTF on the bins for (mean_A, a_cos_A, a_sin_A, phase_shift_rad): (R, S) rad."""
        mean, a_cos, a_sin, shift = parameters
        quadratic = self.quadratic
        return self.constant + shift + mean * quadratic[0] + a_cos * quadratic[1] + a_sin * quadratic[2]

    def solve(self, phase: Array) -> tuple[Array, Array]:
        """Best background and envelope, (R,) each, for a given phase on the bins; the envelope is nowhere negative."""
        fringe = -0.5 * np.cos(2.0 * phase)
        w, wf, wff = self.weight.sum(1), (self.weight * fringe).sum(1), (self.weight * fringe**2).sum(1)
        wy, wfy = (self.weight * self.power).sum(1), (self.weight * fringe * self.power).sum(1)
        b, e = self.background, self.envelope
        cross = b.T @ (wf[:, None] * e)
        normal = np.block([[b.T @ (w[:, None] * b), cross], [cross.T, e.T @ (wff[:, None] * e)]])
        right = np.concatenate([b.T @ wy, e.T @ wfy])
        normal[np.diag_indices_from(normal)] *= 1.0 + 1e-6
        solution = _solve_with_positive_tail(normal, right, b.shape[1])
        return b @ solution[: b.shape[1]], e @ solution[b.shape[1] :]

    def reweighted(self, parameters: Array) -> Fringes:
        """The same spectrum with the weights of the model's own power, and outliers cut at 6 standard deviations.

        A coefficient scatters as much as its expected power, so the dark rings are known better than the bright ones.
        Least squares with these weights are steps of maximum likelihood (Whittle, J R Stat Soc B 15, 125 (1953)).
        """
        phase = self.phase(parameters)
        background, envelope = self.solve(phase)
        model = background[:, None] - 0.5 * envelope[:, None] * np.cos(2.0 * phase)
        model = np.maximum(model, _LEAST_POWER * np.maximum(background[:, None], _LEAST_POWER))
        limit = _OUTLIER_SIGMA * model / np.sqrt(np.maximum(self.weight, 1e-12))
        power = np.clip(self.power, model - limit, model + limit)
        return replace(self, power=power, weight=self.weight / model**2)

    def gain(self, parameters: Array) -> float:
        """How much the fringes lower the weighted squared residual (twice the log-likelihood ratio to no fringes)."""
        phase = self.phase(parameters)
        background, envelope = self.solve(phase)
        residual = self.power - background[:, None] + 0.5 * envelope[:, None] * np.cos(2.0 * phase)
        return self.residual_without_fringes() - float((self.weight * residual**2).sum())

    def residual_without_fringes(self) -> float:
        """Weighted squared residual of the background alone."""
        normal = self.background.T @ (self.weight.sum(1)[:, None] * self.background)
        right = self.background.T @ (self.weight * self.power).sum(1)
        background = self.background @ np.linalg.solve(normal, right)
        return float((self.weight * (self.power - background[:, None]) ** 2).sum())


def _solve_with_positive_tail(normal: Array, right: Array, free: int) -> Array:
    """Solve normal equations with the unknowns from `free` on held at zero where they would become negative."""
    used = np.ones(len(right), bool)
    solution = np.zeros(len(right))
    while True:
        solution[:] = 0.0
        solution[used] = np.linalg.solve(normal[np.ix_(used, used)], right[used])
        negative = used & (solution < 0)
        negative[:free] = False
        if not negative.any():
            return solution
        used &= ~negative


def phase_at(kx_per_A: Array, ky_per_A: Array, parameters: Array, optics: Optics) -> Array:
    """Phase γ of the CTF at frequencies (broadcastable) for (mean_A, a_cos_A, a_sin_A, phase_shift_rad), in rad."""
    mean, a_cos, a_sin, shift = parameters
    wavelength = float(optics.wavelength_A)
    k2 = kx_per_A**2 + ky_per_A**2
    defocused = mean * k2 + a_cos * (kx_per_A**2 - ky_per_A**2) + a_sin * (2.0 * kx_per_A * ky_per_A)
    spherical = 0.5 * np.pi * float(optics.cs_mm) * 1e7 * wavelength**3 * k2**2
    return np.pi * wavelength * defocused - spherical + np.arcsin(float(optics.amplitude_contrast)) + shift


def phase_factors(bins: PolarBins, optics: Optics) -> tuple[Array, Array]:
    """Factors of the CTF's phase: (3, R, S) for the defocus terms in rad/Å, and the rest (R, S) in rad."""
    wavelength = float(optics.wavelength_A)
    quadratic = np.pi * wavelength * np.stack([bins.k2, bins.k2_cos, bins.k2_sin])
    spherical = 0.5 * np.pi * float(optics.cs_mm) * 1e7 * wavelength**3 * bins.k4
    return quadratic, np.arcsin(float(optics.amplitude_contrast)) - spherical


def _variance(relative: Array, weight: Array) -> Array:
    """Variance of each ring's bins in units of 1/weight: (R, 1), from second differences along the rings.

    The signal is smooth along a ring. Few objects scatter more than the many of a random image: at low frequency their
    speckle is counted as what it is. The variance is smoothed over neighbouring rings.
    """
    variance = 1.0 / np.maximum(weight, 1e-12)
    second = relative[:, 2:] - 2.0 * relative[:, 1:-1] + relative[:, :-2]
    expected = variance[:, 2:] + 4.0 * variance[:, 1:-1] + variance[:, :-2]
    filled = (weight[:, 2:] > 0) & (weight[:, 1:-1] > 0) & (weight[:, :-2] > 0)
    sums = np.where(filled, second**2 / np.where(filled, expected, 1.0), 0.0).sum(1)
    away = np.abs(np.arange(len(sums))[:, None] - np.arange(len(sums)))
    kernel = np.maximum(0.0, 1.0 - away / _VARIANCE_RINGS)
    rings = (kernel @ sums) / np.maximum(kernel @ filled.sum(1), 1e-12)
    overall = sums.sum() / max(int(filled.sum()), 1)
    return np.maximum(rings, max(0.5 * overall, 1e-12))[:, None]


def fringes(power: Array, smooth: Array, bins: PolarBins, optics: Optics, independent: float = 1.0) -> Fringes:
    """Prepare a spectrum on polar bins for the fits.

    Parameters
    ----------
    power : Array
        (R, S) mean power on the bins.
    smooth : Array
        (R,) smooth background that sets the units (see `engine.ctf.background.smooth_background`).
    bins : PolarBins
        The bins.
    optics : Optics
        Voltage, spherical aberration, amplitude contrast.
    independent : float
        Independent coefficients per Fourier pixel behind `power`, roughly: the weights are scaled to the scatter seen.

    Returns
    -------
    Fringes
        With the worst outliers (ice spots, lattice reflections) cut.
    """
    quadratic, constant = phase_factors(bins, optics)
    weight = bins.counts * independent
    relative = np.asarray(power, np.float64) / smooth[:, None]
    ring = (relative * weight).sum(1, keepdims=True) / np.maximum(weight.sum(1, keepdims=True), 1e-12)
    # CTF² is at most twice its mean, so nothing of the signal is cut here; `reweighted` looks again
    limit = 1.0 + _OUTLIER_SIGMA / np.sqrt(np.maximum(weight, 1e-12))
    relative = np.minimum(relative, 2.0 * np.maximum(ring, 1.0) * limit)
    relative = np.where(weight > 0, relative, ring)
    weight = weight / (_RING_CORRELATION * _variance(relative, weight))
    frequency = bins.frequency_per_A
    return Fringes(
        relative, weight, frequency, quadratic, constant,
        spline_basis(frequency, BACKGROUND_SPLINES), spline_basis(frequency, ENVELOPE_SPLINES),
    )  # fmt: skip
