"""Sharpening: a B-factor, weighting by the FSC and a low-pass filter applied to a map.

Rosenthal & Henderson, J Mol Biol 333, 721-745 (2003). B-factors have RELION's sign: a negative one sharpens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.filters import low_pass_gain
from engine.fourier.grids import radial_frequency_px, shell_index
from engine.fourier.transforms import irfft3, rfft3
from engine.validation.guinier import fsc_weight


def sharpen(
    volume: Array,
    pixel_size_A: float,
    b_factor_A2: float,
    fsc: NDArray[np.floating] | None = None,
    low_pass_A: float | None = None,
) -> Array:
    """Multiply a map's amplitudes by exp(-B k² / 4), the FSC's figure of merit and a low-pass filter.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A : float
    b_factor_A2 : float
        Negative sharpens, positive blurs.
    fsc : (n // 2 + 1,) array, optional
        Curve of the half maps; amplitudes are weighted by sqrt(2 FSC / (1 + FSC)).
    low_pass_A : float, optional
        Resolution beyond which nothing is kept.

    Returns
    -------
    (n, n, n) array
        Same library and type as `volume`.

    Raises
    ------
    ValueError
        If it is no map.
    """
    if volume.ndim != 3:
        raise ValueError(f"expected a map, got shape {tuple(volume.shape)}")
    xp = array_namespace(volume)
    shape = tuple(int(s) for s in volume.shape)
    radius = np.asarray(radial_frequency_px(shape), dtype=np.float64) / pixel_size_A
    gain = np.exp(-0.25 * b_factor_A2 * np.square(radius))
    if fsc is not None:
        shells = np.asarray(shell_index(shape))
        weight = np.zeros(max(int(shells.max()) + 1, len(fsc)))
        weight[: len(fsc)] = fsc_weight(fsc)
        gain *= weight[shells]
    if low_pass_A is not None:
        gain *= low_pass_gain(shape, pixel_size_A, low_pass_A)
    spectrum = rfft3(volume) * xp.asarray(gain.astype(np.float32))
    return xp.astype(irfft3(spectrum, shape), volume.dtype)  # type: ignore[arg-type]
