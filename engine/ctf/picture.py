"""The spectrum and its fit side by side, for the eye."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from engine.arrays import Array
from engine.ctf.fringes import Fringes, phase_at
from engine.ctf.polar import PolarBins
from engine.ctf.quality import equiphase_frequency
from engine.ctf.result import CtfCurves
from engine.optics import Optics

_PICTURE_PX = 256
_BLUR_PX = 1.2


def spectrum_picture(
    power: Array, bins: PolarBins, data: Fringes, parameters: Array, optics: Optics, curves: CtfCurves
) -> tuple[Array, float]:
    """Draw CTF² of the fit on the left, the spectrum at the upper and its equiphase average at the lower right.

    Parameters
    ----------
    power : Array
        (n, n//2+1) mean power.
    bins : PolarBins
        Bins of the fit range, which the picture covers.
    data : Fringes
        The spectrum as fitted.
    parameters : Array
        (4,) mean defocus, a_cos, a_sin in Å, phase shift in rad.
    optics : Optics
        The microscope.
    curves : CtfCurves
        The equiphase average.

    Returns
    -------
    (Array, float)
        (m, m) float32 with DC at [m//2, m//2] and m ≤ 256, grey values 0 to 1, row 0 the lowest ky; and the
        frequency step of a pixel in 1/Å.
    """
    step = 1.0 / (bins.tile_px * bins.pixel_size_A)
    reach = min(int(np.ceil(data.frequency[-1] / step)), bins.tile_px // 2 - 1)
    m = min(_PICTURE_PX, 2 * reach) // 2 * 2
    scale = reach / (m / 2)
    line = (np.arange(m) - m // 2) * scale
    y, x = line[:, None], line[None, :]
    spectrum = _flattened(power, reach, _BLUR_PX * scale)
    nearest_y, nearest_x = np.rint(y).astype(int) + reach, np.abs(np.rint(x).astype(int))
    phase = phase_at(x * step, y * step, parameters, optics)
    average = _average(phase, data, parameters, optics, curves)
    right = np.where(y < 0, spectrum[nearest_y, nearest_x], average)
    return np.where(x >= 0, right, np.sin(phase) ** 2).astype(np.float32), step * scale


def _average(phase: Array, data: Fringes, parameters: Array, optics: Optics, curves: CtfCurves) -> Array:
    """Equiphase average in units of the envelope, spread out over the picture again."""
    _, envelope = data.solve(data.phase(parameters))
    height = np.maximum(envelope, 0.05 * envelope.max() + 1e-12)
    relative = np.clip((curves.spectrum - curves.background) / height, 0.0, 1.0)
    offset = float(np.arcsin(optics.amplitude_contrast) + parameters[3])
    frequency = equiphase_frequency(phase, float(parameters[0]), offset, optics)
    return np.interp(frequency, curves.frequency_per_A, relative, left=0.5, right=0.5)


def _flattened(power: Array, reach: int, blur: float) -> Array:
    """Half spectrum out to `reach` (2·reach+1, reach+1), blurred, its smooth fall removed and scaled to 0–1."""
    half = np.concatenate([power[-reach:, : reach + 1], power[: reach + 1, : reach + 1]]).astype(np.float64)
    half[:, 0] = half[:, 1]
    half[reach] = 0.5 * (half[reach - 1] + half[reach + 1])
    ky, kx = np.arange(-reach, reach + 1)[:, None], np.arange(reach + 1)[None, :]
    ring = np.minimum(np.rint(np.hypot(kx, ky)).astype(int), reach)
    counts = np.maximum(np.bincount(ring.ravel()), 1)
    # A wide smoothing keeps the fringes: it removes what changes over many rings only.
    width = max(6, reach // 8)
    smooth = _smooth(np.bincount(ring.ravel(), half.ravel()) / counts, width)
    half = gaussian_filter(half / np.maximum(smooth[ring], 1e-30) - 1.0, blur, mode="nearest")
    spread = np.sqrt(_smooth(np.bincount(ring.ravel(), half.ravel() ** 2) / counts, width))
    return np.clip(0.5 + 0.25 * half / np.maximum(spread[ring], 1e-12), 0.0, 1.0)


def _smooth(curve: Array, width: int) -> Array:
    kernel = np.hanning(2 * width + 1)
    kernel /= kernel.sum()
    return np.convolve(np.pad(curve, width, mode="edge"), kernel, "valid")
