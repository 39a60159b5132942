"""The embedded channel is what it says: size, symmetry, handedness, and a belt about it."""

from __future__ import annotations

import numpy as np

from engine.fourier.shells import fourier_shell_correlation, resolution_at
from engine.simulation.atoms import Atoms
from engine.simulation.phantom import blob, channel, channel_in_nanodisc, empty_nanodisc, nanodisc_belt
from engine.simulation.projection import density


def test_the_channel_has_the_size_of_an_innexin() -> None:
    positions = channel().positions_A
    radius = np.hypot(positions[:, 0], positions[:, 1])
    height = np.ptp(positions[:, 2])
    print(f"{len(positions)} atoms, {height:.1f} Å high, {2 * radius.max():.1f} Å across, pore {radius.min():.1f} Å")
    assert 114 < height < 120
    assert 109 < 2 * radius.max() < 118
    assert radius.min() > 5  # the pore is open
    assert 15_000 < len(positions) < 30_000


def test_channel_and_belt_are_c8_and_the_channel_is_not_c16() -> None:
    volume = density(channel_in_nanodisc(), 48, 4.0)
    for turns, least, most in ((1 / 8, 0.9999, 1.0), (1 / 16, -1.0, 0.9)):
        angle = 2 * np.pi * turns
        c, s = np.cos(angle), np.sin(angle)
        turned = density(channel_in_nanodisc().moved(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])), 48, 4.0)
        correlation = np.corrcoef(volume.ravel(), turned.ravel())[0, 1]
        assert least <= round(float(correlation), 6) <= most


def test_the_mirror_image_differs_from_10_A_on() -> None:
    """Hand is defined: no rotation about z makes the mirrored channel fit as well as itself."""
    atoms = channel()
    volume = density(atoms, 48, 3.0)
    best = 1e9
    for angle in np.deg2rad(np.arange(0, 45, 3.0)):
        c, s = np.cos(angle), np.sin(angle)
        mirrored = Atoms(atoms.positions_A * np.float32([1, -1, 1]), atoms.species, atoms.form_factors)
        other = density(mirrored.moved(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1.0]])), 48, 3.0)
        best = min(best, resolution_at(fourier_shell_correlation(volume, other), 48, 3.0, 0.5))
    print(f"best mirrored fit: FSC 0.5 at {best:.1f} Å")
    assert best > 10.0


def test_the_belt_surrounds_the_protein_in_the_membrane() -> None:
    belt = nanodisc_belt().positions_A
    assert np.hypot(belt[:, 0], belt[:, 1]).min() > 44
    assert np.ptp(belt[:, 2]) < 42
    assert 2 * np.hypot(belt[:, 0], belt[:, 1]).max() < 160
    assert channel_in_nanodisc().count == channel().count + nanodisc_belt().count


def test_an_empty_nanodisc_is_a_disc(rng: np.random.Generator) -> None:
    positions = empty_nanodisc().positions_A
    assert np.abs(positions.mean(axis=0)).max() < 1.0
    assert np.hypot(positions[:, 0], positions[:, 1]).min() < 6
    assert blob(50.0, rng).count > 50
