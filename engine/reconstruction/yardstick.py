"""What a map is worth: against the truth, and against the best that its particles could have given."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from engine.alignment.align import align_maps, map_fsc_to_truth
from engine.alignment.rigid import mirror_volume, transform_volume
from engine.geometry import euler_to_matrix
from engine.particles import Particles
from engine.reconstruction.from_poses import reconstruct_from_poses


def map_figures(
    volume: NDArray[np.floating],
    truth: NDArray[np.floating],
    mask: NDArray[np.floating],
    pixel_size_A: float,
    symmetry: str,
    particles: Particles,
    angles_deg: ArrayLike,
    shifts_A: ArrayLike,
) -> dict[str, Any]:
    """Compare a map with the truth and with a reconstruction from true poses, all inside one mask.

    Parameters
    ----------
    volume, truth : (n, n, n)
        The map, in any orientation and either hand, and the truth on the same grid.
    mask : (n, n, n)
        Soft mask in the map's frame; it is brought onto the truth together with the map.
    pixel_size_A : float
    symmetry : str
        Point group of the truth.
    particles : Particles
        Images whose true poses are known.
    angles_deg, shifts_A : (count, 3) and (count, 2)
        Their true rot, tilt, psi and centring shifts x, y.

    Returns
    -------
    dict
        ``resolution_05_A``: FSC 0.5 of the map with the truth; ``true_poses_05_A``: the same for the map from
        true poses; ``hand_flipped``; ``correlation``.
    """
    found = align_maps(volume, truth, pixel_size_A, symmetry)
    turned = mirror_volume(mask) if found.hand_flipped else mask
    turned = np.clip(transform_volume(turned, found.rotation, found.shift_A / pixel_size_A, order=1), 0, 1)
    compared = map_fsc_to_truth(found.aligned, truth, pixel_size_A, symmetry, turned, align=False)
    best = reconstruct_from_poses(particles, euler_to_matrix(angles_deg), shifts_A, symmetry)
    yardstick = map_fsc_to_truth(best, truth, pixel_size_A, symmetry, turned, align=False)
    return {
        "resolution_05_A": compared["resolution_05_A"],
        "true_poses_05_A": yardstick["resolution_05_A"],
        "hand_flipped": found.hand_flipped,
        "correlation": compared["correlation"],
    }
