"""Defocus at a particle's position from a micrograph's surface."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.ctf.fit_patch import evaluate_surface
from engine.optics import Defocus


def local_defocus(
    mean: Defocus,
    surface_A: NDArray[Any],
    positions_px: NDArray[Any],
    shape_px: tuple[int, int],
) -> Defocus:
    """Defocus of every particle of one micrograph.

    Parameters
    ----------
    mean : defocus of the micrograph (numbers).
    surface_A : (6,) coefficients in Å of 1, x, y, x², xy, y², added to both axes of the defocus.
    positions_px : (m, 2) x, y.
    shape_px : (height, width): x and y are 0 at its centre and ±1 at its edges.

    Returns
    -------
    Defocus with fields of shape (m,).
    """
    positions = np.asarray(positions_px, dtype=np.float64).reshape(-1, 2)
    height, width = shape_px
    x, y = (2.0 * positions[:, axis] / side - 1.0 for axis, side in ((0, width), (1, height)))
    added = evaluate_surface(np.asarray(surface_A, dtype=np.float64), x, y)
    one = np.ones(len(positions))
    return Defocus(
        float(mean.u_A) * one + added,
        float(mean.v_A) * one + added,
        float(mean.angle_deg) * one,
        float(mean.phase_shift_deg) * one,
    )
