"""What a 2D classification maps over blocks of particles: the probable poses of each, and sums of aligned images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, on, to_numpy
from engine.classification.expectation import Poses, expect
from engine.classification.library import Library, Priors, make_library
from engine.classification.maximisation import Sums, add_block
from engine.classification.options import ClassificationOptions
from engine.classification.seeding import split_largest
from engine.classification.setup import DiscImages, chunks, make_sampling
from engine.mapping import Workspace

BLOCK = 2048


@dataclass(frozen=True)
class PassInput:
    """What all blocks of an iteration share.

    Attributes
    ----------
    iteration : int
    options : ClassificationOptions
    averages : array, shape (C, n, n)
        References of both halves, out to where they share them.
    fine : array, shape (2, C, n, n)
        Those of each half beyond.
    precision : float32 array, shape (K,)
        ``1 / σ²`` of each coefficient.
    weight : array, shape (C,)
        Particles in each class after the last iteration.
    count : int
        Coefficients that are compared.
    summed : int or None
        Coefficients that are summed; None for all.
    reseed : bool
        Whether empty classes take half of a large one.
    shift_sd_px : float
        Standard deviation of shifts along x and y in working px.
    """

    iteration: int
    options: ClassificationOptions
    averages: Array
    fine: Array
    precision: NDArray[np.float32]
    weight: NDArray[np.float64]
    count: int
    summed: int | None
    reseed: bool
    shift_sd_px: float


@dataclass(frozen=True)
class Found:
    """What became of particles.

    Attributes
    ----------
    indices : (m,) particles.
    assigned : dict of arrays of m rows, named as in `ClassificationState`.
    weight : (C,) how many of them each class took.
    power : (K,) summed squared modulus of their coefficients.
    """

    indices: NDArray[np.intp]
    assigned: dict[str, NDArray[Any]]
    weight: NDArray[np.float64]
    power: NDArray[np.float64]


def block_chunk(workspace: Workspace, shared: PassInput, chunk: tuple[int, NDArray[np.intp]]) -> tuple[Found, Sums]:
    """Compare some even or odd particles with their references and add them up, block after block."""
    half, indices = chunk
    images = images_of(workspace, shared.options)
    sampling, xp, options = images.sampling, workspace.xp, shared.options
    library = _library(workspace, shared, images, half)
    sums = Sums.zeros(options.classes, len(sampling.disc), xp)
    weight, power, assigned = np.zeros(options.classes), np.zeros(len(sampling.disc)), []
    for block in chunks(indices, BLOCK):
        x, ctf = images.block(block)
        poses = expect(x, ctf, library, sampling, options.marginalise)
        assigned.append(_best(poses, images))
        if shared.reseed:
            split_largest(poses, shared.weight)
        add_block(sums, x, ctf, poses, block, images.particles, sampling, shared.summed)
        weight += np.bincount(poses.classes.ravel(), poses.weight.ravel(), options.classes)
        power += to_numpy(xp.sum(xp.real(x) ** 2 + xp.imag(x) ** 2, axis=0))
    joined = {name: np.concatenate([part[name] for part in assigned]) for name in assigned[0]}
    return Found(indices, joined, weight, power), sums


def images_of(workspace: Workspace, options: ClassificationOptions) -> DiscImages:
    """Return the images of a worker on the classification's sampling."""
    if "images" not in workspace.kept:
        sampling = make_sampling(workspace.particles, options, workspace.xp)
        workspace.kept["images"] = DiscImages(workspace.particles, sampling, workspace.workers)
    images: DiscImages = workspace.kept["images"]
    return images


def _library(workspace: Workspace, shared: PassInput, images: DiscImages, half: int) -> Library:
    """Return the turned references of a half; blocks of one half mostly come one after the other."""
    which = (shared.iteration, half)
    if workspace.kept.get("library", (None,))[0] != which:
        workspace.kept.pop("library", None)
        xp = workspace.xp
        references = on(xp, shared.averages), on(xp, shared.fine)[half]
        priors = Priors(shared.shift_sd_px, shared.weight)
        library = make_library(*references, xp.asarray(shared.precision), images.sampling, shared.count, priors)
        workspace.kept["library"] = which, library
    found: Library = workspace.kept["library"][1]
    return found


def _best(poses: Poses, images: DiscImages) -> dict[str, NDArray[Any]]:
    """Return the best pose of each image of a block."""
    return {
        "class_index": poses.classes[:, 0],
        "psi_deg": images.sampling.rotation.angles_deg[poses.angle[:, 0]],
        "shift_A": poses.shift_px[:, 0] * images.sampling.pixel_size_A,
        "max_probability": poses.probability,
        "score": poses.score,
        "effective_classes": poses.effective_classes,
    }
