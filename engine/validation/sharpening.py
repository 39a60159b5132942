"""Sharpening: the B-factor of a map from its Guinier plot, weighting by the FSC, and applying both.

Rosenthal & Henderson, J Mol Biol 333, 721-745 (2003). B-factors have RELION's sign: a negative one sharpens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.filters import low_pass_gain
from engine.fourier.grids import radial_frequency_px, shell_index
from engine.fourier.shells import radial_average
from engine.fourier.transforms import irfft3, rfft3

_LEAST_SHELLS = 5


@dataclass(frozen=True)
class GuinierFit:
    """A straight line through a Guinier plot.

    Attributes
    ----------
    b_factor_A2 : float
        B-factor to sharpen with: four times the slope, negative for a map that fades with frequency.
    intercept : float
        Logarithm of the amplitude at zero frequency on the line.
    correlation : float
        Absolute correlation of the points with the line.
    k2_per_A2 : (m,) array
        Squared frequency of each shell.
    log_amplitude : (m,) array
        Natural logarithm of the mean amplitude of each shell, FSC weight included.
    fitted : (m,) bool array
        Shells that the line was fitted to.
    """

    b_factor_A2: float
    intercept: float
    correlation: float
    k2_per_A2: NDArray[np.float64]
    log_amplitude: NDArray[np.float64]
    fitted: NDArray[np.bool_]


def fsc_weight(fsc: NDArray[np.floating]) -> NDArray[np.float64]:
    """Figure of merit sqrt(2 FSC / (1 + FSC)) of the map that two halves make; 0 where the FSC is negative."""
    curve = np.clip(np.asarray(fsc, dtype=np.float64), 0.0, 1.0)
    return np.sqrt(2.0 * curve / (1.0 + curve))


def guinier_b_factor(
    volume: Array,
    pixel_size_A: float,
    resolution_A: float,
    fsc: NDArray[np.floating] | None = None,
    low_resolution_A: float = 10.0,
    mask: Array | None = None,
) -> GuinierFit:
    """Fit the fall of a map's amplitudes between two resolutions.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
    resolution_A : float
        Resolution of the map: the far end of the fit.
    fsc : (n // 2 + 1,) array, optional
        Curve to weight the amplitudes with.
    low_resolution_A : float
        Near end of the fit. If fewer than five shells lie between, the fit begins five shells before the end.
    mask : (n, n, n) array, optional
        Leaves the solvent out.

    Returns
    -------
    GuinierFit

    Raises
    ------
    ValueError
        If the resolution is not positive or coarser than a quarter of the box.
    """
    n = int(volume.shape[0])
    box_A = n * pixel_size_A
    if not 0 < resolution_A <= box_A / 4:
        raise ValueError(f"expected a resolution of at most {box_A / 4:.1f} Å for this box, got {resolution_A} Å")
    xp = array_namespace(volume)
    if mask is not None:
        volume = volume * xp.asarray(mask)
    amplitude = radial_average(xp.abs(rfft3(volume)), (n, n, n))
    if fsc is not None:
        amplitude = amplitude * fsc_weight(fsc)[: len(amplitude)]
    last = min(int(box_A / resolution_A), n // 2)
    first = min(int(np.ceil(box_A / low_resolution_A)), last - _LEAST_SHELLS + 1)
    k2 = np.square(np.arange(len(amplitude)) / box_A)
    shells = np.arange(len(amplitude))
    fitted = (shells >= max(first, 1)) & (shells <= last) & (amplitude > 0)
    log_amplitude = np.log(np.maximum(amplitude, 1e-30))
    return fit_guinier(k2, log_amplitude, fitted)


def fit_guinier(
    k2_per_A2: NDArray[np.floating], log_amplitude: NDArray[np.floating], fitted: NDArray[np.bool_]
) -> GuinierFit:
    """Fit a straight line to the chosen points of a Guinier plot."""
    x, y = np.asarray(k2_per_A2, np.float64), np.asarray(log_amplitude, np.float64)
    if fitted.sum() < 2:
        raise ValueError("a Guinier fit needs at least two shells between its resolutions")
    slope, intercept = np.polyfit(x[fitted], y[fitted], 1)
    spread = float(np.std(y[fitted]))
    correlation = abs(float(np.corrcoef(x[fitted], y[fitted])[0, 1])) if spread > 0 else 1.0
    return GuinierFit(4.0 * float(slope), float(intercept), correlation, x, y, fitted)


def sharpen(
    volume: Array,
    pixel_size_A: float,
    b_factor_A2: float,
    fsc: NDArray[np.floating] | None = None,
    low_pass_A: float | None = None,
) -> Array:
    """Multiply a map's amplitudes by exp(-B k² / 4), the FSC's figure of merit and a low-pass filter.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
    b_factor_A2 : float
        Negative sharpens, positive blurs.
    fsc : (n // 2 + 1,) array, optional
        Curve of the half maps; amplitudes are weighted by sqrt(2 FSC / (1 + FSC)).
    low_pass_A : float, optional
        Resolution beyond which nothing is kept.

    Returns
    -------
    (n, n, n) array
        Same library and type as `volume`.
    """
    if volume.ndim != 3:
        raise ValueError(f"expected a map, got shape {tuple(volume.shape)}")
    xp = array_namespace(volume)
    shape = tuple(int(s) for s in volume.shape)
    radius = np.asarray(radial_frequency_px(shape), dtype=np.float64) / pixel_size_A
    gain = np.exp(-0.25 * b_factor_A2 * np.square(radius))
    if fsc is not None:
        shells = np.asarray(shell_index(shape))
        weight = np.zeros(max(int(shells.max()) + 1, len(fsc)))
        weight[: len(fsc)] = fsc_weight(fsc)
        gain *= weight[shells]
    if low_pass_A is not None:
        gain *= low_pass_gain(shape, pixel_size_A, low_pass_A)
    spectrum = rfft3(volume) * xp.asarray(gain.astype(np.float32))
    return xp.astype(irfft3(spectrum, shape), volume.dtype)  # type: ignore[arg-type]
