"""FSC in cones: whether a map is as good in every direction.

Tan et al., Nat Methods 14, 793-796 (2017); the ratio of the areas under the worst and the best cone's curve is the
figure for which Punjani & coworkers (cryoSPARC's orientation diagnostics) use the name cFAR.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.fourier.grids import radial_frequency_px, rfft_frequencies_px, shell_index
from engine.fourier.shells import resolution_at
from engine.fourier.transforms import rfft3
from engine.validation.comparison import check_cubes
from engine.validation.orientation import even_directions


@dataclass(frozen=True)
class ConicalFSC:
    """FSC curves of cones about many axes.

    Attributes
    ----------
    directions : (m, 3) array
        Axes as unit vectors x, y, z, on half a sphere: a cone and its opposite are one.
    curves : (m, n // 2 + 1) array
    resolutions_A : (m,) array
        Where each curve first drops below 0.143.
    """

    directions: NDArray[np.float32]
    curves: NDArray[np.float64]
    resolutions_A: NDArray[np.float64]

    @property
    def areas(self) -> NDArray[np.float64]:
        """Mean of each curve, negative values counted as 0."""
        return np.asarray(np.clip(self.curves, 0.0, 1.0).mean(axis=1))

    @property
    def area_ratio(self) -> float:
        """Area under the worst cone's curve over that of the best: 1 for a map that is alike in all directions."""
        return float(self.areas.min() / max(float(self.areas.max()), 1e-12))


def conical_fsc(
    half_a: Array,
    half_b: Array,
    pixel_size_A: float,
    mask: NDArray[np.floating] | None = None,
    half_angle_deg: float = 20.0,
    directions: int = 64,
) -> ConicalFSC:
    """Compare two half maps in cones of Fourier space.

    Parameters
    ----------
    half_a, half_b : (n, n, n) arrays
    pixel_size_A : float
    mask : (n, n, n) array, optional
        Put on both first.
    half_angle_deg : float
        From the axis of a cone to its side.
    directions : int
        Number of cones, evenly spread over half a sphere.

    Raises
    ------
    ValueError
        If the shapes differ, or the angle is not between 0 and 90°.
    """
    check_cubes(half_a, half_b, *([] if mask is None else [mask]))
    if not 0 < half_angle_deg <= 90:
        raise ValueError(f"the cone's half angle is {half_angle_deg}°; expected more than 0 and at most 90")
    n = int(half_a.shape[0])
    products, unit, shells = _inside_sphere(half_a, half_b, mask)
    axes = even_directions(directions)
    limit = np.float32(np.cos(np.deg2rad(half_angle_deg)))
    curves = np.stack([_curve(products, shells, np.abs(unit @ axis) >= limit, n // 2 + 1) for axis in axes])
    found = np.array([resolution_at(curve, n, pixel_size_A) for curve in curves])
    return ConicalFSC(axes, curves, found)


def _inside_sphere(
    half_a: Array, half_b: Array, mask: NDArray[np.floating] | None
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.intp]]:
    """Products Re a b*, |a|², |b|² (3, m), directions (m, 3) and shells (m,) of coefficients to the Nyquist limit."""
    window = 1.0 if mask is None else np.asarray(mask, np.float32)
    halves = [np.asarray(to_numpy(half), np.float32) * window for half in (half_a, half_b)]
    shape = (halves[0].shape[0],) * 3
    shells, radius = shell_index(shape), radial_frequency_px(shape)
    kept = (shells <= shape[0] // 2) & (shells > 0)
    a, b = (np.asarray(rfft3(half))[kept] for half in halves)
    products = np.stack([(a * b.conj()).real, np.abs(a) ** 2, np.abs(b) ** 2]).astype(np.float32)
    z, y, x = (np.broadcast_to(k, shells.shape)[kept] for k in rfft_frequencies_px(shape))
    unit = np.stack([x, y, z], axis=1) / radius[kept][:, None]
    return products, unit.astype(np.float32), shells[kept].astype(np.intp)


def _curve(
    products: NDArray[np.float32], shells: NDArray[np.intp], inside: NDArray[np.bool_], count: int
) -> NDArray[np.float64]:
    index = shells[inside]
    cross, power_a, power_b = (np.bincount(index, each[inside], minlength=count) for each in products)
    norm = np.sqrt(power_a * power_b)
    # the innermost shells of a narrow cone may hold nothing: there the halves are taken to agree
    curve = np.where(norm > 0, cross / np.where(norm > 0, norm, 1.0), 1.0)
    curve[0] = 1.0
    return np.asarray(curve, np.float64)
