"""The Guinier plot of a map and the B-factor that it needs (Rosenthal & Henderson, J Mol Biol 333, 721-745, 2003).

B-factors have RELION's sign: a negative one sharpens.

Between 10 and 6 Å the amplitudes of a protein fall by themselves, however sharp its map is: there the distances
between helices and strands end, and those of bonds begin at 5 Å. A straight line through that range finds a B-factor
of -100 to -200 Å² in a perfect map. So the fall that proteins have on average is taken off before the line is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.shells import radial_average, shell_counts
from engine.fourier.transforms import rfft3

COARSEST_A = 8.0
"""Nothing can be said about the B-factor of a map whose resolution is coarser than this."""

_LEAST_SHELLS = 5
# Logarithm of the mean amplitude of proteins in ice, relative to 10 Å: about the mean of soluble and membrane proteins,
# alone and in a nanodisc, with atoms of 50 Å² and shells of 0.005/Å. Finer than 3 Å the fall goes on as it was.
_PROTEIN_A = (20.0, 15.0, 13.0, 12.0, 11.0, 10.0, 9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5, 6.0, 5.5, 5.0, 4.5, 4.0, 3.5, 3.0)
_PROTEIN_LOG = (
    0.64, 0.53, 0.37, 0.22, 0.14, 0.00, -0.11, -0.18, -0.23, -0.275,
    -0.34, -0.39, -0.43, -0.42, -0.36, -0.27, -0.47, -0.72, -1.07, -1.56,
)  # fmt: skip
# proteins differ from their mean by this much; it is alike on neighbouring shells, so more shells do not make it less
_PROTEIN_SPREAD = 0.1


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
    expected : (m,) array
        Logarithm of what a protein's amplitude is there without any B-factor, which was taken off before the fit.
    error_A2 : float
        Standard error of the B-factor; nan where it is not known.
    """

    b_factor_A2: float
    intercept: float
    correlation: float
    k2_per_A2: NDArray[np.float64]
    log_amplitude: NDArray[np.float64]
    fitted: NDArray[np.bool_]
    expected: NDArray[np.float64]
    error_A2: float = float("nan")

    @property
    def resolution_A(self) -> NDArray[np.float64]:
        """Resolution of each shell; infinite for shell 0."""
        return np.where(self.k2_per_A2 > 0, 1.0 / np.sqrt(np.maximum(self.k2_per_A2, 1e-30)), np.inf)

    @property
    def line(self) -> NDArray[np.float64]:
        """The fitted line on every shell."""
        return self.intercept + 0.25 * self.b_factor_A2 * self.k2_per_A2

    @property
    def model(self) -> NDArray[np.float64]:
        """Line and expected fall together: what was fitted to the logarithm of the amplitude."""
        return self.line + self.expected

    @property
    def cautious_b_factor_A2(self) -> float:
        """The B-factor less its standard error, never blurring; 0 where nothing could be fitted.

        Too little sharpening shows less than is there, too much shows noise.
        """
        if not self.fitted.any():
            return 0.0
        return min(self.b_factor_A2 + (self.error_A2 if np.isfinite(self.error_A2) else 0.0), 0.0)


def fsc_weight(fsc: NDArray[np.floating]) -> NDArray[np.float64]:
    """Figure of merit sqrt(2 FSC / (1 + FSC)) of the map that two halves make; 0 where the FSC is negative."""
    curve = np.clip(np.asarray(fsc, dtype=np.float64), 0.0, 1.0)
    return np.sqrt(2.0 * curve / (1.0 + curve))


def protein_fall(k2_per_A2: NDArray[np.floating]) -> NDArray[np.float64]:
    """Logarithm of the mean amplitude of a protein (atoms of 50 Å²) at squared frequencies, relative to 10 Å."""
    x = np.square(1.0 / np.asarray(_PROTEIN_A))
    k2 = np.asarray(k2_per_A2, np.float64)
    inside = np.interp(k2, x, _PROTEIN_LOG)
    slope = (_PROTEIN_LOG[-1] - _PROTEIN_LOG[-2]) / (x[-1] - x[-2])
    return np.where(k2 > x[-1], _PROTEIN_LOG[-1] + slope * (k2 - x[-1]), inside)


def guinier_b_factor(
    volume: Array,
    pixel_size_A: float,
    resolution_A: float,
    fsc: NDArray[np.floating] | None = None,
    low_resolution_A: float = 10.0,
    mask: Array | None = None,
) -> GuinierFit:
    """Fit a straight line to the fall of a map's amplitudes between two resolutions, as RELION does.

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

    Raises
    ------
    ValueError
        If the resolution is not positive or coarser than a quarter of the box.
    """
    k2, log_amplitude, fitted = _points(volume, pixel_size_A, resolution_A, fsc, low_resolution_A, mask)
    return fit_guinier(k2, log_amplitude, fitted)


def sharpening_b_factor(
    volume: Array,
    pixel_size_A: float,
    resolution_A: float,
    fsc: NDArray[np.floating] | None = None,
    low_resolution_A: float = 10.0,
    mask: Array | None = None,
) -> GuinierFit:
    """Find the B-factor that makes a map fall off as proteins do: the fit of `guinier_b_factor` less their own fall.

    Parameters are those of `guinier_b_factor`. Shells count by how well their amplitude is known. Of a map whose
    resolution is coarser than 8 Å amplitudes tell the shape and not the blur: nothing is fitted, and the B-factor is 0.
    """
    coarse = resolution_A > COARSEST_A
    end_A = min(resolution_A, COARSEST_A)
    k2, log_amplitude, fitted = _points(volume, pixel_size_A, end_A, fsc, low_resolution_A, mask)
    if coarse:
        nowhere, unknown = np.zeros(len(k2), np.bool_), float("nan")
        return GuinierFit(0.0, unknown, unknown, k2, log_amplitude, nowhere, protein_fall(k2))
    n = int(volume.shape[0])
    merit = np.ones(len(k2)) if fsc is None else np.square(fsc_weight(fsc)[: len(k2)])
    share = 1.0 if mask is None else float(np.mean(np.asarray(to_numpy(mask), np.float64) ** 2))
    count = np.maximum(0.5 * share * shell_counts((n, n, n)), 1.0)
    variance = _PROTEIN_SPREAD**2 + (1.0 - merit**2) / np.maximum(2.0 * merit**2 * count, 1e-6)
    fit = fit_guinier(k2, log_amplitude, fitted, protein_fall(k2), 1.0 / variance)
    width = float(np.ptp(k2[fitted]))
    systematic = 4.0 * _PROTEIN_SPREAD * np.sqrt(2.0) / width
    return GuinierFit(**{**vars(fit), "error_A2": float(np.hypot(systematic, fit.error_A2))})


def fit_guinier(
    k2_per_A2: NDArray[np.floating],
    log_amplitude: NDArray[np.floating],
    fitted: NDArray[np.bool_],
    expected: NDArray[np.floating] | None = None,
    weights: NDArray[np.floating] | None = None,
) -> GuinierFit:
    """Fit a straight line to the chosen points of a Guinier plot, less what is expected without a B-factor.

    Parameters
    ----------
    k2_per_A2, log_amplitude : (shells,) arrays
        Squared frequency in 1/Å² and natural logarithm of the mean amplitude.
    fitted : (shells,) bool array
        The points that the line goes through.
    expected : (shells,) array, optional
        Logarithms that a map without a B-factor would have.
    weights : (shells,) array, optional

    Raises
    ------
    ValueError
        If fewer than two points are chosen.
    """
    x, y = np.asarray(k2_per_A2, np.float64), np.asarray(log_amplitude, np.float64)
    known = np.zeros(len(x)) if expected is None else np.asarray(expected, np.float64)
    if fitted.sum() < 2:
        raise ValueError("a Guinier fit needs at least two shells between its resolutions")
    points, heights = x[fitted], (y - known)[fitted]
    weight = np.ones(len(points)) if weights is None else np.asarray(weights, np.float64)[fitted]
    slope, intercept = np.polyfit(points, heights, 1, w=np.sqrt(weight))
    spread = float(np.std(heights))
    correlation = abs(float(np.corrcoef(points, heights)[0, 1])) if spread > 0 else 1.0
    scatter = np.average(np.square(heights - slope * points - intercept), weights=weight)
    middle = np.average(points, weights=weight)
    spread_x = float(np.sum(np.square(points - middle) * weight) / weight.mean())
    error = 4.0 * float(np.sqrt(scatter / max(spread_x, 1e-30)))
    return GuinierFit(4.0 * float(slope), float(intercept), correlation, x, y, fitted, known, error)


def _points(
    volume: Array,
    pixel_size_A: float,
    resolution_A: float,
    fsc: NDArray[np.floating] | None,
    low_resolution_A: float,
    mask: Array | None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Squared frequency, logarithm of the amplitude, and which shells lie between the resolutions."""
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
    shells = np.arange(len(amplitude))
    fitted = (shells >= max(first, 1)) & (shells <= last) & (amplitude > 0)
    return np.square(shells / box_A), np.log(np.maximum(amplitude, 1e-30)), fitted
