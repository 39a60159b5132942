"""The state of a 2D classification between two iterations: all that a resumed run needs."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy


@dataclass
class ClassificationState:
    """State after an iteration.

    Attributes
    ----------
    iteration, total : int
        Iterations done, and how many there will be.
    box_px, pixel_size_A : int, float
        Sampling of the averages (the particles' field of view, perhaps with fewer pixels).
    averages : array, shape (C, n, n)
        Class averages, masked and regularised.
    fine : array, shape (2, C, n, n)
        Detail of their own that the next iteration compares even and odd particles with; what is coarser is that of
        the averages.
    numerator, denominator : arrays, shape (2, C, K)
        Running sums of even and odd particles.
    noise : array, shape (shells,)
        Noise variance σ² of a Fourier coefficient in each shell.
    shared_shell : int
        Last shell for which even and odd particles share their references: what correlates there may be noise.
    frc, frc_low, snr : arrays, shape (C, shells)
        Even–odd correlation of each class inside the mask, what of it is surely more than chance, and the
        signal-to-noise power of its average.
    weight : array, shape (C,)
        Particles in each class (sums of posterior probability, scaled to the whole set).
    detail : array, shape (C,)
        Log-likelihood gain per particle of the detail finer than 25 Å (see `detail_gain`).
    streak : array, shape (C,)
        Share of that gain along one direction.
    radius_px : float
        Working resolution of the next iteration in Fourier px.
    order, cursor : array (count,), int
        Order in which mini-batches go through the particles, and how far they are.
    class_index : array, shape (count,)
        Class of each particle, from 0; -1 before it was seen.
    psi_deg, shift_A : arrays, shape (count,), (count, 2)
        In-plane angle (rlnAnglePsi) and the shift that centres the image (rlnOriginXAngst, rlnOriginYAngst).
    max_probability, score, effective_classes : arrays, shape (count,)
        Posterior probability of the best pose, its log-likelihood gain, effective number of classes.
    rng_state : str
        State of the random generator as JSON.
    """

    iteration: int
    total: int
    box_px: int
    pixel_size_A: float
    averages: Array
    fine: Array
    numerator: Array
    denominator: Array
    noise: NDArray[np.float64]
    shared_shell: int
    frc: NDArray[np.float64]
    frc_low: NDArray[np.float64]
    snr: NDArray[np.float64]
    weight: NDArray[np.float64]
    detail: NDArray[np.float64]
    streak: NDArray[np.float64]
    radius_px: float
    order: NDArray[np.intp]
    cursor: int
    class_index: NDArray[np.int32]
    psi_deg: NDArray[np.float32]
    shift_A: NDArray[np.float32]
    max_probability: NDArray[np.float32]
    score: NDArray[np.float32]
    effective_classes: NDArray[np.float32]
    rng_state: str

    @property
    def resolution_A(self) -> float:
        """Working resolution of the next iteration in Å."""
        return self.box_px * self.pixel_size_A / self.radius_px

    @property
    def shift_sd_px(self) -> float:
        """Standard deviation of shifts along x and y as found so far, in working px: at least 1, infinite at first."""
        seen = self.class_index >= 0
        if not seen.any():
            return np.inf
        return max(1.0, float(np.sqrt(np.mean(self.shift_A[seen].astype(np.float64) ** 2))) / self.pixel_size_A)

    @property
    def finished(self) -> bool:
        """Whether this was the last iteration."""
        return self.iteration >= self.total

    def to_dict(self) -> dict[str, Any]:
        """Return plain NumPy arrays, numbers and text, for a checkpoint."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {k: v if isinstance(v, int | float | str) else to_numpy(v) for k, v in values.items()}

    @classmethod
    def from_dict(cls, values: dict[str, Any], xp: Any = np) -> ClassificationState:
        """Rebuild a state from `to_dict`, its large arrays in the library ``xp``."""
        plain = dict(values)
        for name, kind in (("iteration", int), ("total", int), ("box_px", int), ("shared_shell", int), ("cursor", int)):
            plain[name] = kind(plain[name])
        plain["pixel_size_A"], plain["radius_px"] = float(plain["pixel_size_A"]), float(plain["radius_px"])
        plain["rng_state"] = str(plain["rng_state"])
        for name in ("averages", "fine", "numerator", "denominator"):
            plain[name] = xp.asarray(plain[name])
        return cls(**plain)
