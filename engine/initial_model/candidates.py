"""Poses that the images of a mini-batch may have, and what each of them weighs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Poses:
    """Candidates of a batch of images, best first.

    Attributes
    ----------
    rotation : (m, c, 3, 3) projection matrices.
    shift_px : (m, c, 2) centring shifts in pixels of the working grid.
    model : (m, c) index of the class.
    score : (m, c) log-likelihood above that of an empty model.
    """

    rotation: NDArray[np.float32]
    shift_px: NDArray[np.float32]
    model: NDArray[np.int64]
    score: NDArray[np.float32]

    def sorted(self, count: int) -> Poses:
        """Return the best `count` candidates of each image."""
        order = np.argsort(-self.score, axis=1, kind="stable")[:, :count]
        rows = np.arange(len(order))[:, None]
        return Poses(
            self.rotation[rows, order], self.shift_px[rows, order], self.model[rows, order], self.score[rows, order]
        )

    def distinct(self, least_deg: float) -> Poses:
        """Give up (score -inf) candidates within an angle of a better one of the same class: they climb one hill."""
        cosine = np.einsum("mcij,mdij->mcd", self.rotation, self.rotation, optimize=True)
        near: NDArray[np.bool_] = cosine > 1.0 + 2.0 * np.cos(np.deg2rad(least_deg))
        near &= self.model[:, :, None] == self.model[:, None, :]
        kept: NDArray[np.bool_] = np.ones(self.score.shape, dtype=bool)
        for slot in range(1, kept.shape[1]):
            kept[:, slot] = ~(near[:, slot, :slot] & kept[:, :slot]).any(axis=1)
        return replace(self, score=np.where(kept, self.score, np.float32(-np.inf)))


def posterior(poses: Poses, heat: float = 1.0) -> NDArray[np.float32]:
    """Weights (m, c) of the candidates of each image; they add up to 1. `heat` below 1 flattens them."""
    shifted = (poses.score - poses.score.max(axis=1, keepdims=True)) * np.float32(heat)
    weight = np.exp(shifted)
    total: Any = weight.sum(axis=1, keepdims=True)
    return (weight / total).astype(np.float32)
