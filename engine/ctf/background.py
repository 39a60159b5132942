"""The smooth parts of a power spectrum: background, and the bases that describe background and envelope."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import BSpline

from engine.arrays import Array


def smooth_background(frequency: Array, power: Array, weight: Array, degree: int = 4) -> Array:
    """Fit a smooth positive curve to a rotational average of power.

    A polynomial of low degree in log(power) against log(frequency): stiff enough not to follow Thon rings,
    which the fit would then miss, and steep enough for the fall of a real spectrum. What it leaves over is
    fitted together with the CTF.

    Parameters
    ----------
    frequency, power, weight : Array
        (R,) frequency in 1/Å, mean power of each ring (> 0) and its weight (number of Fourier pixels).
    degree : int
        Degree of the polynomial.

    Returns
    -------
    Array
        (R,) float64, positive.

    Raises
    ------
    ValueError
        If the power is not positive and finite on every ring.
    """
    if not (np.all(np.isfinite(power)) and np.all(power > 0)):
        raise ValueError(
            "The power spectrum holds rings without power or with values that are not numbers; expected that of "
            "an image that is neither constant nor damaged: leave this image out."
        )
    x = np.log(frequency)
    x = 2.0 * (x - x[0]) / (x[-1] - x[0]) - 1.0
    basis = np.polynomial.chebyshev.chebvander(x, degree)
    root = np.sqrt(weight)[:, None]
    coefficients, *_ = np.linalg.lstsq(basis * root, np.log(power) * root[:, 0], rcond=None)
    return np.exp(basis @ coefficients)


def spline_basis(frequency: Array, count: int) -> Array:
    """Cubic B-splines over the fit range, summing to one everywhere.

    Parameters
    ----------
    frequency : Array
        (R,) frequencies in rising order.
    count : int
        Number of splines, at least 4.

    Returns
    -------
    Array
        (R, count) float64.
    """
    inner = np.linspace(frequency[0], frequency[-1], count - 2)
    knots = np.concatenate([[inner[0]] * 3, inner, [inner[-1]] * 3])
    return BSpline.design_matrix(np.clip(frequency, inner[0], inner[-1]), knots, 3).toarray()


def remove_background(columns: Array, basis: Array, weight: Array) -> Array:
    """Take out of curves everything that a background could explain (weighted projection).

    Applied to the data and to the model alike, it makes their correlation blind to the background without
    bias.

    Parameters
    ----------
    columns : Array
        (R, m) curves.
    basis : Array
        (R, b) background basis.
    weight : Array
        (R,) weights.

    Returns
    -------
    Array
        (R, m) curves, orthogonal to `basis` under `weight`.
    """
    weighted = basis * weight[:, None]
    normal = basis.T @ weighted
    return columns - basis @ np.linalg.solve(normal, weighted.T @ columns)
