"""Radiation damage: how much of a Fourier component is left after a dose, and the weights that follow from it.

Grant & Grigorieff, eLife 4, e06980 (2015).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.fourier.grids import radial_frequency_px

# fit of the paper's critical exposure at 300 kV, and what is left of it at 200 kV
_SCALE, _POWER, _FLOOR = 0.24499, -1.6649, 2.8141
_AT_200_KV, _BELOW_KV = 0.8, 250.0


def critical_exposure_e_per_A2(frequency_per_A: ArrayLike, voltage_kv: float = 300.0) -> NDArray[np.float64]:
    """Return the exposure in e/Å² after which 1/e of a component's power is left; infinite at frequency 0.

    Parameters
    ----------
    frequency_per_A : array
        |k| in 1/Å.
    voltage_kv : float
        Damage is by 1/0.8 faster below 250 kV, measured at 200.
    """
    k = np.asarray(frequency_per_A, np.float64)
    with np.errstate(divide="ignore"):
        critical = _SCALE * np.power(k, _POWER) + _FLOOR
    return critical * (_AT_200_KV if voltage_kv < _BELOW_KV else 1.0)


def fading(frequency_per_A: ArrayLike, exposure_e_per_A2: float, voltage_kv: float = 300.0) -> NDArray[np.float64]:
    """Return the share of a component's amplitude that is left after an exposure."""
    critical = critical_exposure_e_per_A2(frequency_per_A, voltage_kv)
    return np.asarray(np.exp(-0.5 * exposure_e_per_A2 / critical))


def dose_weights(
    shape: tuple[int, int],
    pixel_size_A: float,
    exposures_e_per_A2: ArrayLike,
    voltage_kv: float = 300.0,
) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """Weights of the frames of a movie as curves over |k|.

    The weights of one frequency have the sum of squares 1 times the number of frames, so that white noise has the same
    power at every frequency and the sum of frames its grey values.

    Parameters
    ----------
    shape : (int, int)
        ``(h, w)`` of the frames.
    pixel_size_A : float
    exposures_e_per_A2 : (f,) array
        Exposure at the middle of each frame, what the specimen had before included.
    voltage_kv : float

    Returns
    -------
    (weights, ring)
        ``(f, rings)`` float32, and the ring ``(h, w // 2 + 1)`` of each coefficient of a half spectrum.
    """
    exposures = np.asarray(exposures_e_per_A2, np.float64)
    # rings a tenth of a Fourier pixel of the longer side: finer than what the weights change by
    radius = radial_frequency_px(shape)
    step = 0.1 / max(shape)
    ring = np.rint(radius / step).astype(np.int32)
    k = np.arange(int(ring.max()) + 1) * (step / pixel_size_A)
    amplitudes = np.stack([fading(k, exposure, voltage_kv) for exposure in exposures])
    norm = np.sqrt(np.mean(amplitudes**2, axis=0))
    return np.asarray(amplitudes / np.maximum(norm, 1e-12), np.float32), ring
