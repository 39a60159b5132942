"""The other hand: mirror images of maps, and the poses that go with them.

Projections do not tell a structure from its mirror image, so a reconstruction may come out with either hand.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.arrays import Array, array_namespace


def flip_hand(volume: Array) -> Array:
    """Mirror a map (..., n, n, n) at the plane z = 0 through its centre ``n // 2``.

    A symmetry axis along z stays there, and the settings of all point groups are kept.

    Raises
    ------
    ValueError
        If it is no map.
    """
    xp = array_namespace(volume)
    if volume.ndim < 3:
        raise ValueError(f"expected a map, got shape {tuple(volume.shape)}")
    mirrored = xp.flip(volume, axis=-3)
    # of an even number of sections the centre is the later of the middle two: bring it back there
    return xp.roll(mirrored, 1, axis=-3) if volume.shape[-3] % 2 == 0 else mirrored


def flip_poses(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Angles (..., 3) rot, tilt, psi from which the mirrored map gives the same projections.

    The matrix A becomes M A M with M = diag(1, 1, -1): rot and psi turn by 180°. Shifts stay as they are.
    """
    angles = np.array(angles_deg, dtype=np.float64)
    angles[..., [0, 2]] += 180.0
    angles[..., [0, 2]] = (angles[..., [0, 2]] + 180.0) % 360.0 - 180.0
    return angles
