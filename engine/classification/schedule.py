"""The schedule of a classification: mini-batches, forgetting, annealing and working resolution."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.classification.options import ClassificationOptions

_RAMP = 0.75
_MARGIN_SHELLS = 3


@dataclass(frozen=True)
class Schedule:
    """What each iteration (from 0) does.

    Attributes
    ----------
    count, batch : int
        Particles, and particles in a mini-batch.
    online, total : int
        Iterations on mini-batches, and all iterations.
    start_radius_px, end_radius_px : float
        Working resolution at the start and at most, in Fourier px.
    uncertainty : float
        Factor on the noise variance at the start.
    """

    count: int
    batch: int
    online: int
    total: int
    start_radius_px: float
    end_radius_px: float
    uncertainty: float

    def is_full(self, iteration: int) -> bool:
        """Whether the iteration takes all particles."""
        return iteration >= self.online or self.batch >= self.count

    def gain(self, iteration: int) -> float:
        """Weight of the new batch against the running sums (Cappé & Moulines 2009, eq. 4)."""
        return 1.0 if self.is_full(iteration) else float((iteration + 1) ** -0.6)

    def temperature(self, iteration: int) -> float:
        """Factor on the noise variance: falls to 1 over the first three quarters."""
        progress = min(1.0, iteration / max(1.0, _RAMP * self.online))
        return self.uncertainty ** (1.0 - progress)

    def radius_limit(self, iteration: int) -> float:
        """Largest working radius: grows evenly over the first three quarters."""
        progress = min(1.0, iteration / max(1.0, _RAMP * self.online))
        return self.start_radius_px + progress * (self.end_radius_px - self.start_radius_px)

    def radius(self, iteration: int, supported_px: float) -> float:
        """Working radius: a few shells beyond what the averages support, within the limit."""
        return float(min(self.radius_limit(iteration), max(self.start_radius_px, supported_px + _MARGIN_SHELLS)))

    def may_reseed(self, iteration: int) -> bool:
        """Whether an empty class may still be filled anew."""
        return 1 <= iteration < _RAMP * self.online


def make_schedule(count: int, options: ClassificationOptions, start_radius_px: float, end_radius_px: float) -> Schedule:
    """Choose mini-batches when there are many more particles than one batch, else all particles every time."""
    batch = options.batch_per_class * options.classes
    if batch > 0.6 * count:
        batch = count
    total = options.iterations + options.full_iterations
    return Schedule(
        count,
        batch,
        options.iterations,
        total,
        min(start_radius_px, end_radius_px),
        end_radius_px,
        options.uncertainty_factor,
    )


def supported_radius(frc: NDArray[np.floating], weight: NDArray[np.floating], threshold: float = 0.3) -> float:
    """Return the shell to which the better-known half of the particles' classes correlate between halves."""
    below = frc[:, 1:] < threshold
    first = np.where(below.any(axis=1), below.argmax(axis=1), frc.shape[1] - 1)
    order = np.argsort(first, kind="stable")[::-1]
    share = np.cumsum(weight[order]) / max(float(weight.sum()), 1e-12)
    return float(first[order][int(np.searchsorted(share, 0.3))])
