"""A movie becomes a micrograph: frames are brought together, weighted by dose and added up.

The frames are read three times and never held together, but for their low-resolution spectra: memory is that of one
frame and, for each frame, of the pixels that `MotionSettings.resolution_A` needs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from engine.arrays import Array, array_namespace, for_scipy, scipy_module
from engine.fourier.crop import resize_spectrum
from engine.fourier.transforms import irfft2, rfft2
from engine.motion.align import align_frames, shift_phases
from engine.motion.dose import dose_weights
from engine.motion.frames import bad_pixels, mended, neighbours_of
from engine.motion.local import LocalMotion, fit_local_motion, no_local_motion, patch_tracks

_STRIP = 256
_SEEN_PX = 0.02


@dataclass(frozen=True)
class MotionSettings:
    """How a movie is corrected.

    Attributes
    ----------
    pixel_size_A : float
        Of the frames.
    voltage_kv : float
    dose_e_per_A2 : float
        Of the whole movie; 0 if unknown: no dose weighting.
    pre_exposure_e_per_A2 : float
        What the specimen had before.
    binning : float
        Pixels of the micrograph over those of the frames, at least 1.
    patches : int
        Patches a side whose own motion is followed; 1: the whole only.
    b_factor_A2, resolution_A : float
        Damping of the first correlations, and the finest detail that frames are compared at.
    search_A : float
        Longest way between a frame and the middle of the movie.
    """

    pixel_size_A: float
    voltage_kv: float = 300.0
    dose_e_per_A2: float = 0.0
    pre_exposure_e_per_A2: float = 0.0
    binning: float = 1.0
    patches: int = 5
    b_factor_A2: float = 500.0
    resolution_A: float = 5.0
    search_A: float = 50.0


@dataclass(frozen=True)
class CorrectedMovie:
    """A micrograph and the motion that was taken back.

    Attributes
    ----------
    image : (h, w) array
        float32, in the grey values of the sum of the frames.
    pixel_size_A : float
        Of the image.
    shifts_A : (f, 2) array
        x, y by which the whole has moved since the first frame.
    local : LocalMotion
        Local motion in Å.
    bad_pixels : int
        Number of pixels that were replaced.
    movie_pixel_size_A : float
        Of the frames.
    """

    image: Array
    pixel_size_A: float
    shifts_A: NDArray[np.float64]
    local: LocalMotion
    bad_pixels: int
    movie_pixel_size_A: float


def correct_movie(
    frames: Callable[[], Iterable[NDArray[Any]]],
    settings: MotionSettings,
    gain: NDArray[np.float32] | None = None,
    xp: Any = np,
    report: Callable[[float], None] = lambda done: None,
) -> CorrectedMovie:
    """Correct a movie for motion and dose.

    Parameters
    ----------
    frames : callable
        Gives the raw frames (h, w) from the first to the last, anew at each call.
    settings : MotionSettings
    gain : (h, w) array or None
        Factor on each pixel (`oriented_gain`).
    xp : module
        Array namespace to work in.
    report : callable
        Told the share that is done, after every frame.

    Raises
    ------
    ValueError
        When there are fewer than 2 frames, or they hold no image.
    """
    total: Any = 0.0
    count = 0
    for frame in frames():
        total = total + (np.asarray(frame, np.float32) if gain is None else frame * gain)
        count += 1
        report(0.1 * count / (count + 1))
    if count < 2:
        raise ValueError(f"the movie has {count} frame; expected at least 2")
    bad = bad_pixels(total, gain)
    work = _Mender(xp, gain, bad)
    shape = (int(bad.shape[0]), int(bad.shape[1]))
    small = _small_shape(shape, settings)
    spectra = work.empty((count, small[0], small[1] // 2 + 1))
    for index, frame in enumerate(frames()):
        spectra[index] = resize_spectrum(rfft2(work(frame)), shape, small)
        report(0.1 + 0.3 * (index + 1) / count)
    shifts_A, local = _motion(spectra, shape, small, settings)
    del spectra
    report(0.5)
    image, pixel_size_A = _add_up(frames, work, shape, shifts_A, local, settings, report)
    return CorrectedMovie(image, pixel_size_A, shifts_A, local, int(bad.sum()), settings.pixel_size_A)


class _Mender:
    """Bring frames to the device, with their gain and without bad pixels."""

    def __init__(self, xp: Any, gain: NDArray[np.float32] | None, bad: NDArray[np.bool_]) -> None:
        self.xp = xp
        self._gain = None if gain is None else xp.asarray(gain)
        self._places = [xp.asarray(index) for index in neighbours_of(bad)]

    def __call__(self, frame: Array) -> Array:
        return mended(self.xp.asarray(frame), self._gain, *self._places)

    def empty(self, shape: tuple[int, ...]) -> Array:
        return self.xp.empty(shape, dtype=np.complex64)


def _small_shape(shape: tuple[int, int], settings: MotionSettings) -> tuple[int, int]:
    """Size of the frames that are compared: pixels of half the finest detail."""
    factor = min(1.0, 2 * settings.pixel_size_A / settings.resolution_A)
    height, width = (min(n, 2 * next_fast_len(int(np.ceil(n * factor / 2)), real=True)) for n in shape)
    return height, width


def _motion(
    spectra: Array, shape: tuple[int, int], small: tuple[int, int], settings: MotionSettings
) -> tuple[NDArray[np.float64], LocalMotion]:
    """Motion of the whole and of its places, in Å."""
    pixel_A = settings.pixel_size_A * np.array([shape[1] / small[1], shape[0] / small[0]])
    size_A = float(pixel_A.mean())
    b_px2 = settings.b_factor_A2 / size_A**2
    limit = size_A / settings.resolution_A
    found = align_frames(spectra, small, b_px2, settings.search_A / size_A, limit)
    local = no_local_motion()
    if settings.patches > 1:
        places, tracks, errors = patch_tracks(
            spectra, small, found.shifts_px, settings.patches, b_px2, 0.2 * settings.search_A / size_A
        )
        local = fit_local_motion(places, tracks * pixel_A, errors * size_A)
    return found.shifts_px * pixel_A, local


def _add_up(
    frames: Callable[[], Iterable[NDArray[Any]]],
    work: _Mender,
    shape: tuple[int, int],
    shifts_A: NDArray[np.float64],
    local: LocalMotion,
    settings: MotionSettings,
    report: Callable[[float], None],
) -> tuple[Array, float]:
    """Return the sum of the corrected frames and its pixel size."""
    count = len(shifts_A)
    binned = tuple(min(n, max(2, 2 * round(n / settings.binning / 2))) if settings.binning > 1 else n for n in shape)
    out = (int(binned[0]), int(binned[1]))
    pixel_size_A = settings.pixel_size_A * shape[1] / out[1]
    weights, rings = None, None
    if settings.dose_e_per_A2 > 0:
        exposures = settings.pre_exposure_e_per_A2 + settings.dose_e_per_A2 * (np.arange(count) + 0.5) / count
        curves, ring = dose_weights(out, pixel_size_A, exposures, settings.voltage_kv)
        weights, rings = (work.xp.asarray(values) for values in (curves, ring))
    whole: Array = 0.0
    bent: Array = 0.0
    for index, frame in enumerate(frames()):
        spectrum = resize_spectrum(rfft2(work(frame)), shape, out)
        along_y, along_x = shift_phases(out, shifts_A[index] / pixel_size_A, work.xp)
        spectrum = spectrum * along_y * along_x
        if weights is not None and rings is not None:
            spectrum = spectrum * weights[index][rings]
        if local.kept and index:
            bent = bent + _unbent(irfft2(spectrum, out), local, index, pixel_size_A)
        else:
            whole = whole + spectrum
        report(0.5 + 0.5 * (index + 1) / count)
    return irfft2(whole, out) + bent, pixel_size_A


def _unbent(image: Array, local: LocalMotion, frame: int, pixel_size_A: float) -> Array:
    """Take the local motion of a frame back."""
    height, width = image.shape
    corners = local.at(np.array([-0.5, 0.5, -0.5, 0.5, 0.0]), np.array([-0.5, -0.5, 0.5, 0.5, 0.0]), frame)
    if np.abs(corners).max() < _SEEN_PX * pixel_size_A:
        return image
    ndimage = scipy_module(image, "ndimage")
    filtered = ndimage.spline_filter(for_scipy(image), order=3, output=np.float32, mode="mirror")
    xp = array_namespace(image)
    x = (np.arange(width) + 0.5) / width - 0.5
    strips = []
    for first in range(0, height, _STRIP):
        rows = np.arange(first, min(first + _STRIP, height))
        moved_px = local.at(x[None, :], ((rows + 0.5) / height - 0.5)[:, None], frame) / pixel_size_A
        places = np.stack([rows[:, None] + moved_px[..., 1], np.arange(width)[None, :] + moved_px[..., 0]])
        strips.append(
            xp.asarray(ndimage.map_coordinates(filtered, xp.asarray(places), order=3, prefilter=False, mode="mirror"))
        )
    return xp.concat(strips, axis=0)
