"""From two half maps to a resolution, a mask and filtered references."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform, distance_transform_edt

from engine.arrays import Array
from engine.fourier.filters import low_pass, multiply_radial
from engine.fourier.grids import shell_index
from engine.fourier.shells import fourier_shell_correlation
from engine.fourier.transforms import irfft3, rfft3
from engine.windows import cosine_edge

Volume = NDArray[np.float32]


def corrected_fsc(half_a: Volume, half_b: Volume, mask: Volume, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the FSC inside a mask, corrected for what the mask itself correlates.

    Phases beyond the shell where the unmasked FSC drops below 0.143 are randomised and the correlation that the mask
    alone makes is taken out (Chen et al., Ultramicroscopy 135, 24, 2013).
    """
    plain = fourier_shell_correlation(half_a, half_b)
    masked = fourier_shell_correlation(half_a * mask, half_b * mask)
    below = np.flatnonzero(plain[1:] < 0.143)
    if below.size == 0:
        return masked
    start = int(below[0]) + 1
    random = fourier_shell_correlation(
        randomise_phases(half_a, start, rng) * mask, randomise_phases(half_b, start, rng) * mask
    )
    curve = masked.copy()
    beyond = np.arange(len(curve)) >= start + 2
    curve[beyond] = (masked - random)[beyond] / np.maximum(1 - random, 1e-6)[beyond]
    return curve


def randomise_phases(volume: Volume, first_shell: int, rng: np.random.Generator) -> Volume:
    """Replace the phases of a volume from a shell on by those of white noise; amplitudes stay."""
    spectrum = rfft3(volume)
    noise = rfft3(rng.standard_normal(volume.shape).astype(np.float32))
    mixed = np.where(
        shell_index(volume.shape) >= first_shell, np.abs(spectrum) * np.exp(1j * np.angle(noise)), spectrum
    )
    return np.asarray(irfft3(mixed.astype(np.complex64), volume.shape), np.float32)


def dynamic_mask(
    average: Volume, pixel_size_A: float, resolution_A: float, threshold: float, near_A: float, far_A: float
) -> Volume:
    """Return a soft mask about a map: thresholded, 1 within ``near_A``, a cosine edge to 0 at ``far_A``."""
    smooth = low_pass(average, pixel_size_A, resolution_A, ndim=3)
    solid = smooth > threshold * float(smooth.max())
    distance_A = distance_transform_edt(~solid) * pixel_size_A
    return cosine_edge(distance_A - near_A, far_A - near_A)


def ssnr_from_fsc(fsc: NDArray[np.float64], last_shell: int) -> NDArray[np.float64]:
    """Return the signal-to-noise ratio FSC / (1 - FSC) of a half on each shell, 0 beyond ``last_shell``."""
    curve = np.clip(fsc, 1e-3, 0.999)
    ratio = curve / (1 - curve)
    ratio[last_shell + 1 :] = 0.0
    return ratio


def join_low_frequencies(a: Volume, b: Volume, shell: float) -> tuple[Volume, Volume]:
    """Return two volumes that share the mean of both below a shell (soft over two shells)."""
    mean = (a + b) / 2
    shells = np.arange(a.shape[0] // 2 + 1)
    share = np.clip((shell - shells) / 2 + 0.5, 0, 1).astype(np.float32)
    return tuple(x + multiply_radial(mean - x, share, 3) for x in (a, b))  # type: ignore[return-value]


def resample_volume(volume: Array, pixel_size_A: float, box_px: int, new_pixel_size_A: float) -> Volume:
    """Return a volume on another grid, its centre kept: cubic splines, for models that are low-passed afterwards."""
    ratio = new_pixel_size_A / pixel_size_A
    source = np.asarray(volume, np.float32)
    if source.shape == (box_px,) * 3 and abs(ratio - 1) < 1e-4:
        return source
    centre_in, centre_out = source.shape[0] // 2, box_px // 2
    offset = np.full(3, centre_in - ratio * centre_out)
    return affine_transform(source, np.full(3, ratio), offset, (box_px,) * 3, np.float32, order=3)
