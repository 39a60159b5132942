"""From two half maps to a resolution and filtered references."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import affine_transform

from engine.arrays import Array
from engine.fourier.filters import multiply_radial
from engine.fourier.shells import fourier_shell_correlation
from engine.validation.curves import corrected_fsc, randomisation_start
from engine.validation.noise import randomise_phases

Volume = NDArray[np.float32]


def masked_fsc(
    half_a: Volume, half_b: Volume, mask: Volume, rng: np.random.Generator, seen_px: float | None = None
) -> NDArray[np.float64]:
    """Return the FSC of half maps inside a mask, corrected for what the mask itself correlates.

    Noise substitution (Chen et al., Ultramicroscopy 135, 24, 2013), see `engine.validation.fsc`.

    Images aligned with alike references agree where they were compared, even if they are noise. Frequencies that took
    no part are free of that (Stewart & Grigorieff, Ultramicroscopy 102, 67, 2004), but the mask carries the agreement
    a shell or two beyond. So the curve is corrected from the first of them on, with random phases from there: what
    halves agree on grows with signal alone.

    Parameters
    ----------
    half_a, half_b, mask : (n, n, n) arrays
    rng : Generator
        Draws the random phases.
    seen_px : float or None
        Largest frequency that poses were found with; None where the poses are not of these maps' making.

    Returns
    -------
    (n // 2 + 1,) array
    """

    def random_from(shell: float) -> NDArray[np.float64]:
        return fourier_shell_correlation(*(randomise_phases(half, shell, rng) * mask for half in (half_a, half_b)))

    start = randomisation_start(fourier_shell_correlation(half_a, half_b), 0.143)
    inside = fourier_shell_correlation(half_a * mask, half_b * mask)
    curve = corrected_fsc(inside, random_from(start), start)
    first = len(curve) if seen_px is None else int(seen_px) + 1
    if first < len(curve):
        unseen = corrected_fsc(inside, random_from(first - 0.5), first, 0)
        curve[first:] = np.minimum(curve[first:], unseen[first:])
    return curve


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
    return a + multiply_radial(mean - a, share, 3), b + multiply_radial(mean - b, share, 3)


def levelled(volume: Volume, empty: NDArray[np.bool_]) -> Volume:
    """Return a volume whose mean over its empty part is 0: images know nothing of the mean of a map."""
    if not empty.any():
        return volume
    return volume - np.float32(volume[empty].mean(dtype=np.float64))


def resample_volume(volume: Array, pixel_size_A: float, box_px: int, new_pixel_size_A: float) -> Volume:
    """Return a volume on another grid, its centre kept: cubic splines, for models that are low-passed afterwards.

    Parameters
    ----------
    volume : (n, n, n) array
    pixel_size_A, new_pixel_size_A : float
        Å per px, before and after.
    box_px : int
        Side of the new box.

    Returns
    -------
    (box_px, box_px, box_px) array
    """
    ratio = new_pixel_size_A / pixel_size_A
    source = np.asarray(volume, np.float32)
    if source.shape == (box_px,) * 3 and abs(ratio - 1) < 1e-4:
        return source
    centre_in, centre_out = source.shape[0] // 2, box_px // 2
    offset = np.full(3, centre_in - ratio * centre_out)
    return affine_transform(source, np.full(3, ratio), offset, (box_px,) * 3, np.float32, order=3)
