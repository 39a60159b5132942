"""The spectrum and its fit side by side, for the eye."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from engine.arrays import Array
from engine.ctf.fringes import Fringes
from engine.ctf.model import ctf
from engine.ctf.polar import PolarBins
from engine.optics import Defocus, Optics

_PICTURE_PX = 256


def spectrum_picture(
    power: Array, bins: PolarBins, data: Fringes, parameters: Array, optics: Optics
) -> tuple[Array, float]:
    """Draw the background-free spectrum on the right and CTF² of the fit on the left.

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

    Returns
    -------
    (Array, float)
        (m, m) float32 with DC at [m//2, m//2] and m ≤ 256, grey values 0 to 1 from background to the top of
        the fringes on the right, CTF² on the left; and the frequency step of a pixel in 1/Å.
    """
    step = 1.0 / (bins.tile_px * bins.pixel_size_A)
    reach = min(int(np.ceil(data.frequency[-1] / step)), bins.tile_px // 2 - 1)
    half = _flattened(power, reach)
    m = min(_PICTURE_PX, 2 * reach) // 2 * 2
    # Sampling at the picture's pixels after a blur to their size.
    scale = reach / (m / 2)
    blurred = gaussian_filter(half, 0.5 * scale) if scale > 1.05 else half
    line = np.rint((np.arange(m) - m // 2) * scale).astype(int)
    y = line[:, None]
    x = line[None, :]
    right = blurred[y + reach, np.abs(x)]
    frequency_x, frequency_y = np.broadcast_arrays(x * step, y * step)
    defocus = Defocus(
        parameters[0] + np.hypot(parameters[1], parameters[2]),
        parameters[0] - np.hypot(parameters[1], parameters[2]),
        float(np.rad2deg(0.5 * np.arctan2(parameters[2], parameters[1]))),
        float(np.rad2deg(parameters[3])),
    )
    model = ctf(frequency_x, frequency_y, defocus, optics) ** 2
    return np.where(x >= 0, right, model).astype(np.float32), step * scale


def _flattened(power: Array, reach: int) -> Array:
    """Half spectrum out to `reach` (2·reach+1, reach+1), each ring's mean removed over a few rings, scaled to 0–1."""
    half = np.concatenate([power[-reach:, : reach + 1], power[: reach + 1, : reach + 1]]).astype(np.float64)
    ky, kx = np.arange(-reach, reach + 1)[:, None], np.arange(reach + 1)[None, :]
    half[:, 0] = half[:, 1]
    ring = np.minimum(np.rint(np.hypot(kx, ky)).astype(int), reach)
    counts = np.maximum(np.bincount(ring.ravel()), 1)
    mean = np.bincount(ring.ravel(), half.ravel()) / counts
    spread = np.sqrt(np.maximum(np.bincount(ring.ravel(), half.ravel() ** 2) / counts - mean**2, 1e-30))
    # A wide smoothing keeps the fringes: it removes what changes over many rings only.
    width = max(6, reach // 8)
    smooth = _smooth(mean, width)
    scale = _smooth(spread, width) + np.sqrt(_smooth((mean - smooth) ** 2, width))
    return np.clip(0.5 + 0.25 * (half - smooth[ring]) / np.maximum(scale[ring], 1e-30), 0.0, 1.0)


def _smooth(curve: Array, width: int) -> Array:
    kernel = np.hanning(2 * width + 1)
    kernel /= kernel.sum()
    return np.convolve(np.pad(curve, width, mode="edge"), kernel, "valid")
