"""Projections and densities against the plain sum of every atom's Gaussians, and against each other."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import affine_transform

from engine.geometry import euler_to_matrix, random_rotations
from engine.kernels.splat import splat_2d, splat_2d_reference
from engine.simulation.atoms import Atoms, join
from engine.simulation.phantom import channel, channel_in_nanodisc
from engine.simulation.projection import density, project_atoms
from engine.simulation.scattering import VOLT_A2_PER_A, FormFactor, element, ice_potential_V


def _plain_projection(atoms: Atoms, box_px: int, pixel_size_A: float) -> np.ndarray:
    """Analytic projected potential, sampled at the pixels: every atom, every Gaussian."""
    axis = (np.arange(box_px) - box_px // 2) * pixel_size_A
    image = np.zeros((box_px, box_px))
    for (x, y, _), s in zip(atoms.positions_A.astype(float), atoms.species, strict=True):
        r2 = (axis[None, :] - x) ** 2 + (axis[:, None] - y) ** 2
        f = atoms.form_factors[s]
        for a, b in zip(f.amplitudes_A, f.widths_A2, strict=True):
            image += VOLT_A2_PER_A * a * 4 * np.pi / b * np.exp(-4 * np.pi**2 * r2 / b)
    return image


def _few_atoms(rng: np.random.Generator, b_factor_A2: float) -> Atoms:
    kinds = (element("C").blurred(b_factor_A2), element("O").scaled(3.0).blurred(2 * b_factor_A2))
    return Atoms(rng.uniform(-20, 20, (30, 3)).astype(np.float32), rng.integers(0, 2, 30), kinds)


@pytest.mark.parametrize("box_px", [40, 41])
def test_projection_is_the_sum_of_the_atoms_gaussians(rng: np.random.Generator, box_px: int) -> None:
    atoms = _few_atoms(rng, 250.0)  # wide enough that point sampling does not alias
    expected = _plain_projection(atoms, box_px, 1.5)
    found = project_atoms(atoms, np.eye(3)[None], np.zeros((1, 2)), box_px, 1.5)[0]
    assert np.abs(found - expected).max() < 2e-3 * expected.max()


def test_projection_is_the_density_summed_along_z(rng: np.random.Generator) -> None:
    atoms = channel()
    volume = density(atoms, 64, 2.6)
    image = project_atoms(atoms, np.eye(3)[None], np.zeros((1, 2)), 64, 2.6)[0]
    assert np.abs(volume.sum(axis=0) * 2.6 - image).max() < 1e-4 * image.max()


def test_projection_agrees_with_summing_the_rotated_density() -> None:
    """p(x, y) = ∫ V(Aᵀ(x, y, z)) dz, with the volume turned by spline interpolation on a fine grid."""
    atoms = channel_in_nanodisc()
    smooth = Atoms(atoms.positions_A, atoms.species, tuple(f.blurred(400.0) for f in atoms.form_factors))
    n, pixel_size_A = 72, 2.6
    volume = density(smooth, n, pixel_size_A)
    a = euler_to_matrix([37.0, 64.0, -118.0])
    flip = np.eye(3)[::-1]  # x, y, z vectors to z, y, x indices
    matrix = flip @ a.T @ flip
    centre = np.full(3, n // 2)
    turned = affine_transform(volume, matrix, offset=centre - matrix @ centre, order=3)
    expected = turned.sum(axis=0) * pixel_size_A
    found = project_atoms(smooth, a[None], np.zeros((1, 2)), n, pixel_size_A)[0]
    error = np.sqrt(np.mean((found - expected) ** 2)) / found.std()
    print(f"projection against rotated density: {error:.2e} of the signal")
    assert error < 0.01


def test_image_axes_and_centre() -> None:
    """x runs along columns, y along rows, the origin is pixel n // 2, an offset moves the picture."""
    atoms = Atoms(np.array([[0, 0, 10.0]], np.float32), np.zeros(1, int), (element("C").blurred(60.0),))
    rotation = euler_to_matrix([[0.0, 90.0, 0.0], [0.0, 0.0, 0.0]])
    images = project_atoms(atoms, rotation, [[0.0, 4.0], [6.0, 0.0]], 32, 2.0)
    peaks = [np.unravel_index(image.argmax(), image.shape) for image in images]
    expected = rotation @ [0.0, 0.0, 10.0] / 2.0
    assert peaks[0] == (16 + expected[0, 1] + 2, 16 + expected[0, 0])
    assert peaks[1] == (16, 16 + 3)


def test_potential_of_the_density_is_conserved(rng: np.random.Generator) -> None:
    atoms = _few_atoms(rng, 60.0)
    total = sum(VOLT_A2_PER_A * atoms.form_factors[s].amplitudes_A.sum() for s in atoms.species)
    assert np.isclose(density(atoms, 40, 2.0).sum(dtype=np.float64) * 8.0, total, rtol=1e-4)


def test_splat_kernel_agrees_with_its_reference(rng: np.random.Generator) -> None:
    points = rng.uniform(-3, 23, (50, 2)).astype(np.float32)
    layers = rng.integers(0, 2, 50)
    table = np.append(np.linspace(1, 0, 257), 0.0).astype(np.float32)
    fast = np.zeros((2, 20, 20), np.float32)
    plain = np.zeros((2, 20, 20), np.float32)
    splat_2d(points, layers, table, 4, fast)
    splat_2d_reference(points, layers, table, 4, plain)
    assert np.abs(fast - plain).max() < 1e-4


def test_form_factors_know_ice_and_protein() -> None:
    assert 4.0 < ice_potential_V() < 5.0
    carbon = element("C")
    assert isinstance(carbon + carbon, FormFactor)
    assert np.isclose(carbon.at(np.zeros(1))[0], 2.509, atol=0.01)
    with pytest.raises(ValueError, match="form factor"):
        element("Xx")


def test_join_keeps_every_species(rng: np.random.Generator) -> None:
    a, b = _few_atoms(rng, 60.0), _few_atoms(rng, 90.0)
    both = project_atoms(join([a, b]), random_rotations(1, np.random.default_rng(1)), [[0, 0]], 32, 2.5)
    apart = sum(project_atoms(x, random_rotations(1, np.random.default_rng(1)), [[0, 0]], 32, 2.5) for x in (a, b))
    assert np.allclose(both, apart, atol=1e-3 * float(np.abs(both).max()))
