"""First references, first noise, and new life for empty classes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.classification.averages import masked_images
from engine.classification.correlation import shell_mean
from engine.classification.expectation import Poses
from engine.classification.options import ClassificationOptions
from engine.classification.setup import DiscImages, chunks

_LARGEST_SUBSET = 30
_FOR_NOISE = 1000
_EMPTY_SHARE = 0.1


def first_noise(images: DiscImages, order: NDArray[np.intp]) -> NDArray[np.float64]:
    """Return the mean power per shell of up to 1,000 images: nearly all of it is noise."""
    chosen = np.sort(order[:_FOR_NOISE])
    power = np.zeros(len(images.sampling.disc))
    for part in chunks(chosen, 256):
        x, _ = images.block(part)
        power += np.sum(np.abs(to_numpy(x)) ** 2, axis=0, dtype=np.float64)
    noise = shell_mean(images.sampling.disc, power[None] / len(chosen))[0]
    noise[0] = noise[1]
    if not np.all(noise > 0):
        raise ValueError("The particle images are empty (no variation in some Fourier shell): extract them again.")
    return noise


def first_averages(
    images: DiscImages,
    options: ClassificationOptions,
    radius_px: float,
    order: NDArray[np.intp],
    rng: np.random.Generator,
) -> Array:
    """Return low-resolution averages ``(C, n, n)`` of small random subsets, unaligned: each a different start."""
    sampling, xp = images.sampling, images.sampling.xp
    size = int(np.clip(images.particles.count // options.classes, 1, _LARGEST_SUBSET))
    keep = xp.asarray((sampling.disc.radius <= radius_px).astype(np.float32))
    seeds = []
    for _ in range(options.classes):
        chosen = np.sort(rng.choice(images.particles.count, size, replace=False))
        x, ctf = images.block(chosen)
        level = xp.sum(ctf * ctf, axis=0)
        seeds.append(keep * xp.sum(ctf * x, axis=0) / (level + 0.3 * size))
    return masked_images(xp.stack(seeds), sampling)


def torn(weight: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Tell which classes hold even or odd particles alone, far beyond chance.

    References of their own may draw even particles of a view to one class and odd ones to another; neither then has
    an average that the other half confirms.

    Parameters
    ----------
    weight : array, shape (2, C)
        Even and odd particles of the batch in each class.
    """
    total, difference = weight.sum(axis=0), np.abs(weight[0] - weight[1])
    return (difference > 2.5 * np.sqrt(total)) & (weight.min(axis=0) < 0.25 * weight.max(axis=0))


def split_largest(poses: Poses, weight: NDArray[np.float64]) -> None:
    """Give each empty class the worse-explained half of a large class (in place).

    Parameters
    ----------
    poses : Poses
        Poses of a block of images; classes of some are changed.
    weight : array, shape (C,)
        Particles in each class after the last iteration.
    """
    expected = weight.sum() / len(weight)
    empty = np.flatnonzero(weight < max(_EMPTY_SHARE * expected, 1.0))
    large = np.argsort(-weight, kind="stable")
    for new, donor in zip(empty, large, strict=False):
        if weight[donor] < 4 or donor in empty:
            return
        members = np.flatnonzero(poses.classes[:, 0] == donor)
        if len(members) < 2:
            continue
        worse = members[poses.score[members] <= np.median(poses.score[members])]
        mine = poses.classes[worse] == donor
        poses.classes[worse] = np.where(mine, new, poses.classes[worse])
