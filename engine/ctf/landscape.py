"""The defocus over a micrograph as a landscape for the eye."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.ctf.fit_patch import evaluate_surface


@dataclass(frozen=True)
class Landscape:
    """Local defocus over a micrograph.

    Attributes
    ----------
    height_A : array, shape (n, n)
        Difference from the mean defocus in Å on a regular grid from edge to edge; the first row is that of the file.
    tilt_deg : float
        Tilt of the mean plane.
    """

    height_A: NDArray[np.float32]
    tilt_deg: float


def defocus_landscape(
    surface_A: NDArray[np.floating], shape_px: tuple[int, int], pixel_size_A: float, points: int = 15
) -> Landscape:
    """Evaluate a fitted surface on a grid.

    Parameters
    ----------
    surface_A : array, shape (6,)
        Coefficients in Å of 1, x, y, x², xy, y² with x and y in [-1, 1] from edge to edge.
    shape_px : (int, int)
        Height and width of the micrograph.
    pixel_size_A : float
        Å per pixel.
    points : int
        Points along each side.

    Raises
    ------
    ValueError
        When the surface has not six coefficients.
    """
    surface = np.asarray(surface_A, np.float64)
    if surface.shape != (6,):
        raise ValueError(f"a defocus surface has 6 coefficients; found an array of shape {surface.shape}")
    place = np.linspace(-1.0, 1.0, points)
    height = evaluate_surface(surface, place[None, :], place[:, None])
    slopes = [2.0 * surface[axis] / (side * pixel_size_A) for axis, side in ((1, shape_px[1]), (2, shape_px[0]))]
    return Landscape(height.astype(np.float32), math.degrees(math.atan(math.hypot(*slopes))))
