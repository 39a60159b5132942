"""Template-free picking: round shapes of several diameters, matched with the same machinery as templates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.picking.grid import band_pass
from engine.picking.templates import COMPARED_DIAMETERS, TemplateBank, disc_weight, distance_A, window_side_px
from engine.windows import cosine_edge

BLOB_STEP = 1.12
"""Ratio of neighbouring diameters."""

SMALLEST_BLOB, LARGEST_BLOB = 0.6, 1.1
"""Diameters of blobs in particle diameters: a particle is seldom as wide as the circle that holds all its views."""

DISC_DIAMETERS = (0.85, 0.95, 1.05)
"""Diameters of flat discs in particle diameters."""

_RIM_A = 8.0


def blob_diameters_A(min_diameter_A: float, max_diameter_A: float, count: int | None = None) -> NDArray[np.float64]:
    """Diameters between two bounds in equal ratios, by default at most BLOB_STEP apart.

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
        count = 1 + int(np.ceil(np.log(max_diameter_A / min_diameter_A) / np.log(BLOB_STEP) - 1e-9))
    return np.geomspace(min_diameter_A, max_diameter_A, max(1, count))


def blob_bank(
    diameters_A: NDArray[np.floating],
    particle_diameter_A: float,
    coarse_pixel_size_A: tuple[float, float],
    low_pass_A: float = 20.0,
    rings: bool = False,
) -> TemplateBank:
    """Build a bank of round shapes, each at one angle.

    Parameters
    ----------
    diameters_A : diameters of the domes (class 1); flat discs of DISC_DIAMETERS follow (class 2).
    particle_diameter_A : the comparison reaches COMPARED_DIAMETERS times as far for all of them, so that their scores
        are comparable.
    coarse_pixel_size_A : pixel size of the picking grid along (y, x).
    low_pass_A : resolution kept.
    rings : add rings of the diameters of the domes (class 3).

    Notes
    -----
    With the CTF of the micrograph on them, a few round shapes find compact and flat particles alike, and because they
    look the same at every angle, noise imitates them less often than it does templates at all angles.
    """
    side = window_side_px(particle_diameter_A, coarse_pixel_size_A)
    distance = distance_A(side, coarse_pixel_size_A)
    drawn = [(1, _dome(distance, float(d))) for d in diameters_A]
    drawn += [(2, _disc(distance, share * particle_diameter_A)) for share in DISC_DIAMETERS]
    drawn += [(3, _ring(distance, float(d))) for d in diameters_A] * rings
    return TemplateBank(
        images=_low_passed(np.stack([image for _, image in drawn]), coarse_pixel_size_A, low_pass_A),
        weight=disc_weight(side, COMPARED_DIAMETERS * particle_diameter_A, coarse_pixel_size_A),
        class_number=np.array([number for number, _ in drawn], dtype=np.int32),
        psi_deg=np.zeros(len(drawn), np.float32),
        pixel_size_A=coarse_pixel_size_A,
        low_pass_A=low_pass_A,
    )


def round_bank(diameter_A: float, coarse_pixel_size_A: tuple[float, float], low_pass_A: float = 20.0) -> TemplateBank:
    """Blobs of all sizes that a particle of `diameter_A` may show, to stand beside templates.

    A few class averages do not show all there is: a view that none of them has, or an empty nanodisc from above, is
    faint and looks like none of them.
    """
    diameters = blob_diameters_A(SMALLEST_BLOB * diameter_A, LARGEST_BLOB * diameter_A)
    return blob_bank(diameters, diameter_A, coarse_pixel_size_A, low_pass_A)


def _dome(distance: NDArray[np.floating], diameter_A: float) -> NDArray[np.float64]:
    """Parabola that ends at the diameter: a compact particle is thickest in its middle."""
    return np.maximum(1.0 - np.square(np.asarray(distance, np.float64) / (0.5 * diameter_A)), 0.0)


def _disc(distance: NDArray[np.floating], diameter_A: float) -> NDArray[np.float64]:
    """Disc of even thickness with a sharp rim: a flat particle, or an empty nanodisc seen from above."""
    return np.asarray(cosine_edge(distance - 0.5 * (diameter_A - _RIM_A), _RIM_A), np.float64)


def _ring(distance: NDArray[np.floating], diameter_A: float) -> NDArray[np.float64]:
    """Gaussian ring of a quarter of the radius (standard deviation) at 0.75 of the radius."""
    radius = 0.5 * diameter_A
    return np.exp(-0.5 * np.square((np.asarray(distance, np.float64) - 0.75 * radius) / (0.25 * radius)))


def _low_passed(
    images: NDArray[np.float64], pixel_size_A: tuple[float, float], low_pass_A: float
) -> NDArray[np.float32]:
    side = images.shape[-1]
    spectrum = np.fft.rfft2(images) * band_pass((side, side), pixel_size_A, low_pass_A, None)
    return np.fft.irfft2(spectrum, s=(side, side)).astype(np.float32)
