"""Common lines tell projections of one object from those of another."""

from __future__ import annotations

import numpy as np
import pytest

from engine.classification.kinship import common_line_distances, objects_of
from engine.geometry import random_rotations
from engine.simulation.atoms import Atoms
from engine.simulation.phantom import blob, channel_in_nanodisc, empty_nanodisc
from engine.simulation.projection import project_atoms

BOX_PX, PIXEL_A = 48, 4.6


def views(atoms: Atoms, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rotations, shifts_A = random_rotations(4, rng), rng.uniform(-4, 4, (4, 2))
    return project_atoms(atoms, rotations, shifts_A, BOX_PX, PIXEL_A)


@pytest.fixture(scope="module")
def averages() -> np.ndarray:
    """Four views of a channel and four of an empty disc as bright, each out of centre by less than a pixel."""
    images = [views(channel_in_nanodisc(), 1), views(empty_nanodisc(), 2)]
    return np.concatenate([image / image.sum(axis=(1, 2)).mean() for image in images])


def test_views_of_one_object_share_lines_and_those_of_two_do_not(averages: np.ndarray) -> None:
    distance = common_line_distances(averages, PIXEL_A)
    assert np.allclose(distance, distance.T) and not distance.diagonal().any()
    one, other, between = distance[:4, :4], distance[4:, 4:], distance[:4, 4:]
    print(f"one {one.max():.3f}, other {other.max():.3f}, between {between.min():.3f}")
    assert between.mean() > 2 * max(one.mean(), other.mean())


def test_objects_of_different_mass_are_told_apart(averages: np.ndarray) -> None:
    heavier = averages * np.repeat([1.6, 1.0], 4)[:, None, None]
    numbers = objects_of(heavier, PIXEL_A)
    assert len(set(numbers[:4])) == 1 and len(set(numbers[4:])) == 1 and numbers[0] != numbers[4]
    assert objects_of(averages[:1], PIXEL_A).tolist() == [1]


@pytest.mark.parametrize("seeds", [(1, 2), (3, 4)])
def test_compact_objects_of_the_same_mass_and_size_are_told_apart(seeds: tuple[int, int]) -> None:
    images = [views(blob(50.0, np.random.default_rng(seed)), seed) for seed in seeds]
    numbers = objects_of(np.concatenate([i / i.sum(axis=(1, 2)).mean() for i in images]), PIXEL_A)
    assert len(set(numbers[:4])) == 1 and len(set(numbers[4:])) == 1 and numbers[0] != numbers[4]
