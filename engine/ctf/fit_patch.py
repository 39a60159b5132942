"""Local defocus as a smooth surface over the micrograph, fitted to all tiles at once.

Each tile alone is too noisy for a defocus of its own (a 1,000 Å tile of a 35 e/Å² micrograph: some 50–150 Å).
So the surface's coefficients and the micrograph's mean defocus and astigmatism are fitted to all tiles'
spectra together: the likelihood is that of `engine.ctf.fringes`, and Gaussian priors on tilt and curvature
draw the surface towards flatness where the data say nothing (maximum a posteriori), so noise makes no tilt.
The idea of fitting a tilt geometry to tiles' power spectra together: Su, J Struct Biol 208, 12 (2019); local
defocus as a smooth surface: Zhang, J Struct Biol 193, 1 (2016).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.arrays import Array
from engine.ctf.fringes import Fringes

_MAX_STEPS = 12
_COARSE_STEPS = 12
_CHANCE_PER_TERM = 1.5


@dataclass(frozen=True)
class PatchFit:
    """Mean parameters and surface after the joint fit.

    Attributes
    ----------
    parameters : Array
        (4,) mean defocus over the micrograph, a_cos, a_sin in Å, phase shift in rad.
    surface : Array
        (6,) c0…c5 in Å with zero mean over the micrograph.
    error_A : float
        Standard error of the mean defocus.
    local_defocus_A : Array
        (T,) deviation from the mean defocus at each tile's centre.
    """

    parameters: Array
    surface: Array
    error_A: float
    local_defocus_A: Array


@dataclass(frozen=True)
class _Tiles:
    """Tile spectra with their own background removed, ready for the joint fit."""

    residual_power: Array  # (T, R, S): tile power - background
    terms: Array  # (T, 5): x, y, x² - ⅓, xy, y² - ⅓ at the tiles' centres
    share: Array  # (T,): of each tile in the weight; they add up to 1


def surface_terms(centres: Array) -> Array:
    """Polynomial terms x, y, x²-⅓, xy, y²-⅓, each with zero mean over the square [-1, 1]²: (T, 5)."""
    x, y = centres[:, 0], centres[:, 1]
    return np.stack([x, y, x * x - 1 / 3, x * y, y * y - 1 / 3], axis=1)


def evaluate_surface(surface: Array, x: Array, y: Array) -> Array:
    """Defocus to add at positions x, y in [-1, 1] over the micrograph, in Å.

    Parameters
    ----------
    surface : Array
        (6,) or (..., 6) coefficients c0…c5.
    x, y : Array
        Positions, broadcastable with the coefficients' leading shape.
    """
    c = np.moveaxis(np.asarray(surface, np.float64), -1, 0)
    return c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y


def fit_patch(
    data: Fringes,
    polar: Array,
    centres: Array,
    share: Array,
    start: Array,
    free: Array,
    prior_A: Array,
) -> PatchFit:
    """Fit mean defocus, astigmatism and surface to the spectra of all tiles.

    Parameters
    ----------
    data : Fringes
        The mean spectrum on polar bins (its background and envelope are used).
    polar : Array
        (T, R, S) tile spectra in units of the smooth background.
    centres : Array
        (T, 2) tile centres in [-1, 1].
    share : Array
        (T,) share of each tile in the micrograph's coefficients; they add up to 1.
    start : Array
        (4,) parameters of the global fit.
    free : Array
        (4,) bool, which of them are fitted.
    prior_A : Array
        (5,) standard deviations of the surface's coefficients x, y, x², xy, y² in Å.

    Returns
    -------
    PatchFit
    """
    background, envelope = data.solve(data.phase(start))
    tiles = _prepare(data, polar, centres, share, background)
    surface = _coarse_surface(data, tiles, start, envelope, prior_A)
    parameters = np.array(start, np.float64)
    count, error = int(free.sum()), 0.0
    for _ in range(_MAX_STEPS):
        normal, gradient, envelope = _accumulate(data, tiles, parameters, surface, envelope, free)
        normal[np.arange(count, count + 5), np.arange(count, count + 5)] += 1.0 / prior_A**2
        gradient[count:] -= surface / prior_A**2
        step = np.linalg.solve(normal + 1e-12 * np.eye(len(normal)), gradient)
        step = np.clip(step, -200.0, 200.0)
        parameters[free] += step[:count]
        surface = surface + step[count:]
        error = float(np.sqrt(np.linalg.inv(normal)[0, 0]))
        if np.abs(step).max() < 0.2:
            break
    surface = _significant(surface, np.linalg.inv(normal)[count:, count:])
    full = np.array([-(surface[2] + surface[4]) / 3, *surface])
    return PatchFit(parameters, full, error, tiles.terms @ surface)


def _significant(surface: Array, covariance: Array) -> Array:
    """Shrink tilt and curvature each by how little they stand above the noise (positive-part James–Stein).

    James & Stein, Proc 4th Berkeley Symp 1, 361 (1961). A micrograph of 1,024² pixels fixes its tilt to one
    or two degrees only; without this every flat one would get such a tilt.
    """
    kept = np.zeros_like(surface)
    for terms in (slice(0, 2), slice(2, 5)):
        part = surface[terms]
        strength = float(part @ np.linalg.solve(covariance[terms, terms], part))
        kept[terms] = part * max(0.0, 1.0 - _CHANCE_PER_TERM * len(part) / max(strength, 1e-12))
    return kept


def _prepare(data: Fringes, polar: Array, centres: Array, share: Array, background: Array) -> _Tiles:
    """Remove each tile's own background: the mean one times a quadratic in frequency (thickness changes its slope)."""
    f, weight = data.frequency / data.frequency[-1], data.weight
    ring_weight = weight.sum(1)
    rings = (polar * weight).sum(2) / np.maximum(ring_weight, 1e-12)
    mean = (data.power * weight).sum(1) / np.maximum(ring_weight, 1e-12)
    basis = np.stack([mean, mean * f, mean * f * f], 1)
    normal = basis.T @ (ring_weight[:, None] * basis)
    gain = np.linalg.solve(normal, basis.T @ (ring_weight[:, None] * rings.T)).T @ np.stack([f**0, f, f * f])
    scaled = polar / np.maximum(gain, 0.05)[:, :, None] - background[None, :, None]
    return _Tiles(scaled, surface_terms(centres), share)


def _coarse_surface(data: Fringes, tiles: _Tiles, start: Array, envelope: Array, prior_A: Array) -> Array:
    """Choose the tilt from a grid by each tile's log-likelihood at a range of defoci: no local minimum can hold it."""
    reach = 3.5 * float(prior_A[:2].max())
    offsets = np.linspace(-1.5 * reach, 1.5 * reach, 3 * _COARSE_STEPS + 1)
    phase = data.phase(start)[None] + offsets[:, None, None] * data.quadratic[0]
    model = -0.5 * envelope[:, None] * np.cos(2.0 * phase)
    weighted = (data.weight * model).reshape(len(offsets), -1)
    table = tiles.residual_power.reshape(len(tiles.terms), -1) @ weighted.T
    table -= 0.5 * (weighted * model.reshape(len(offsets), -1)).sum(1)
    table *= tiles.share[:, None]
    line = np.linspace(-reach, reach, 2 * _COARSE_STEPS + 1)
    slopes = np.stack(np.meshgrid(line, line), -1).reshape(-1, 2)
    local = slopes @ tiles.terms[:, :2].T
    position = np.clip((local - offsets[0]) / (offsets[1] - offsets[0]), 0, len(offsets) - 1.001)
    low = position.astype(int)
    rest = position - low
    rows = np.arange(len(tiles.terms))
    score = ((1 - rest) * table[rows, low] + rest * table[rows, low + 1]).sum(1)
    score -= 0.5 * ((slopes / prior_A[:2]) ** 2).sum(1)
    return np.concatenate([slopes[int(np.argmax(score))], np.zeros(3)])


def _accumulate(
    data: Fringes, tiles: _Tiles, parameters: Array, surface: Array, envelope: Array, free: Array
) -> tuple[Array, Array, Array]:
    """Normal matrix and gradient of (free global parameters, 5 surface coefficients), and the envelope re-estimated."""
    factors = np.stack([*data.quadratic, np.ones_like(data.constant)])[free]
    count = int(free.sum())
    normal, gradient = np.zeros((count + 5, count + 5)), np.zeros(count + 5)
    base = 2.0 * data.phase(parameters)
    local = 2.0 * (tiles.terms @ surface)
    top, bottom = np.zeros(len(envelope)), np.zeros(len(envelope))
    for power, shift, terms, share in zip(tiles.residual_power, local, tiles.terms, tiles.share, strict=True):
        weight = share * data.weight
        phase = base + shift * data.quadratic[0]
        fringe = -0.5 * np.cos(phase)
        columns = (envelope[:, None] * np.sin(phase)) * factors
        weighted = (columns * weight).reshape(count, -1)
        flat = columns.reshape(count, -1)
        part = weighted @ flat.T
        residual = (power - envelope[:, None] * fringe).ravel()
        push = weighted @ residual
        mix = np.zeros((count, count + 5))
        mix[:, :count] = np.eye(count)
        mix[0, count:] = terms
        normal += mix.T @ part @ mix
        gradient += mix.T @ push
        top += (weight * fringe * power).sum(1)
        bottom += (weight * fringe**2).sum(1)
    basis = data.envelope
    solution = np.linalg.solve(basis.T @ (bottom[:, None] * basis) + 1e-9 * np.eye(basis.shape[1]), basis.T @ top)
    return normal, gradient, basis @ np.maximum(solution, 0.0)
