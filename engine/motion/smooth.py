"""A track smoothed in time, by as much as its own noise allows.

Smoothing spline with generalised cross-validation: Craven & Wahba, Numer Math 31, 377 (1979).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

_LAMBDAS = np.logspace(-4, 5, 46)
_FEWEST = 5


def smooth_track(track: ArrayLike, errors: ArrayLike) -> NDArray[np.float64]:
    """Smooth a track whose points have known relative errors.

    Minimises the weighted squares of the residuals plus lambda times those of the second differences; lambda is that of
    the least generalised cross-validation score, the same for all columns.

    Parameters
    ----------
    track : (f, d) array
    errors : (f,) array
        Standard errors, up to a common factor.

    Returns
    -------
    (f, d) array
        The track itself when it has fewer than 5 points.
    """
    points = np.asarray(track, np.float64)
    count = len(points)
    if count < _FEWEST:
        return points
    sigma = np.asarray(errors, np.float64)
    weight = np.square(np.median(sigma) / sigma)
    root = np.sqrt(weight)
    second = np.diff(np.eye(count), 2, axis=0)
    # in coordinates where the weights are 1, the smoother is diagonal
    values, vectors = np.linalg.eigh((second / root).T @ (second / root))
    coefficients = vectors.T @ (root[:, None] * points)
    shrunk = 1.0 / (1.0 + _LAMBDAS[:, None] * np.maximum(values, 0.0))
    left = ((1.0 - shrunk) ** 2) @ (coefficients**2).sum(axis=1)
    score = left / (1.0 - shrunk.mean(axis=1)) ** 2
    best = shrunk[int(np.argmin(score))]
    return np.asarray((vectors @ (best[:, None] * coefficients)) / root[:, None])
