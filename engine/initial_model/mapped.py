"""The search for poses of one mini-batch: here, or its images shared among workers.

Nothing of what is found of an image depends on the others of its mini-batch, so shares of it can be searched anywhere.
Their insertion into the sums stays with whoever solves: its order, and with it the last bits, is that of one worker.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array
from engine.geometry import random_rotations
from engine.initial_model.candidates import Poses
from engine.initial_model.grid import WorkingGrid, grid_for
from engine.initial_model.images import ImagePreparer, PreparedImages
from engine.initial_model.options import InitialModelOptions
from engine.initial_model.search import IMAGES_AT_ONCE, climb, search_globally, search_grid, shift_grid
from engine.mapping import MapAdd, Workspace
from engine.reconstruction.fourier_volume import FourierVolume, fourier_volume

PADDING = 2.0
MARGIN = 12.0
_LAST_MARGIN_SHARE = 0.35  # scores at all frequencies leave fewer poses possible than those of the first climb
_APART = 1.25  # steps of the grid: a candidate and its direct neighbours climb the same hill
_KEPT_POSES = 32
_LEAST_SHARED = 2 * IMAGES_AT_ONCE  # with fewer images for each, workers would slice the model for nothing


@dataclass(frozen=True)
class BatchSearch:
    """What all who search a share of a mini-batch need.

    Attributes
    ----------
    options, seed : of the run; `seed` is what images are prepared with.
    models : (classes, b, b, b) on the working grid.
    radius_px : of the coefficients of the working grid.
    resolution_A : working resolution.
    turn_key : seed of the random turn of the grid of poses.
    margin : worse poses by so much log-likelihood are given up.
    """

    options: InitialModelOptions
    seed: int
    models: NDArray[np.float32]
    radius_px: float
    resolution_A: float
    turn_key: tuple[int, ...]
    margin: float


def sliceable(volumes: list[Array], radius_px: float) -> list[FourierVolume]:
    """Transform models for slicing out to a radius."""
    return [fourier_volume(volume, PADDING, radius_px) for volume in volumes]


def make_preparer(workspace: Workspace, options: InitialModelOptions, seed: int) -> ImagePreparer:
    """Return the source of images of a run, kept from one chunk to the next."""
    if "preparer" not in workspace.kept:
        rng = np.random.default_rng([seed, 0])
        workspace.kept["preparer"] = ImagePreparer(
            workspace.particles,
            options.mask_diameter_A,
            options.max_shift_A,
            options.final_resolution_A,
            rng,
            workspace.xp,
        )
    preparer: ImagePreparer = workspace.kept["preparer"]
    return preparer


def grids(
    preparer: ImagePreparer,
    grid: WorkingGrid,
    options: InitialModelOptions,
    radius_px: float,
    rng: np.random.Generator,
) -> tuple[NDArray[np.float32], NDArray[np.float32], float, float]:
    """Rotations and shifts that detail out to a radius asks for, and their steps (degrees, pixels)."""
    step_deg = float(np.rad2deg(preparer.field_A / radius_px / options.mask_diameter_A)) * options.angular_sampling
    most_px = options.max_shift_A / grid.pixel_size_A
    # a quarter of the wavelength keeps the phase error of the best shift below 45 degrees
    step_px = min(0.25 * preparer.field_A / radius_px / grid.pixel_size_A, max(most_px, 0.5))
    rotations = search_grid(step_deg, options.symmetry, random_rotations(1, rng)[0])
    return rotations, shift_grid(most_px, step_px), step_deg, step_px


def search_batch(
    preparer: ImagePreparer,
    grid: WorkingGrid,
    options: InitialModelOptions,
    images: PreparedImages,
    models: list[FourierVolume],
    resolution_A: float,
    rng: np.random.Generator,
    margin: float = MARGIN,
) -> Poses:
    """Best poses of images against models, on a grid turned at random; worse ones by `margin` are given up."""
    disc = grid.disc
    radius = preparer.radius_px(resolution_A)
    coarse = min(preparer.field_A / options.search_resolution_A, radius)
    few, everything = disc.count_within(coarse), disc.count_within(radius)
    rotations, shifts, step_deg, step_px = grids(preparer, grid, options, coarse, rng)
    most = options.candidates * options.classes
    poses = search_globally(images, models, disc, few, rotations, shifts, most)
    poses = poses.sorted(most).distinct(_APART * step_deg)
    middle = round((few * everything) ** 0.5)
    poses = climb(images, models, disc, middle, poses, step_deg / 3, step_px / 2, margin)
    poses = climb(images, models, disc, everything, poses, step_deg / 6, step_px / 4, _LAST_MARGIN_SHARE * margin)
    return poses.sorted(_KEPT_POSES * options.classes)


def search_shared(map_add: MapAdd, search: BatchSearch, parts: list[NDArray[np.intp]]) -> Poses:
    """Search `shares` of a mini-batch on several workers; the same bits as `search_batch` of all of it."""
    [(found, _)] = map_add(_search_share, search, [parts])
    return Poses(*(np.concatenate([getattr(part, item.name) for part in found]) for item in fields(Poses)))


def shares(chosen: NDArray[np.intp], workers: int) -> list[NDArray[np.intp]]:
    """Cut a mini-batch into a share for each worker, between the images that are scored at once."""
    blocks = -(-len(chosen) // IMAGES_AT_ONCE)
    parts = max(1, min(workers, len(chosen) // _LEAST_SHARED))
    edges = [IMAGES_AT_ONCE * (part * blocks // parts) for part in range(parts)] + [len(chosen)]
    return [chosen[low:high] for low, high in pairwise(edges)]


def _search_share(workspace: Workspace, search: BatchSearch, chosen: NDArray[np.intp]) -> tuple[Poses, None]:
    """Search the poses of some images of a mini-batch."""
    preparer = make_preparer(workspace, search.options, search.seed)
    grid = grid_for(preparer.field_px, preparer.field_A, preparer.disc.radius_px, search.radius_px)
    radius, images = preparer.radius_px(search.resolution_A), preparer.prepare(chosen)
    models = sliceable([workspace.xp.asarray(model) for model in search.models], radius)
    rng = np.random.default_rng(search.turn_key)
    return search_batch(preparer, grid, search.options, images, models, search.resolution_A, rng, search.margin), None
