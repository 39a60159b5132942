"""A quick, independent source of micrographs with known CTF: filtered noise, no particles, no shared code."""

from __future__ import annotations

import numpy as np
import scipy.fft

from engine.optics import Optics


def ctf_image(shape, pixel_size_A, mean_A, half_difference_A, angle_deg, optics, shift_rad=0.0):
    """CTF on a half spectrum, written out from the textbook formula (float64)."""
    h, w = shape
    ky = np.fft.fftfreq(h, pixel_size_A)[:, None]
    kx = np.fft.rfftfreq(w, pixel_size_A)[None, :]
    energy = optics.voltage_kv * 1e3
    wavelength = 12.2639 / np.sqrt(energy + 0.97845e-6 * energy**2)
    k2 = kx**2 + ky**2
    theta = np.arctan2(ky, kx)
    defocus = mean_A + half_difference_A * np.cos(2 * (theta - np.deg2rad(angle_deg)))
    chi = np.pi * wavelength * k2 * (defocus - 0.5 * wavelength**2 * k2 * optics.cs_mm * 1e7)
    w_amplitude = optics.amplitude_contrast
    return np.sqrt(1 - w_amplitude**2) * np.sin(chi + shift_rad) + w_amplitude * np.cos(chi + shift_rad), k2


def noise_micrograph(
    shape=(1024, 1024),
    pixel_size_A=2.464,
    mean_A=15000.0,
    astigmatism_A=300.0,
    angle_deg=30.0,
    surface=(0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    optics=None,
    signal_to_noise=0.2,
    b_factor_A2=120.0,
    shift_rad=0.0,
    seed=0,
):
    """Structured noise through the CTF (its defocus following a surface) plus white noise of unit variance."""
    optics = optics or Optics(300.0, 1.6, 0.1)
    rng = np.random.default_rng(seed)
    h, w = shape
    y, x = np.meshgrid((np.arange(h) + 0.5) / h * 2 - 1, (np.arange(w) + 0.5) / w * 2 - 1, indexing="ij")
    c = surface
    local = c[0] + c[1] * x + c[2] * y + c[3] * x * x + c[4] * x * y + c[5] * y * y
    levels = np.arange(np.floor(local.min() / 60), np.ceil(local.max() / 60) + 1) * 60.0
    objects = scipy.fft.rfft2(rng.standard_normal(shape, np.float32))
    image = np.zeros(shape, np.float32)
    for level in levels:
        weight = np.clip(1 - np.abs(local - level) / 60.0, 0, None)
        ctf, k2 = ctf_image(shape, pixel_size_A, mean_A + level, astigmatism_A / 2, angle_deg, optics, shift_rad)
        # ice and protein: more power at low resolution, and an envelope
        strength = np.sqrt(signal_to_noise * (np.exp(-0.5 * b_factor_A2 * k2) + 4 * np.exp(-0.5 * 2500 * k2)))
        image += (weight * scipy.fft.irfft2(objects * ctf * strength, shape)).astype(np.float32)
    return image + rng.standard_normal(shape, np.float32)
