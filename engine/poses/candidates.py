"""Images as scoring needs them, candidate poses of theirs, and one level of subdivision."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, array_namespace
from engine.fourier.disc import HalfDisc


@dataclass(frozen=True)
class Images:
    """What scoring needs of some images.

    Attributes
    ----------
    weighted : (m, K) complex64
        ``CTF · x / P``, P the power of the noise.
    ctf2 : (m, K) float32
        ``CTF² / P``.
    disc : HalfDisc
    """

    weighted: Array
    ctf2: Array
    disc: HalfDisc

    def take(self, indices: NDArray[np.intp]) -> Images:
        """Return some of the images."""
        where = array_namespace(self.weighted).asarray(indices)
        return Images(self.weighted[where], self.ctf2[where], self.disc)


@dataclass(frozen=True)
class Candidates:
    """The best poses of each image, best first.

    Attributes
    ----------
    rotations : (m, T, 3, 3) float64
    shifts_px : (m, T, 2) float32
    score : (m, T) float64
        Log-likelihood up to a constant of the image; -inf where there is no candidate.
    scale : (m, T) float64
        Factor on the reference that would fit the image best in this pose.
    """

    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float32]
    score: NDArray[np.float64]
    scale: NDArray[np.float64]

    def take(self, indices: NDArray[np.intp]) -> Candidates:
        """Return those of some images."""
        return Candidates(self.rotations[indices], self.shifts_px[indices], self.score[indices], self.scale[indices])

    def best(self, count: int) -> Candidates:
        """Return the first ``count`` of each image."""
        return Candidates(
            self.rotations[:, :count], self.shifts_px[:, :count], self.score[:, :count], self.scale[:, :count]
        )

    def posterior(self) -> NDArray[np.float64]:
        """Return weights (m, T) that add up to 1 for each image."""
        weight = np.exp(self.score - self.score[:, :1])
        return np.asarray(weight / weight.sum(axis=1, keepdims=True))

    @classmethod
    def stacked(cls, parts: Sequence[Candidates]) -> Candidates:
        """Return those of all images of all parts; images with fewer candidates get more of score -inf."""
        most = max(part.score.shape[1] for part in parts)
        padded = [part.take_padded(most) for part in parts]
        return cls(
            np.concatenate([part.rotations for part in padded]),
            np.concatenate([part.shifts_px for part in padded]),
            np.concatenate([part.score for part in padded]),
            np.concatenate([part.scale for part in padded]),
        )

    def take_padded(self, count: int) -> Candidates:
        """Return ``count`` of each image; those that are missing repeat the last one with score -inf."""
        have = self.score.shape[1]
        slots = np.minimum(np.arange(count), have - 1)
        score = np.where(np.arange(count) < have, self.score[:, slots], -np.inf)
        return Candidates(self.rotations[:, slots], self.shifts_px[:, slots], score, self.scale[:, slots])

    def joined(self, others: Candidates) -> Candidates:
        """Return these and other candidates of the same images, best first."""
        score = np.concatenate([self.score, others.score], axis=1)
        order = np.argsort(-score, axis=1, kind="stable")
        rows = np.arange(len(order))[:, None]
        return Candidates(
            np.concatenate([self.rotations, others.rotations], axis=1)[rows, order],
            np.concatenate([self.shifts_px, others.shifts_px], axis=1)[rows, order],
            score[rows, order],
            np.concatenate([self.scale, others.scale], axis=1)[rows, order],
        )


@dataclass(frozen=True)
class Level:
    """One level of subdivision.

    Attributes
    ----------
    radius_px : float
        Working radius.
    rotations : (O, 3, 3)
        Rotations tried about each candidate.
    shifts_px : (S, 2)
        Shifts tried about each candidate.
    keep : int
        Candidates handed to the next level.
    """

    radius_px: float
    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float32]
    keep: int
