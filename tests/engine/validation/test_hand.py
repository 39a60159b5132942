"""The mirrored map with the turned poses projects to the same images."""

from __future__ import annotations

import numpy as np
import pytest

from engine.geometry import euler_to_matrix, matrix_to_euler, random_rotations
from engine.simulation.atoms import Atoms
from engine.simulation.phantom import channel
from engine.simulation.projection import density, project_atoms
from engine.validation.hand import flip_hand, flip_poses


@pytest.mark.parametrize("box_px", [48, 49])
def test_the_mirror_image_stays_centred(box_px: int) -> None:
    atoms = channel()
    mirrored = Atoms(atoms.positions_A * np.float32([1, 1, -1]), atoms.species, atoms.form_factors)
    found, expected = flip_hand(density(atoms, box_px, 3.5)), density(mirrored, box_px, 3.5)
    assert np.abs(found - expected).max() < 1e-3 * expected.max()
    assert np.array_equal(flip_hand(found), density(atoms, box_px, 3.5))


def test_the_turned_poses_give_the_same_projections(rng: np.random.Generator) -> None:
    atoms = channel()
    mirrored = Atoms(atoms.positions_A * np.float32([1, 1, -1]), atoms.species, atoms.form_factors)
    angles = matrix_to_euler(random_rotations(4, rng))
    nowhere = np.zeros((4, 2))
    before = project_atoms(atoms, euler_to_matrix(angles), nowhere, 48, 3.5)
    after = project_atoms(mirrored, euler_to_matrix(flip_poses(angles)), nowhere, 48, 3.5)
    assert np.abs(before - after).max() < 1e-3 * before.max()
    assert np.abs(flip_poses(angles)[:, [0, 2]]).max() <= 180.0
