"""Motion that differs from place to place: tracks of patches, and the smooth model that they are seen as.

The model is RELION's and that of Zheng et al., Nat Methods 14, 331 (2017): quadratic in the place, cubic in time, zero
in the first frame. It is kept only when it foretells patches that it was not fitted to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.transforms import irfft2, rfft2
from engine.motion.align import align_frames, shift_phases

SPACE, TIME = 6, 3
_ROUNDS = 4
_LEAST_PATCH_PX = 96
_OVERLAP = 1.25


@dataclass(frozen=True)
class LocalMotion:
    """Motion of each place beside that of the whole.

    Attributes
    ----------
    coefficients : (18, 2) array
        For x and y: six terms in space (1, x, x², y, y², xy) for t, then for t², then for t³; x and y from -1/2 to 1/2
        over the image, t in frames. In the unit of the tracks that were fitted.
    kept : bool
        False when the patches do not bear a model: the coefficients are zero.
    residual : float
        Root mean square difference of the patches' tracks from the model.
    """

    coefficients: NDArray[np.float64]
    kept: bool
    residual: float

    def at(self, x: NDArray[np.floating], y: NDArray[np.floating], frame: int) -> NDArray[np.float64]:
        """Motion ``(..., 2)`` in a frame at places from -1/2 to 1/2 (arrays that broadcast)."""
        by_space = time_terms(np.array([frame]))[0] @ self.coefficients.reshape(TIME, SPACE * 2)
        return np.asarray(space_terms(x, y) @ by_space.reshape(SPACE, 2))


def space_terms(x: NDArray[np.floating], y: NDArray[np.floating]) -> NDArray[np.float64]:
    """Terms ``(..., 6)`` of the model at places."""
    x, y = np.broadcast_arrays(np.asarray(x, np.float64), np.asarray(y, np.float64))
    return np.stack([np.ones_like(x), x, x * x, y, y * y, x * y], axis=-1)


def time_terms(frames: NDArray[np.integer]) -> NDArray[np.float64]:
    """Terms ``(f, 3)`` of the model at frames."""
    t = np.asarray(frames, np.float64)[:, None]
    return np.asarray(t ** np.arange(1, TIME + 1))


def no_local_motion() -> LocalMotion:
    """Return the model of a movie that moves as a whole."""
    return LocalMotion(np.zeros((SPACE * TIME, 2)), False, 0.0)


def patch_tracks(
    spectra: Array,
    shape: tuple[int, int],
    shifts_px: NDArray[np.float64],
    patches: int,
    b_factor_px2: float,
    search_px: float,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Follow patches of the frames after the motion of the whole was taken back.

    Parameters
    ----------
    spectra : (f, h, w // 2 + 1) complex64 array
        Half spectra of the frames; they are overwritten.
    shape : (int, int)
    shifts_px : (f, 2) array
        Motion of the whole.
    patches : int
        Patches a side, fewer where they would be smaller than 96 px.
    b_factor_px2, search_px : float
        As in `align_frames`.

    Returns
    -------
    (places, tracks, errors)
        ``(p, 2)`` x, y from -1/2 to 1/2; ``(p, f, 2)`` px; ``(p, f)`` px.
    """
    xp = array_namespace(spectra)
    frames = xp.empty((spectra.shape[0], *shape), dtype=xp.float32)
    for frame, shift in enumerate(shifts_px):
        along_y, along_x = shift_phases(shape, shift, xp)
        frames[frame] = irfft2(spectra[frame] * along_y * along_x, shape)
    rows, columns = (_windows(n, patches) for n in shape)
    places, tracks, errors = [], [], []
    for first_y, last_y in rows:
        for first_x, last_x in columns:
            part = frames[:, first_y:last_y, first_x:last_x]
            part = part - xp.mean(part, axis=(1, 2), keepdims=True)
            size = (last_y - first_y, last_x - first_x)
            found = align_frames(rfft2(part), size, b_factor_px2, search_px)
            centre = (first_x + last_x) / 2 / shape[1] - 0.5, (first_y + last_y) / 2 / shape[0] - 0.5
            places.append(centre)
            tracks.append(found.shifts_px)
            errors.append(found.errors_px)
    return np.array(places), np.array(tracks), np.array(errors)


def _windows(size: int, patches: int) -> list[tuple[int, int]]:
    """First and last px of the patches along one axis; neighbours overlap by a quarter."""
    count = max(1, min(patches, size // _LEAST_PATCH_PX))
    length = min(size, 2 * round(_OVERLAP * size / count / 2))
    starts = np.rint(np.linspace(0, size - length, count)).astype(int)
    return [(int(start), int(start) + length) for start in starts]


def fit_local_motion(
    places: NDArray[np.float64], tracks: NDArray[np.float64], errors: NDArray[np.float64]
) -> LocalMotion:
    """Fit the model to tracks of patches, each free by a constant; patches far off count less.

    Parameters
    ----------
    places : (p, 2) array
        x, y from -1/2 to 1/2.
    tracks : (p, f, 2) array
    errors : (p, f) array
        Standard errors of the tracks.
    """
    count, frames = tracks.shape[:2]
    terms = np.einsum("ft,ps->pfts", time_terms(np.arange(frames)), space_terms(*places.T))
    design = terms.reshape(count, frames, -1)
    design = design - design.mean(axis=1, keepdims=True)
    wanted = tracks - tracks.mean(axis=1, keepdims=True)
    if count * (frames - 1) < 2 * design.shape[2] or count < SPACE:
        return no_local_motion()
    weights = np.broadcast_to(1.0 / np.mean(errors**2, axis=1)[:, None], (count, frames)).copy()
    for _ in range(_ROUNDS):
        coefficients = _solved(design, wanted, weights)
        left = np.sqrt(np.mean((wanted - design @ coefficients) ** 2, axis=(1, 2)))
        # Cauchy weights: a patch without particles wanders anywhere
        weights = np.broadcast_to(1.0 / (1 + (left / (2 * np.median(left) + 1e-9)) ** 2)[:, None], (count, frames))
    unseen = 0.0
    for patch in range(count):
        others = np.arange(count) != patch
        guess = design[patch] @ _solved(design[others], wanted[others], weights[others])
        unseen += float(weights[patch, 0] * np.mean((wanted[patch] - guess) ** 2))
    if unseen >= float((weights[:, 0] * np.mean(wanted**2, axis=(1, 2))).sum()):
        return no_local_motion()
    residual = float(np.sqrt(np.average(left**2, weights=weights[:, 0])))
    return LocalMotion(coefficients, True, residual)


def _solved(
    design: NDArray[np.float64], wanted: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    root = np.sqrt(weights).reshape(-1, 1)
    left = design.reshape(-1, design.shape[2]) * root
    scale = np.sqrt((left**2).mean(axis=0)) + 1e-12
    return np.asarray(np.linalg.lstsq(left / scale, wanted.reshape(-1, 2) * root, rcond=1e-8)[0] / scale[:, None])
