"""Template-free picking: soft discs and rings of several diameters, matched with the same machinery as templates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.picking.grid import band_pass
from engine.picking.templates import TemplateBank, disc_weight, distance_A, window_side_px
from engine.windows import cosine_edge

SURROUND = 1.5
"""A blob is compared with the image out to this many diameters: it must stand out from a clear rim."""


def blob_diameters_A(min_diameter_A: float, max_diameter_A: float, count: int | None = None) -> NDArray[np.float64]:
    """Diameters between two bounds in equal ratios, by default at most 25 % apart.

    Raises
    ------
    ValueError
        If the bounds are not positive and in order.
    """
    if not 0 < min_diameter_A <= max_diameter_A:
        raise ValueError(
            f"The smallest blob diameter ({min_diameter_A:g} Å) must be positive and not larger than the largest "
            f"({max_diameter_A:g} Å)."
        )
    if count is None:
        count = 1 + int(np.ceil(np.log(max_diameter_A / min_diameter_A) / np.log(1.25) - 1e-9))
    return np.geomspace(min_diameter_A, max_diameter_A, max(1, count))


def blob_bank(
    diameter_A: float,
    coarse_pixel_size_A: tuple[float, float],
    low_pass_A: float = 20.0,
    ring: bool = False,
) -> TemplateBank:
    """Build the bank of one diameter: a disc (class 1) and, if asked for, a Gaussian ring (class 2), each at one angle.

    Parameters
    ----------
    diameter_A : diameter of the blob; the comparison reaches SURROUND times as far.
    coarse_pixel_size_A : pixel size of the picking grid along (y, x).
    low_pass_A : resolution kept.
    ring : add a ring of a quarter of the radius (standard deviation) at 0.75 of the radius.

    Notes
    -----
    A disc against its rim is the difference of two local means, which responds as the Laplacian-of-Gaussian detector
    (Lindeberg, Int. J. Comput. Vis. 30, 79, 1998) does, but normalised by the local deviation.
    """
    side = window_side_px(SURROUND * diameter_A, coarse_pixel_size_A)
    distance = distance_A(side, coarse_pixel_size_A)
    radius = 0.5 * diameter_A
    shapes = [cosine_edge(distance - 0.8 * radius, 0.4 * radius)]
    if ring:
        shapes.append(np.exp(-0.5 * ((distance - 0.75 * radius) / (0.25 * radius)) ** 2))
    images = _low_passed(np.stack(shapes), coarse_pixel_size_A, low_pass_A)
    return TemplateBank(
        images=images,
        weight=disc_weight(side, SURROUND * diameter_A, coarse_pixel_size_A),
        class_number=np.arange(1, len(images) + 1, dtype=np.int32),
        psi_deg=np.zeros(len(images), np.float32),
        pixel_size_A=coarse_pixel_size_A,
        low_pass_A=low_pass_A,
    )


def _low_passed(
    images: NDArray[np.float64], pixel_size_A: tuple[float, float], low_pass_A: float
) -> NDArray[np.float32]:
    side = images.shape[-1]
    spectrum = np.fft.rfft2(images) * band_pass((side, side), pixel_size_A, low_pass_A, None)
    return np.fft.irfft2(spectrum, s=(side, side)).astype(np.float32)
