"""Defocus and astigmatism of a whole micrograph: exhaustive search, then least squares.

The search correlates each sector's spectrum with CTF² of every defocus at once (one matrix product). An
astigmatic CTF seen in one sector is an ordinary CTF of that sector's defocus, so the score of any astigmatism
is a sum of table entries and the whole three-dimensional space is searched, with no starting value; nothing
can be missed because the rotational average was blurred. The criterion is the weighted correlation with CTF²
after removal of the background from both (Rohou & Grigorieff, J Struct Biol 192, 216 (2015); Zhang, J Struct
Biol 193, 1 (2016)), written as a likelihood ratio so that gains of different models can be compared. The best
few candidates are refined by variable projection (Golub & Pereyra 1973) with background and envelope free at
each step; the winner once more with the weights of maximum likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.ctf.background import remove_background
from engine.ctf.fringes import Fringes
from engine.ctf.result import CtfSettings

# Fall-offs exp(-B k² / 4) of the fringes against the background that the search tries, in Å²; refinement
# frees the curve.
_SEARCH_B_FACTORS_A2 = (30.0, 250.0)
_CANDIDATES = 5
# defoci that differ by less are the same solution; a twentieth where that is more
_LEAST_APART_A = 200.0
# share of the defocus by which a fit is wrong
_WRONG = 0.1
# a candidate with less than this share of the best one's gain is not refined
_HOPELESS = 0.4
_SHIFT_STEPS = 12
_MAX_STEPS = 25
_REWEIGHTINGS = 2


@dataclass(frozen=True)
class GlobalFit:
    """The best-fitting CTF of a spectrum.

    Attributes
    ----------
    parameters : Array
        (4,) mean defocus, a_cos, a_sin in Å and phase shift in rad.
    gain : float
        Twice the log-likelihood ratio to a spectrum without fringes, less the astigmatism's prior.
    rival_gain : float
        The same for the best clearly different defocus.
    error_A : float
        Standard error of the mean defocus.
    weighted : Fringes
        The spectrum with the weights of the fitted model.
    """

    parameters: Array
    gain: float
    rival_gain: float
    error_A: float
    weighted: Fringes


def fit_global(data: Fringes, settings: CtfSettings) -> GlobalFit:
    """Find the CTF that explains a spectrum best.

    Parameters
    ----------
    data : Fringes
        Spectrum on polar bins.
    settings : CtfSettings
        Ranges, and what is to be fitted.

    Returns
    -------
    GlobalFit
    """
    free = np.array([True, settings.fit_astigmatism, settings.fit_astigmatism, settings.fit_phase_shift])
    starts = search(data, settings)
    hopeless = _HOPELESS * starts[0][1]
    refined = [refine(data, start, free, settings) if g >= hopeless else (start, g) for start, g in starts]
    allowed = [(p, g) for p, g in refined if _inside(p, settings)] or refined
    allowed.sort(key=lambda item: -item[1])
    best, gain = allowed[0]
    apart = max(_LEAST_APART_A, 0.05 * best[0])
    rivals = [g for p, g in allowed if abs(p[0] - best[0]) > apart]
    if settings.fit_phase_shift:
        rivals += _gains_beside(data, best, settings)
    weighted = data
    for _ in range(_REWEIGHTINGS):
        weighted = data.reweighted(best)
        best, _ = refine(weighted, best, free, settings)
    normal, _ = _normal_equations(weighted, best, free, settings)
    error = np.sqrt(max(0.0, np.linalg.pinv(normal)[0, 0]))
    return GlobalFit(best, gain, max(rivals, default=0.0), float(error), weighted)


def _gains_beside(data: Fringes, best: Array, settings: CtfSettings) -> list[float]:
    """Gains with the defocus a tenth off: where few rings are seen, a phase shift can stand for defocus."""
    free = np.array([False, settings.fit_astigmatism, settings.fit_astigmatism, True])
    usual = float((data.weight * data.quadratic[0]).sum() / data.weight.sum())
    gains = []
    for factor in (1.0 - _WRONG, 1.0 / (1.0 - _WRONG)):
        start = best * [factor, 1.0, 1.0, 1.0]
        start[3] += (best[0] - start[0]) * usual
        end, gain = refine(data, start, free, settings)
        gains += [gain] * _inside(end, settings)
    return gains


def _penalty(parameters: Array, settings: CtfSettings) -> float:
    """Minus twice the log prior of the astigmatism, for (4,) parameters."""
    return float((2.0 / settings.astigmatism_prior_A) ** 2 * (parameters[1] ** 2 + parameters[2] ** 2))


def _inside(parameters: Array, settings: CtfSettings) -> bool:
    astigmatism = 2.0 * np.hypot(parameters[1], parameters[2])
    in_range = settings.min_defocus_A <= parameters[0] <= settings.max_defocus_A
    return bool(in_range and astigmatism <= 1.1 * settings.max_astigmatism_A)


def search(data: Fringes, settings: CtfSettings) -> list[tuple[Array, float]]:
    """Rank the whole parameter space coarsely.

    Returns
    -------
    list of (Array, float)
        Up to five starting points (4,) and their gains, best first, with clearly different mean defocus.
    """
    ring_factor = _ring_mean(data, data.quadratic[0])
    step = np.pi / (10.0 * ring_factor.max())
    largest = 0.5 * settings.max_astigmatism_A if settings.fit_astigmatism else 0.0
    margin = int(np.ceil(largest / step)) + 1
    count = int(np.ceil((settings.max_defocus_A - settings.min_defocus_A) / step)) + 1
    table = settings.min_defocus_A + step * np.arange(-margin, count + margin)
    amplitudes = _astigmatism_grid(largest, (3.0 if settings.fit_phase_shift else 2.0) * step)
    offsets = np.rint(_sector_defocus(data, amplitudes) / step).astype(int) + margin
    shifts = np.arange(_SHIFT_STEPS) * np.pi / _SHIFT_STEPS if settings.fit_phase_shift else None
    best = np.full(count, -np.inf)
    found = np.zeros((count, 4))
    found[:, 0] = table[margin : margin + count]
    for shift in [np.deg2rad(settings.phase_shift_deg)] if shifts is None else shifts:
        for b_factor in _SEARCH_B_FACTORS_A2:
            numerator, norm = _sector_scores(data, table, float(shift), b_factor)
            for (a_cos, a_sin), offset in zip(amplitudes, offsets, strict=True):
                prior = (2.0 / settings.astigmatism_prior_A) ** 2 * (a_cos**2 + a_sin**2)
                score = _likelihood_ratio(numerator, norm, offset, count) - prior
                better = score > best
                best[better] = score[better]
                found[better, 1:] = a_cos, a_sin, shift
    return _separate_peaks(best, found)


def _ring_mean(data: Fringes, values: Array) -> Array:
    weight = data.weight.sum(1)
    return (data.weight * values).sum(1) / np.maximum(weight, 1e-12)


def _sector_scores(data: Fringes, table: Array, shift: float, b_factor: float) -> tuple[Array, Array]:
    """Scalar products (S, Z) of each sector with the fringes of each defocus in the table, and the fringes' norms."""
    phase = _ring_mean(data, data.quadratic[0])[:, None] * table + _ring_mean(data, data.constant)[:, None] + shift
    damping = np.exp(-0.25 * b_factor * data.frequency**2)
    ring_weight = data.weight.sum(1)
    template = remove_background(-np.cos(2.0 * phase) * damping[:, None], data.background, ring_weight)
    ring = _ring_mean(data, data.power)[:, None]
    background = ring - remove_background(ring, data.background, ring_weight)
    weighted = data.weight * (data.power - background)
    return weighted.T @ template, data.weight.T @ template**2


def _likelihood_ratio(numerator: Array, norm: Array, offset: Array, count: int) -> Array:
    """Score (count,) of every mean defocus for one astigmatism: the table is read at each sector's own defocus."""
    top, bottom = np.zeros(count), np.zeros(count)
    for sector, first in enumerate(offset):
        top += numerator[sector, first : first + count]
        bottom += norm[sector, first : first + count]
    return np.maximum(top, 0.0) ** 2 / np.maximum(bottom, 1e-12)


def _astigmatism_grid(largest_A: float, step_A: float) -> Array:
    """Half differences of defocus as (m, 2) vectors (a_cos, a_sin) on a square grid inside a disc."""
    reach = int(largest_A / step_A)
    line = step_A * np.arange(-reach, reach + 1)
    grid = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    return grid[np.hypot(grid[:, 0], grid[:, 1]) <= largest_A + 1e-9]


def _sector_defocus(data: Fringes, amplitudes: Array) -> Array:
    """Astigmatic part of the defocus in every sector: (m, S) Å."""
    weight = data.weight.sum(0)
    scale = np.maximum((data.weight * data.quadratic[0]).sum(0), 1e-12)
    directions = (data.weight * data.quadratic[1:]).sum(1) / np.where(weight > 0, scale, 1.0)
    return amplitudes @ directions


def _separate_peaks(score: Array, found: Array) -> list[tuple[Array, float]]:
    """Pick the best local maxima whose mean defocus differs by more than 3 % and 200 Å."""
    peaks: list[tuple[Array, float]] = []
    for index in np.argsort(-score, kind="stable"):
        defocus = found[index, 0]
        if all(abs(defocus - p[0]) > max(200.0, 0.03 * defocus) for p, _ in peaks):
            peaks.append((found[index].copy(), float(score[index])))
        if len(peaks) == _CANDIDATES:
            break
    return peaks


def refine(data: Fringes, start: Array, free: Array, settings: CtfSettings) -> tuple[Array, float]:
    """Improve one starting point by damped Gauss–Newton steps with background and envelope re-solved at each.

    Parameters
    ----------
    data : Fringes
        The spectrum.
    start : Array
        (4,) parameters.
    free : Array
        (4,) bool, which of them may move.
    settings : CtfSettings
        Holds the prior.

    Returns
    -------
    (Array, float)
        Parameters and their gain (weighted squared residual explained, less the prior's penalty).
    """
    current, damping = np.array(start, np.float64), 1e-3
    gain = data.gain(current) - _penalty(current, settings)
    for _ in range(_MAX_STEPS):
        normal, gradient = _normal_equations(data, current, free, settings)
        step = np.zeros(4)
        damped = normal + np.diag(damping * np.diag(normal) + 1e-12)
        step[free] = np.linalg.solve(damped, gradient)
        trial_gain = data.gain(current + step) - _penalty(current + step, settings)
        if trial_gain > gain:
            current, gain, damping = current + step, trial_gain, max(damping * 0.2, 1e-6)
            if np.abs(step[:3]).max() < 0.1 and abs(step[3]) < 1e-4:
                break
        else:
            damping *= 8.0
            if damping > 1e4:
                break
    return current, gain


def _normal_equations(data: Fringes, parameters: Array, free: Array, settings: CtfSettings) -> tuple[Array, Array]:
    """Normal matrix and gradient of the free parameters, prior included and background projected out."""
    phase = data.phase(parameters)
    background, envelope = data.solve(phase)
    residual = data.power - background[:, None] + 0.5 * envelope[:, None] * np.cos(2.0 * phase)
    slope = envelope[:, None] * np.sin(2.0 * phase)
    factors = [*data.quadratic, np.ones_like(phase)]
    columns = np.stack([slope * f for f, use in zip(factors, free, strict=True) if use])
    # A background free on every ring would be too much; the splines' share of the derivative is taken out instead.
    ring_weight = data.weight.sum(1)
    ring = (columns * data.weight).sum(-1).T / np.maximum(ring_weight, 1e-12)[:, None]
    explained = ring - remove_background(ring, data.background, ring_weight)
    columns = columns - explained.T[:, :, None]
    weighted = columns * data.weight
    precision = np.array([0.0, 1.0, 1.0, 0.0]) * (2.0 / settings.astigmatism_prior_A) ** 2
    normal = np.einsum("prs,qrs->pq", weighted, columns) + np.diag(precision[free])
    return normal, np.einsum("prs,rs->p", weighted, residual) - (precision * parameters)[free]
