"""Noise substitution: maps whose phases are random beyond a shell (Chen et al., Ultramicroscopy 135, 24-35, 2013)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.grids import radial_frequency_px
from engine.fourier.transforms import irfft3, rfft3


def randomise_phases(volume: Array, start_shell: float, rng: np.random.Generator) -> Array:
    """Give every coefficient of a map (n, n, n) from a radius (in shells) on a random phase; amplitudes stay."""
    xp = array_namespace(volume)
    shape = tuple(int(s) for s in volume.shape)
    changed = randomised_spectrum(rfft3(volume), shape, start_shell, rng)
    return xp.astype(irfft3(changed, shape), volume.dtype)  # type: ignore[arg-type]


def randomised_spectrum(spectrum: Array, shape: tuple[int, ...], start_shell: float, rng: np.random.Generator) -> Array:
    """Do the same to the half spectrum of a map of that shape; the result is that of a real map."""
    xp = array_namespace(spectrum)
    phase = xp.asarray(_phases(shape, rng))
    turned = xp.abs(spectrum) * (xp.cos(phase) + 1j * xp.sin(phase))
    beyond = xp.asarray(radial_frequency_px(shape) * max(shape) >= start_shell)
    return xp.where(beyond, xp.astype(turned, spectrum.dtype), spectrum)


def _phases(shape: tuple[int, ...], rng: np.random.Generator) -> NDArray[np.float32]:
    """Random phases on a half spectrum, opposite at conjugate coefficients."""
    columns = shape[-1] // 2 + 1
    phase = rng.random((*shape[:-1], columns), dtype=np.float32) * np.float32(2 * np.pi)
    for column in {0, columns - 1} if shape[-1] % 2 == 0 else {0}:
        # these planes hold both coefficients of a pair: the phases of real noise fit together
        phase[..., column] = np.angle(np.fft.fft2(rng.standard_normal(shape[:-1])))
    return phase
