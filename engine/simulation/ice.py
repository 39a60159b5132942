"""Structural noise of vitreous ice, seen through the CTF of its local defocus."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from engine.fourier.transforms import irfft2, rfft2
from engine.simulation.layout import surface_height
from engine.simulation.scattering import VOLT_A2_PER_A, WATER_VOLUME_A3, element

_LEVEL_STEP_A = 100.0
_ROWS = 256


def ice_spectrum(k_per_A: NDArray[np.floating], ice_thickness_A: float) -> NDArray[np.float32]:
    """Square root of the ice's power per area, V Å · Å, at spatial frequencies.

    Independent water molecules times a structure factor: 0.06 for long waves (compressibility), with the broad
    peak of amorphous ice at 3.5 Å.
    """
    water = element("O") + element("H").scaled(2.0)
    structure = 0.06 + 1.5 * np.exp(-0.5 * np.square((k_per_A - 0.29) / 0.06))
    molecules_per_A2 = ice_thickness_A / WATER_VOLUME_A3
    amplitude = VOLT_A2_PER_A * water.at(np.square(k_per_A))
    return np.asarray(amplitude * np.sqrt(molecules_per_A2 * structure), dtype=np.float32)


def ice_image(
    shape: tuple[int, int],
    pixel_size_A: float,
    ice_thickness_A: float,
    surface_A: NDArray[np.float64],
    transfer: Callable[[float], NDArray[np.float32]],
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Random ice through a CTF that follows the ice surface.

    The ice is imaged at a few evenly spaced defocus levels; each pixel takes the two next to its own, linearly.

    Parameters
    ----------
    shape : (int, int)
        Height and width in px.
    pixel_size_A : float
    ice_thickness_A : float
    surface_A : (6,) array
        Polynomial of the surface, see `surface_height`.
    transfer : callable
        Gives the transfer function (h, w // 2 + 1) at an additional defocus in Å.
    rng : numpy.random.Generator

    Returns
    -------
    (h, w) float32 array
        Projected potential times transfer, V Å, mean 0.
    """
    h, w = shape
    spectrum = rfft2(rng.standard_normal(shape, dtype=np.float32))
    ky = np.fft.fftfreq(h).astype(np.float32)[:, None] / pixel_size_A
    kx = np.fft.rfftfreq(w).astype(np.float32)[None, :] / pixel_size_A
    spectrum *= ice_spectrum(np.hypot(ky, kx), ice_thickness_A) / np.float32(pixel_size_A)
    spectrum[0, 0] = 0.0
    x = (np.arange(w) / (w / 2) - 1)[None, :]
    y = (np.arange(h) / (h / 2) - 1)[:, None]
    height = surface_height(surface_A, x, y).astype(np.float32)
    low, high = float(height.min()), float(height.max())
    levels = max(2, int(np.ceil((high - low) / _LEVEL_STEP_A)) + 1)
    step = max((high - low) / (levels - 1), 1e-3)
    out = np.zeros(shape, dtype=np.float32)
    for level in range(levels):
        image = irfft2(spectrum * transfer(low + level * step), shape)
        for first in range(0, h, _ROWS):  # in strips, so that no second image is needed
            rows = slice(first, first + _ROWS)
            weight = np.maximum(1.0 - np.abs((height[rows] - low) / step - level), 0.0)
            out[rows] += image[rows] * weight
    return out
