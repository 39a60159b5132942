"""Micrographs with known CTF that cost a few seconds each: noise with the spectra of ice and protein, no molecules.

The physics is that of `engine.simulation.micrographs` (weak phase object, interaction constant, dose, envelope;
counting statistics in their Gaussian limit), but the objects are noise with their mean spectrum, crowded where they
would lie. A detector with a falling transfer and correlated noise, a support edge, hot pixels and dead lines can be
added. The expected spectrum is known in closed form, so the Cramér–Rao bound of any fit follows from it (see
`tests.benchmarks.ctf_bound`).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import scipy.fft
from numpy.typing import NDArray

from engine.geometry import euler_to_matrix
from engine.optics import Optics
from engine.simulation.ice import ice_spectrum
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.scattering import interaction_constant_rad_per_VA

FloatArray = NDArray[np.floating]
FULL_SHAPE = (3838, 3710)
_LEVEL_STEP_A = 100.0
_ROWS = 256
_BOX_PX, _BOX_A = 192, 230.0


@dataclass(frozen=True)
class CtfCase:
    """One micrograph: what it is made with, and so the truth.

    Attributes
    ----------
    shape, pixel_size_A, optics
        Height and width in px, sampling, microscope.
    mean_A, astigmatism_A, angle_deg, phase_shift_deg : float
        Defocus averaged over the micrograph, U - V, the direction of U, phase shift.
    surface_A : tuple of float
        c0…c5 of the defocus surface with zero mean; see `engine.ctf.result.CtfFit.surface`.
    dose_e_per_A2, ice_A, objects_per_um2, envelope_B_A2 : float
        Electrons, ice seen, channels in nanodiscs, amplitudes fall as exp(-B k² / 4).
    mtf_at_nyquist, noise_at_nyquist : float
        Amplitude of signal and of noise at Nyquist against that at zero frequency; both fall as a Gaussian.
    carbon_share : float
        Share of the width that is covered by a support film.
    defects : int
        Hot pixels; a tenth as many dead lines of a few pixels' width are added when it is above 0.
    """

    shape: tuple[int, int] = FULL_SHAPE
    pixel_size_A: float = 1.232
    optics: Optics = field(default_factory=lambda: Optics(300.0, 1.6, 0.1))
    mean_A: float = 15000.0
    astigmatism_A: float = 300.0
    angle_deg: float = 20.0
    phase_shift_deg: float = 0.0
    surface_A: tuple[float, ...] = (0.0,) * 6
    dose_e_per_A2: float = 35.0
    ice_A: float = 400.0
    objects_per_um2: float = 25.0
    envelope_B_A2: float = 90.0
    mtf_at_nyquist: float = 0.5
    noise_at_nyquist: float = 0.8
    carbon_share: float = 0.0
    defects: int = 0

    @property
    def tilt_deg(self) -> float:
        """Tilt of the surface at the micrograph's centre."""
        half = 0.5 * self.pixel_size_A * np.array(self.shape[::-1])
        return float(np.degrees(np.arctan(np.hypot(*(np.array(self.surface_A[1:3]) / half)))))


def tilted(case: CtfCase, tilt_deg: float, direction_deg: float, curvature_A: FloatArray) -> CtfCase:
    """Give a micrograph a tilted, curved surface of zero mean."""
    half = 0.5 * case.pixel_size_A * np.array(case.shape[::-1])
    slope = np.tan(np.deg2rad(tilt_deg)) * half
    bearing = np.deg2rad(direction_deg)
    c = [float(v) for v in curvature_A]
    surface = (-(c[0] + c[2]) / 3, float(slope[0] * np.cos(bearing)), float(slope[1] * np.sin(bearing)), *c)
    return replace(case, surface_A=surface)


def object_power(k_per_A: FloatArray) -> FloatArray:
    """Mean power |F|² (V² Å⁶) of one channel in its nanodisc over its views, at spatial frequencies."""
    frequency, power = _channel_power()
    return np.interp(k_per_A, frequency, power)


@lru_cache(maxsize=1)
def _channel_power() -> tuple[FloatArray, FloatArray]:
    angles = np.random.default_rng(11).uniform(0, 180, (12, 3))
    pixel_size_A = _BOX_A / _BOX_PX
    images = project_atoms(channel_in_nanodisc(), euler_to_matrix(angles), np.zeros((12, 2)), _BOX_PX, pixel_size_A)
    power = (np.abs(scipy.fft.fft2(images)) ** 2).mean(0) * pixel_size_A**4
    line = np.fft.fftfreq(_BOX_PX) * _BOX_PX
    ring = np.rint(np.hypot(line[:, None], line)).astype(int).ravel()
    rings = np.bincount(ring, power.ravel()) / np.bincount(ring)
    return np.arange(_BOX_PX // 2) / _BOX_A, rings[: _BOX_PX // 2]


def structure_power(case: CtfCase, k_per_A: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Power of ice and of objects in the exit wave's phase per area, contrast and envelope included (Å²)."""
    sigma = interaction_constant_rad_per_VA(float(case.optics.voltage_kv))
    scale = (2.0 * sigma * 0.62) ** 2 * np.exp(-0.5 * case.envelope_B_A2 * k_per_A**2)
    ice = scale * ice_spectrum(k_per_A, case.ice_A).astype(np.float64) ** 2
    return ice, scale * object_power(k_per_A) * case.objects_per_um2 * 1e-8


def detector(case: CtfCase, k_per_A: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Amplitude transfer of the signal, and power of the noise per area (Å²) with a DQE of 0.45 at zero frequency."""
    x2 = (k_per_A * 2.0 * case.pixel_size_A) ** 2
    noise = case.noise_at_nyquist ** (2.0 * x2) / (0.45 * case.dose_e_per_A2)
    return case.mtf_at_nyquist**x2, noise


def contrast_transfer(case: CtfCase, kx: FloatArray, ky: FloatArray, more_A: float = 0.0) -> FloatArray:
    """CTF at a defocus away from the mean, written out from the textbook formula."""
    energy = float(case.optics.voltage_kv) * 1e3
    wavelength = 12.2639 / np.sqrt(energy + 0.97845e-6 * energy**2)
    k2 = kx * kx + ky * ky
    half, twice = 0.5 * case.astigmatism_A, np.deg2rad(2 * case.angle_deg)
    astigmatic = half * (np.cos(twice) * (kx * kx - ky * ky) + np.sin(twice) * 2 * kx * ky)
    offset = np.arcsin(float(case.optics.amplitude_contrast)) + np.deg2rad(case.phase_shift_deg)
    spherical = 0.5 * np.pi * float(case.optics.cs_mm) * 1e7 * wavelength**3 * k2 * k2
    return np.sin(np.pi * wavelength * ((case.mean_A + more_A) * k2 + astigmatic) - spherical + offset)


def make_micrograph(case: CtfCase, rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the micrograph of a case: counts relative to their mean, (h, w) float32."""
    ky, kx = _frequencies(case)
    k = np.hypot(kx, ky)
    transfer, noise_power = detector(case, k)
    ice, objects = structure_power(case, k)
    source = _source(case, np.sqrt(ice), np.sqrt(objects), rng)
    source *= (transfer / case.pixel_size_A).astype(np.float32)
    image = _defocused(case, source, kx, ky)
    if case.carbon_share > 0:
        image[:, : round(case.carbon_share * case.shape[1])] -= 0.25
    noise = scipy.fft.rfft2(rng.standard_normal(case.shape, np.float32))
    noise *= (np.sqrt(noise_power) / case.pixel_size_A).astype(np.float32)
    image += scipy.fft.irfft2(noise, case.shape)
    image += 1.0
    return _with_defects(case, image, rng)


def _frequencies(case: CtfCase) -> tuple[FloatArray, FloatArray]:
    h, w = case.shape
    ky = np.fft.fftfreq(h, case.pixel_size_A).astype(np.float32)[:, None]
    return ky, np.fft.rfftfreq(w, case.pixel_size_A).astype(np.float32)[None, :]


def _source(case: CtfCase, ice: FloatArray, objects: FloatArray, rng: np.random.Generator) -> NDArray[np.complex64]:
    """Spectrum of ice (everywhere) and objects (crowded where they lie; carbon has more of everything)."""
    h, w = case.shape
    edge = round(case.carbon_share * w)
    white = rng.standard_normal(case.shape, np.float32)
    white[:, :edge] *= 2.0
    spectrum = scipy.fft.rfft2(white) * ice.astype(np.float32)
    area_um2 = h * w * case.pixel_size_A**2 * 1e-8
    count = rng.poisson(case.objects_per_um2 * area_um2)
    if count:
        radius_px = 60.0 / case.pixel_size_A
        crowd = np.zeros(case.shape, np.float32)
        reach = int(2.5 * radius_px)
        line = np.arange(-reach, reach + 1)
        bump = np.exp(-0.5 * (line[:, None] ** 2 + line**2) / (0.6 * radius_px) ** 2).astype(np.float32)
        for y, x in zip(rng.integers(0, h, count), rng.integers(0, w, count), strict=True):
            rows, columns = slice(max(y - reach, 0), y + reach + 1), slice(max(x - reach, 0), x + reach + 1)
            part = crowd[rows, columns]
            top, left = max(reach - y, 0), max(reach - x, 0)
            part += bump[top : top + part.shape[0], left : left + part.shape[1]]
        crowd /= crowd.mean(dtype=np.float64)
        spectrum += scipy.fft.rfft2(rng.standard_normal(case.shape, np.float32) * np.sqrt(crowd)) * objects.astype(
            np.float32
        )
    return np.asarray(spectrum, np.complex64)


def _defocused(case: CtfCase, source: NDArray[np.complex64], kx: FloatArray, ky: FloatArray) -> NDArray[np.float32]:
    """Image through the CTF of its local defocus: evenly spaced levels, each pixel takes the two next to its own."""
    h, w = case.shape
    x, y = ((np.arange(w) + 0.5) / (w / 2) - 1)[None, :], ((np.arange(h) + 0.5) / (h / 2) - 1)[:, None]
    c = case.surface_A
    height = (c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y).astype(np.float32)
    low, high = float(height.min()), float(height.max())
    if high - low < 1.0:
        return -scipy.fft.irfft2(source * contrast_transfer(case, kx, ky, low).astype(np.float32), case.shape)
    levels = max(2, int(np.ceil((high - low) / _LEVEL_STEP_A)) + 1)
    step = (high - low) / (levels - 1)
    out = np.zeros(case.shape, np.float32)
    for level in range(levels):
        gain = contrast_transfer(case, kx, ky, low + level * step).astype(np.float32)
        image = scipy.fft.irfft2(source * gain, case.shape)
        for first in range(0, h, _ROWS):
            rows = slice(first, first + _ROWS)
            out[rows] -= image[rows] * np.maximum(1.0 - np.abs((height[rows] - low) / step - level), 0.0)
    return out


def _with_defects(case: CtfCase, image: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Hot pixels, and lines of the detector that read nothing."""
    if case.defects:
        h, w = case.shape
        image[rng.integers(0, h, case.defects), rng.integers(0, w, case.defects)] = 60.0
        for row in rng.integers(0, h - 4, max(1, case.defects // 10)):
            image[row : row + 3] = 0.0
    return image
