"""Grids of rising fineness for models and sums of the ab-initio search."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.fourier.disc import HalfDisc
from engine.reconstruction.accumulator import Accumulator

_STEP = 1.3
_LEAST_RADIUS_PX = 4.0


@dataclass(frozen=True)
class WorkingGrid:
    """The grid of models at some working resolution: the coarser the detail, the fewer voxels.

    Attributes
    ----------
    box_px, pixel_size_A : one and a quarter times finer than the detail needs, so that trilinear interpolation has
        smooth ground to stand on.
    disc : the coefficients; those of a coarser grid are a prefix of those of a finer one.
    """

    box_px: int
    pixel_size_A: float
    disc: HalfDisc

    @classmethod
    def within(cls, field_px: int, field_A: float, radius_px: float) -> WorkingGrid:
        """Return the grid of a window of `field_px` (`field_A` wide) for detail out to `radius_px` cycles in it."""
        box_px = min(field_px, 2 * int(np.ceil(1.25 * radius_px)))
        return cls(box_px, field_A / box_px, HalfDisc(box_px, radius_px))


def grid_for(field_px: int, field_A: float, finest_px: float, radius_px: float) -> WorkingGrid:
    """Return the coarsest that holds `radius_px` of a few grids, the last of which holds `finest_px`."""
    steps = int(np.floor(np.log(finest_px / radius_px) / np.log(_STEP) + 1e-6))
    return WorkingGrid.within(field_px, field_A, max(finest_px / _STEP**steps, min(finest_px, _LEAST_RADIUS_PX)))


def embedded(old: Accumulator, new: Accumulator) -> Accumulator:
    """Put the sums of a coarser grid into the middle of a finer one's: voxels are the same steps of frequency."""
    reach = min(old.radius, new.radius)
    source, target = (slice(r - reach, r + reach + 1) for r in (old.radius, new.radius))
    along = slice(0, reach + 1)
    new.numerator[target, target, along] = old.numerator[source, source, along]
    new.denominator[target, target, along] = old.denominator[source, source, along]
    return new
