"""Raw frames of a detector: gain, defects."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt

from engine.arrays import Array, array_namespace

FLIPS = ("none", "up_down", "left_right")
_HOT_SIGMA = 6.0
_MOST_BAD = 0.05


def oriented_gain(
    gain: NDArray[np.float32], shape: tuple[int, int], quarter_turns: int = 0, flip: str = "none", divide: bool = False
) -> NDArray[np.float32]:
    """Return the factor on each pixel of the frames; 0 where the detector is dead.

    Parameters
    ----------
    gain : (h, w) array
    shape : (int, int)
        Of the frames. Frames of twice the gain's pixels (super-resolution) share each of them; those of half of them
        (electrons counted in whole pixels) take the mean of four.
    quarter_turns : int
        The gain is turned by so many times 90° first, from the y axis to the x axis as RELION does.
    flip : str
        Then turned over: ``none``, ``up_down`` (rows) or ``left_right`` (columns).
    divide : bool
        The frames are divided by the gain.

    Raises
    ------
    ValueError
        When the sizes do not match, or the gain has negative or no positive values.
    """
    if flip not in FLIPS:
        raise ValueError(f"flip {flip!r} of the gain reference is not known; expected {', '.join(FLIPS)}")
    turned = np.rot90(gain, -quarter_turns)
    if flip != "none":
        turned = turned[::-1] if flip == "up_down" else turned[:, ::-1]
    if (2 * turned.shape[0], 2 * turned.shape[1]) == tuple(shape):
        turned = turned.repeat(2, axis=0).repeat(2, axis=1)
    elif turned.shape == (2 * shape[0], 2 * shape[1]):
        turned = turned.reshape(shape[0], 2, shape[1], 2).mean(axis=(1, 3))
    if turned.shape != tuple(shape):
        hint = "turn it by 90°" if turned.shape == tuple(shape)[::-1] else "give the one recorded with the movies"
        raise ValueError(
            f"the gain reference has {turned.shape[1]} × {turned.shape[0]} px, the frames {shape[1]} × {shape[0]}; "
            f"expected the same: {hint}"
        )
    if turned.min() < 0 or not turned.max() > 0:
        raise ValueError(
            f"the gain reference has values from {turned.min():g} to {turned.max():g}; expected none below 0 and most "
            "above: is it another image?"
        )
    factor = np.zeros(shape, np.float32)
    np.divide(1.0, turned, out=factor, where=turned > 0)
    return np.asarray(factor if divide else np.ascontiguousarray(turned, np.float32))


def bad_pixels(total: NDArray[np.float32], gain: NDArray[np.float32] | None) -> NDArray[np.bool_]:
    """Find pixels (h, w) of the sum of all frames that no electrons made: dead, hot, or without gain.

    Raises
    ------
    ValueError
        When the sum is constant, or a twentieth of the pixels is bad.
    """
    values = total if gain is None else total[gain > 0]
    mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not deviation > 0:
        raise ValueError(f"every pixel of the summed frames is {mean:g}; expected an image: leave this movie out")
    # once more without the worst: one pixel of a million counts hides the others
    inside = values[np.abs(values - mean) < 4 * deviation]
    mean, deviation = float(inside.mean(dtype=np.float64)), float(inside.std(dtype=np.float64))
    bad = np.abs(total - mean) > _HOT_SIGMA * max(deviation, 1e-12)
    if gain is not None:
        bad |= gain <= 0
    if bad.mean() > _MOST_BAD:
        raise ValueError(
            f"{100 * bad.mean():.0f} % of the pixels are dead or hot; expected few: is the gain reference right, and "
            "turned as the movies are?"
        )
    return np.asarray(bad)


def neighbours_of(bad: NDArray[np.bool_]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return for each bad pixel its place and that of the nearest good one, as indices into the flat image."""
    places = np.flatnonzero(bad)
    if not places.size:
        return places, places
    rows, columns = distance_transform_edt(bad, return_distances=False, return_indices=True)
    return places, (rows * bad.shape[1] + columns).ravel()[places]


def mended(frame: Array, gain: Array | None, places: Array, sources: Array) -> Array:
    """Return a frame (h, w) float32 with its gain, bad pixels replaced by their neighbours."""
    xp = array_namespace(frame)
    image = xp.astype(frame, xp.float32)
    if gain is not None:
        image *= gain
    flat = xp.reshape(image, (-1,))
    flat[places] = flat[sources]
    return xp.reshape(flat, frame.shape)
