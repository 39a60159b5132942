"""The least error that any unbiased fit of a CTF can have: the Cramér–Rao bound from the expected spectrum.

The Fourier coefficients of a micrograph are independent complex Gaussians with the expected power P, so each tells
(∂ ln P / ∂p)² about a parameter p (Whittle's likelihood). Background and envelope are unknown smooth curves.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.ctf.background import spline_basis
from engine.ctf.fringes import BACKGROUND_SPLINES, ENVELOPE_SPLINES
from tests.benchmarks.ctf_micrographs import CtfCase, contrast_transfer, detector, structure_power

_ANGLES = 72


def bound(case: CtfCase, low_resolution_A: float = 25.0, high_resolution_A: float = 4.0) -> dict[str, float]:
    """Least standard errors of a fit of defocus and astigmatism (and phase shift, where there is one).

    Parameters
    ----------
    case : CtfCase
        The micrograph; its tilt is taken as known, which costs the mean defocus nothing.
    low_resolution_A, high_resolution_A : float
        The fit range.

    Returns
    -------
    dict
        ``mean_A``: of the mean defocus. ``astigmatism_A``: expected length of the error of the astigmatism's vector
        (magnitude at twice the angle). ``gain``: expected twice log-likelihood ratio to a spectrum without fringes.
    """
    k_end = min(1.0 / high_resolution_A, 0.49 / case.pixel_size_A)
    k, theta = np.linspace(1.0 / low_resolution_A, k_end, 3000), (np.arange(_ANGLES) + 0.5) * np.pi / _ANGLES
    kx, ky = k[:, None] * np.cos(theta), k[:, None] * np.sin(theta)
    transfer, noise = detector(case, k)
    signal = sum(structure_power(case, k)) * transfer**2
    ctf = contrast_transfer(case, kx, ky)
    power = signal[:, None] * ctf**2 + noise[:, None]
    slope = signal[:, None] * _slope(case, kx, ky, ctf)
    wanted = [kx**2 + ky**2, kx**2 - ky**2, 2 * kx * ky]
    scale = np.pi * float(case.optics.wavelength_A)
    columns = [scale * slope * factor for factor in wanted] + ([slope] if case.phase_shift_deg else [])
    columns += [b[:, None] * np.ones(_ANGLES) for b in spline_basis(k, BACKGROUND_SPLINES).T]
    columns += [e[:, None] * ctf**2 for e in spline_basis(k, ENVELOPE_SPLINES).T]
    area = case.shape[0] * case.shape[1] * case.pixel_size_A**2
    coefficients = area * k[:, None] * (k[1] - k[0]) * np.pi / _ANGLES * np.ones(_ANGLES)
    jacobian = (np.stack(columns) / power * np.sqrt(coefficients)).reshape(len(columns), -1)
    size = np.linalg.norm(jacobian, axis=1)
    covariance = np.linalg.inv((jacobian / size[:, None]) @ (jacobian / size[:, None]).T) / np.outer(size, size)
    # the error of U - V is twice that of its half; the mean length of a Gaussian vector of two components
    astigmatism = 2.0 * np.sqrt(0.5 * np.pi * 0.5 * (covariance[1, 1] + covariance[2, 2]))
    return {
        "mean_A": float(np.sqrt(covariance[0, 0])),
        "astigmatism_A": float(astigmatism),
        "gain": _gain(jacobian[-BACKGROUND_SPLINES - ENVELOPE_SPLINES : -ENVELOPE_SPLINES], power, coefficients),
    }


def _slope(case: CtfCase, kx: NDArray, ky: NDArray, ctf: NDArray) -> NDArray:
    """Derivative of CTF² with respect to the phase: 2 sin γ cos γ; the sign of the cosine from a small step."""
    step_A = 1e-3
    phase_step = np.pi * float(case.optics.wavelength_A) * (kx**2 + ky**2) * step_A
    return (contrast_transfer(case, kx, ky, step_A) ** 2 - ctf**2) / phase_step


def _gain(background: NDArray, power: NDArray, coefficients: NDArray) -> float:
    """Weighted squared difference of the spectrum to the best smooth background."""
    values = np.sqrt(coefficients).ravel() * np.ones(power.size)
    fitted, *_ = np.linalg.lstsq(background.T, values, rcond=None)
    return float(((values - background.T @ fitted) ** 2).sum())
