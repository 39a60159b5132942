"""From a micrograph, or from a power spectrum alone, to a CTF."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from engine.arrays import Array
from engine.ctf import quality
from engine.ctf.background import smooth_background
from engine.ctf.fit_global import GlobalFit, fit_global
from engine.ctf.fit_patch import PatchFit, fit_patch
from engine.ctf.fringes import Fringes, fringes
from engine.ctf.picture import spectrum_picture
from engine.ctf.polar import PolarBins, polar_bins
from engine.ctf.power_spectrum import TileSpectra, tile_side_px, tile_spectra
from engine.ctf.result import CtfFit, CtfSettings
from engine.optics import Optics

# below this confidence a second look is taken
_SURE = 0.8
_PAIR_PER_TILE = 0.4


def estimate_ctf(micrograph: Array, pixel_size_A: float, optics: Optics, settings: CtfSettings | None = None) -> CtfFit:
    """Fit the CTF of a micrograph.

    Parameters
    ----------
    micrograph : Array
        (h, w) grey values, protein dark or white, in the array library of choice.
    pixel_size_A : float
        Pixel size in Å.
    optics : Optics
        Voltage, spherical aberration, amplitude contrast (numbers).
    settings : CtfSettings, optional
        Ranges and what to fit.

    Returns
    -------
    CtfFit

    Raises
    ------
    ValueError
        If the micrograph is constant, too small or holds values that are not numbers.
    """
    settings = settings or CtfSettings()
    look = _look(micrograph, pixel_size_A, optics, settings)
    larger = _larger_tile_px(micrograph.shape, look, pixel_size_A, optics, settings)
    if larger:
        other = _look(micrograph, pixel_size_A, optics, replace(settings, tile_A=larger * pixel_size_A))
        look = other if other.fit.gain > look.fit.gain else look
    patch = _fit_surface(look, settings, pixel_size_A) if settings.fit_patches else None
    return _result(look.data, look.spectra.bins, look.spectra.mean_power, optics, settings, look.fit, patch)


@dataclass(frozen=True)
class _Look:
    """A micrograph's spectra with tiles of one size, and the global fit to them."""

    spectra: TileSpectra
    level: Array  # (T,) mean power of the tiles
    smooth: Array  # (R,) smooth background
    data: Fringes
    fit: GlobalFit


def _look(micrograph: Array, pixel_size_A: float, optics: Optics, settings: CtfSettings) -> _Look:
    spectra = tile_spectra(micrograph, pixel_size_A, settings)
    level = spectra.polar.mean(axis=(1, 2), dtype=np.float64)
    mean = np.tensordot(spectra.share / level, spectra.polar, 1) / spectra.share.sum()
    data, smooth = _prepare(mean, spectra.bins, optics, float(spectra.share.sum()))
    return _Look(spectra, level, smooth, data, fit_global(data, settings))


def _larger_tile_px(
    shape: tuple[int, ...], look: _Look, pixel_size_A: float, optics: Optics, settings: CtfSettings
) -> int:
    """Side of tiles for a second look, or 0: the first was unsure, or its tiles do not resolve the fastest rings.

    A ring pattern of local period p comes from points 1/p apart; a tile must hold such pairs several times over.
    """
    if quality.confidence(look.fit.gain, look.fit.rival_gain, _trials(settings)) < _SURE:
        wanted_A = 2.0 * settings.tile_A
    else:
        apart_A = 2.0 * float(optics.wavelength_A) * look.fit.parameters[0] * look.data.frequency[-1]
        wanted_A = apart_A / _PAIR_PER_TILE
    side = tile_side_px((shape[0], shape[1]), pixel_size_A, float(wanted_A))
    return side if side > 1.2 * look.spectra.bins.tile_px else 0


def fit_spectrum(
    amplitude_spectrum: Array, pixel_size_A: float, optics: Optics, settings: CtfSettings | None = None
) -> CtfFit:
    """Fit the CTF of an averaged amplitude spectrum, as other programs write it.

    Parameters
    ----------
    amplitude_spectrum : Array
        (n, n) square root of a mean power spectrum, DC at [n//2, n//2].
    pixel_size_A : float
        Pixel size that belongs to the spectrum, in Å: Nyquist is at its edge.
    optics : Optics
        Voltage, spherical aberration, amplitude contrast.
    settings : CtfSettings, optional
        Ranges and what to fit; there is no surface.

    Returns
    -------
    CtfFit

    Raises
    ------
    ValueError
        If the spectrum is not square, or holds rings without power.
    """
    settings = settings or CtfSettings()
    spectrum = np.asarray(amplitude_spectrum, np.float64)
    if spectrum.ndim != 2 or spectrum.shape[0] != spectrum.shape[1] or spectrum.shape[0] % 2:
        raise ValueError(f"The spectrum has shape {spectrum.shape}; expected a square one with an even side.")
    side = spectrum.shape[0]
    half = np.fft.ifftshift(spectrum)[:, : side // 2 + 1] ** 2
    bins = polar_bins(side, pixel_size_A, settings.low_resolution_A, settings.high_resolution_A)
    data, _ = _prepare(bins.average(half), bins, optics, 1.0)
    return _result(data, bins, half, optics, settings, fit_global(data, settings), None)


def _prepare(mean: Array, bins: PolarBins, optics: Optics, independent: float) -> tuple[Fringes, Array]:
    ring_weight = np.maximum(bins.counts.sum(1), 1e-12)
    ring = (mean * bins.counts).sum(1) / ring_weight
    smooth = smooth_background(bins.frequency_per_A, ring, ring_weight)
    return fringes(mean, smooth, bins, optics, independent), smooth


def _fit_surface(look: _Look, settings: CtfSettings, pixel_size_A: float) -> tuple[PatchFit, Array]:
    """Joint fit of all tiles; the priors follow the micrograph's extent."""
    spectra, fit = look.spectra, look.fit
    relative = (spectra.polar / (look.level[:, None, None] * look.smooth[:, None])).astype(np.float32)
    half_extent_A = 0.5 * spectra.extent_A
    tilt = half_extent_A * np.tan(np.deg2rad(settings.tilt_prior_deg))
    prior = np.array([*tilt, *(settings.curvature_prior_A,) * 3])
    free = np.array([True, settings.fit_astigmatism, settings.fit_astigmatism, settings.fit_phase_shift])
    share = spectra.share / spectra.share.sum()
    return fit_patch(fit.weighted, relative, spectra.centres, share, fit.parameters, free, prior), relative


def _result(
    data: Fringes,
    bins: PolarBins,
    power: Array,
    optics: Optics,
    settings: CtfSettings,
    fit: GlobalFit,
    patch: tuple[PatchFit, Array] | None,
) -> CtfFit:
    """Gather parameters, curves and figures of merit."""
    parameters = patch[0].parameters if patch else fit.parameters
    certainty = quality.certainty(fit.gain, _trials(settings))
    tiles = (patch[1], patch[0].local_defocus_A) if patch else (None, None)
    curves = quality.equiphase_curves(data, parameters, optics, certainty, *tiles)
    mean, a_cos, a_sin, shift = (float(p) for p in parameters)
    half_difference = float(np.hypot(a_cos, a_sin))
    angle = float(np.rad2deg(0.5 * np.arctan2(a_sin, a_cos)))
    picture, step = spectrum_picture(power, bins, data, parameters, optics, curves)
    return CtfFit(
        u_A=mean + half_difference,
        v_A=mean - half_difference,
        angle_deg=angle,
        phase_shift_deg=float(np.rad2deg(shift)) % 180.0,
        fit_resolution_A=quality.fit_resolution_A(curves),
        score=quality.score(data, parameters),
        confidence=quality.confidence(fit.gain, fit.rival_gain, _trials(settings)),
        ice_thickness=_ice(power, bins),
        error_A=patch[0].error_A if patch else fit.error_A,
        curves=curves,
        spectrum_2d=picture,
        spectrum_2d_step_per_A=step,
        surface=patch[0].surface.astype(np.float32) if patch else np.zeros(6, np.float32),
    )


def _trials(settings: CtfSettings) -> int:
    """Roughly how many independent CTFs the search compared."""
    defoci = (settings.max_defocus_A - settings.min_defocus_A) / 50.0
    astigmatisms = 1.0 + (settings.max_astigmatism_A / 400.0) ** 2 if settings.fit_astigmatism else 1.0
    return int(defoci * astigmatisms * (12 if settings.fit_phase_shift else 1))


def _ice(power: Array, bins: PolarBins) -> float:
    """Ice measure from the rings of the whole spectrum, which reach further than the fit range."""
    side = bins.tile_px
    step = 1.0 / (side * bins.pixel_size_A)
    if 0.49 / bins.pixel_size_A < 1.0 / 3.5:
        return float("nan")
    ky, kx = np.fft.fftfreq(side)[:, None] * side, np.arange(side // 2 + 1)[None, :]
    ring = np.rint(np.hypot(kx, ky)).astype(int)
    use = (kx > 0) & (np.abs(ky) > 0) & (ring < side // 2)
    sums = np.bincount(ring[use], power[use], side // 2)
    counts = np.maximum(np.bincount(ring[use], minlength=side // 2), 1)
    return quality.ice_thickness(step * np.arange(side // 2), sums / counts)
