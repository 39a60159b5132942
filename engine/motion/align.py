"""Shifts that bring the frames of a movie together: each frame against the sum of the others, again and again.

Iterative cross-correlation with a B-factor: Li et al., Nat Methods 10, 584 (2013); Zheng et al., Nat Methods 14, 331
(2017). Once the frames lie together, their own signal-to-noise ratio in each ring takes the place of the B-factor: that
is the maximum-likelihood weight of a reference that is itself noisy. Peaks are found to a small part of a pixel by
Newton's method on the Fourier sum, not by interpolation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace, to_numpy
from engine.fourier.grids import hermitian_weight, radial_frequency_px, rfft_frequencies_px, shell_index
from engine.fourier.transforms import irfft2
from engine.motion.smooth import smooth_track

_COARSE, _FINE = 2, 8
_GROUPS = 8
_ENOUGH_PX = 0.01
_NEWTON_LIMIT_PX = 0.7
_LEAST_RING = 3
_SURE = 2.0


@dataclass(frozen=True)
class AlignedFrames:
    """Shifts of the frames.

    Attributes
    ----------
    shifts_px : (f, 2) array
        x, y by which the specimen has moved since the first frame, in px of the spectra.
    errors_px : (f,) array
        Standard error of each frame's shift by noise, before smoothing.
    """

    shifts_px: NDArray[np.float64]
    errors_px: NDArray[np.float64]


def align_frames(
    spectra: Array,
    shape: tuple[int, int],
    b_factor_px2: float,
    search_px: float,
    limit_per_px: float = 0.5,
    smooth: bool = True,
) -> AlignedFrames:
    """Find how the specimen moves through the frames of a movie.

    Parameters
    ----------
    spectra : (f, h, w // 2 + 1) complex64 array
        Half spectra of the frames.
    shape : (int, int)
        ``(h, w)`` of the frames.
    b_factor_px2 : float
        The first correlations are damped by exp(-B k² / 4), k in 1/px.
    search_px : float
        How far a frame may lie from the place where it was, at first.
    limit_per_px : float
        Highest frequency used, in 1/px.
    smooth : bool
        Smooth the track in time, by as much as cross-validation wants.

    Raises
    ------
    ValueError
        When there are fewer than 2 frames.
    """
    count = spectra.shape[0]
    if count < 2:
        raise ValueError(f"got {count} frame; motion is seen between frames: expected at least 2")
    radius = radial_frequency_px(shape)
    used = ((radius <= limit_per_px) & (radius > (_LEAST_RING - 0.5) / max(shape))).astype(np.float32)
    used *= hermitian_weight(shape)
    damping = np.exp(-0.25 * b_factor_px2 * radius**2)
    shifts = np.zeros((count, 2))
    for size in _group_sizes(count):
        for iteration in range(_COARSE):
            weight = used * (damping if iteration == 0 and size > 1 else _ring_weights(spectra, shifts, shape))
            shifts = _by_groups(spectra, shifts, size, weight.astype(np.float32), shape, search_px)
        search_px = max(0.5 * search_px, 4.0)
    errors = np.ones(count)
    for _ in range(_FINE):
        weight = used * _ring_weights(spectra, shifts, shape)
        found, errors = _newton(spectra, shifts, weight.astype(np.float32), shape)
        shifts, moved = _step(shifts, found, errors, smooth)
        if moved < _ENOUGH_PX:
            break
    return AlignedFrames(shifts - shifts[0], errors)


def shift_phases(shape: tuple[int, int], shift_px: NDArray[np.float64], xp: Any = np) -> tuple[Array, Array]:
    """Factors along y ``(h, 1)`` and x ``(1, w // 2 + 1)`` whose product takes a shift (x, y) back."""
    ky, kx = rfft_frequencies_px(shape)
    x, y = (float(value) for value in shift_px)
    factors = [np.exp(2j * np.pi * k.astype(np.float64) * d).astype(np.complex64) for k, d in ((ky, y), (kx, x))]
    return xp.asarray(factors[0]), xp.asarray(factors[1])


def _aligned(spectra: Array, frame: int, shifts: NDArray[np.float64], shape: tuple[int, int]) -> Array:
    along_y, along_x = shift_phases(shape, shifts[frame], array_namespace(spectra))
    return spectra[frame] * along_y * along_x


def _total(spectra: Array, shifts: NDArray[np.float64], shape: tuple[int, int]) -> Array:
    total = _aligned(spectra, 0, shifts, shape)
    for frame in range(1, spectra.shape[0]):
        total += _aligned(spectra, frame, shifts, shape)
    return total


def _step(
    shifts: NDArray[np.float64], found: NDArray[np.float64], errors: NDArray[np.float64], smooth: bool
) -> tuple[NDArray[np.float64], float]:
    """Return the next shifts, their mean 0, and the largest change."""
    wanted = smooth_track(found, errors) if smooth else found
    wanted = wanted - wanted.mean(axis=0)
    return wanted, float(np.abs(wanted - shifts).max())


def _group_sizes(count: int) -> list[int]:
    """Frames that are added up before they are correlated: about an eighth of the movie, then half of that, to one."""
    size = max(1, count // _GROUPS)
    sizes = []
    while size > 1:
        sizes.append(size)
        size //= 2
    return [*sizes, 1]


def _by_groups(
    spectra: Array,
    shifts: NDArray[np.float64],
    size: int,
    weight: NDArray[np.float32],
    shape: tuple[int, int],
    search_px: float,
) -> NDArray[np.float64]:
    """Correlate sums of consecutive frames; what they have moved is spread over their frames."""
    count = len(shifts)
    groups = np.array_split(np.arange(count), max(2, count // size))
    xp = array_namespace(spectra)
    sums = xp.stack([_total(spectra[group[0] : group[-1] + 1], shifts[group], shape) for group in groups])
    centres = np.array([group.mean() for group in groups])
    moved = smooth_track(_correlate(sums, xp.asarray(weight), shape, search_px), np.ones(len(groups)))
    more = np.stack([np.interp(np.arange(count), centres, column) for column in moved.T], axis=1)
    shifts = shifts + more
    return shifts - shifts.mean(axis=0)


def _correlate(spectra: Array, weight: Array, shape: tuple[int, int], search_px: float) -> NDArray[np.float64]:
    """Shift (f, 2) of each image by the peak of its correlation with the sum of the others."""
    xp = array_namespace(spectra)
    total = xp.sum(spectra, axis=0)
    reach = [min(int(np.ceil(search_px)), n // 2 - 1) for n in shape]
    found = np.zeros((spectra.shape[0], 2))
    for frame in range(spectra.shape[0]):
        own = spectra[frame]
        # the peak lies where the frame must still go: at minus what it has moved
        map_ = irfft2(own * xp.conj(total - own) * weight, shape)
        rows = xp.concat([map_[-reach[0] :], map_[: reach[0] + 1]], axis=0)
        near = to_numpy(xp.concat([rows[:, -reach[1] :], rows[:, : reach[1] + 1]], axis=1)).astype(np.float64)
        found[frame] = _peak(near) - np.array([reach[1], reach[0]])
    return found


def _peak(map_: NDArray[np.float64]) -> NDArray[np.float64]:
    """Place x, y of the highest value, by a parabola along each axis."""
    y, x = np.unravel_index(int(map_.argmax()), map_.shape)
    place = []
    for line, i in ((map_[y], int(x)), (map_[:, x], int(y))):
        offset = 0.0
        if 0 < i < len(line) - 1:
            bend = line[i - 1] - 2 * line[i] + line[i + 1]
            offset = 0.5 * (line[i - 1] - line[i + 1]) / bend if bend < 0 else 0.0
        place.append(i + offset)
    return np.array(place)


def _ring_weights(spectra: Array, shifts: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Weight of each coefficient for a frame against the sum of the others, from the signal and noise of its ring.

    With signal power S and noise power N of a frame, n other frames in the sum: S / (N (n S + N)).
    """
    count = spectra.shape[0]
    rings = shell_index(shape)
    single = sum(_ring_power(spectra[frame], shape) for frame in range(count)) / count
    total = _ring_power(_total(spectra, shifts, shape), shape)
    signal, members = (total - count * single) / (count * (count - 1)), _ring_members(shape)
    noise = np.maximum(single - signal, 1e-12 * single.max())
    # what lies within two standard errors of nothing is nothing: noise must not steer the frames
    error = noise / ((count - 1) * np.sqrt(_smooth_sum(members)))
    signal = np.maximum(_smooth_sum(signal * members) / _smooth_sum(members) - _SURE * error, 0.0)
    curve = signal / (noise * ((count - 1) * signal + noise))
    return np.asarray(curve[rings])


def _smooth_sum(curve: NDArray[np.float64]) -> NDArray[np.float64]:
    """Add to each ring those within a twentieth of its frequency."""
    sums = np.concatenate([[0.0], np.cumsum(curve)])
    ring = np.arange(len(curve))
    low = np.maximum(ring - 1 - ring // 20, 0)
    high = np.minimum(ring + 2 + ring // 20, len(curve))
    return np.asarray(sums[high] - sums[low])


def _ring_members(shape: tuple[int, int]) -> NDArray[np.float64]:
    """Independent coefficients of each ring."""
    return np.asarray(0.5 * np.bincount(shell_index(shape).ravel(), hermitian_weight(shape).ravel()))


def _ring_power(spectrum: Array, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Mean power of each ring."""
    xp = array_namespace(spectrum)
    power = to_numpy(xp.real(spectrum) ** 2 + xp.imag(spectrum) ** 2)
    rings, weight = shell_index(shape).ravel(), hermitian_weight(shape).ravel()
    return np.asarray(np.bincount(rings, power.ravel() * weight) / (2 * _ring_members(shape)))


def _newton(
    spectra: Array, shifts: NDArray[np.float64], weight: NDArray[np.float32], shape: tuple[int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """One step of Newton's method on each frame's correlation, and the standard errors of the shifts."""
    xp = array_namespace(spectra)
    ky, kx = (xp.asarray(2 * np.pi * k) for k in rfft_frequencies_px(shape))
    on_device = xp.asarray(weight)
    total = _total(spectra, shifts, shape)
    found, errors = shifts.copy(), np.zeros(len(shifts))
    for frame in range(spectra.shape[0]):
        own = _aligned(spectra, frame, shifts, shape)
        product = own * xp.conj(total - own) * on_device
        # correlation at a further shift d: Re sum p exp(2πi k d)
        slope = [-float(xp.sum(xp.imag(product) * k)) for k in (kx, ky)]
        real = xp.real(product)
        bend = [-float(xp.sum(real * a * b)) for a, b in ((kx, kx), (kx, ky), (ky, ky))]
        hessian = np.array([[bend[0], bend[1]], [bend[1], bend[2]]])
        if hessian[0, 0] < 0 and np.linalg.det(hessian) > 0:
            step = -np.linalg.solve(hessian, slope)
            found[frame] += step * min(1.0, _NEWTON_LIMIT_PX / max(float(np.hypot(*step)), 1e-9))
            errors[frame] = np.sqrt(-0.5 * np.trace(np.linalg.inv(hessian)))
    good = errors > 0
    errors[~good] = 10 * errors[good].max() if good.any() else 1.0
    return found, errors
