"""What the pickers are judged on: the phantom, heaps of spheres, and structures that no picker was ever tuned to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from engine.optics import Optics
from engine.simulation.atoms import Atoms, atoms_from_arrays, protein_atom
from engine.simulation.phantom import channel_in_nanodisc
from engine.symmetry import point_group
from spa_widgets.io.atoms import read_atoms
from spa_widgets.io.mrc import read_mrc
from tests.benchmarks.run import REPOSITORY

DATA = REPOSITORY.parent / "shared" / "data"
_VOLUME_A3_PER_KDA, _VOXEL_A, _ATOM_A3 = 1210.0, 4.0, 17.1
_DENSE = {"objects_per_micrograph": 150, "spacing_A": 150.0, "margin_A": 0.0}
_WIDE = (8e3, 25e3)


@dataclass(frozen=True)
class Case:
    """What is simulated."""

    name: str
    mass_kda: float | None
    symmetry: str
    extent_A: tuple[float, float, float]
    changes: dict[str, object]
    seed: int
    model: Callable[[], Atoms] | None = None


CASES = (
    Case("channel, preset small", None, "C8", (0, 0, 0), {"count": 6}, 801),
    Case("channel, crowded to 150 Å", None, "C8", (0, 0, 0), _DENSE, 802),
    Case("channel, 0.8 µm", None, "C8", (0, 0, 0), {"defocus_range_A": (7.9e3, 8.1e3)}, 803),
    Case("channel, 2.5 µm", None, "C8", (0, 0, 0), {"defocus_range_A": (24.9e3, 25.1e3)}, 804),
    Case(
        "C1, 250 kDa, 90 objects",
        250.0,
        "C1",
        (140, 110, 100),
        {"defocus_range_A": _WIDE, "objects_per_micrograph": 90, "spacing_A": 160.0},
        805,
    ),
    Case(
        "D2, 465 kDa, ice 700 Å",
        465.0,
        "D2",
        (170, 130, 95),
        {"defocus_range_A": _WIDE, "ice_thickness_A": 700.0},
        806,
    ),
    Case(
        "D7, 700 kDa, 200 kV",
        700.0,
        "D7",
        (115, 115, 150),
        {"defocus_range_A": _WIDE, "optics": Optics(200.0, 2.7, 0.07)},
        807,
    ),
)


def heap(mass_kda: float, symmetry: str, extent_A: tuple[float, float, float], rng: np.random.Generator) -> Atoms:
    """A chain of spheres filled with protein: a particle of any point group that no picker has seen."""
    operators = point_group(symmetry)
    extent = np.asarray(extent_A, float) / 2
    axes = [np.arange(-e - 30, e + 30, _VOXEL_A) for e in extent]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    centres = [extent * rng.uniform(0.2, 0.7, 3) * rng.choice([-1, 1], 3)]
    radii = [float(rng.uniform(14, 24))]
    inside = _spheres(grid, operators, centres[0], radii[0])
    while inside.sum() * _VOXEL_A**3 < mass_kda * _VOLUME_A3_PER_KDA:
        start = int(rng.integers(len(centres)))
        direction = rng.normal(size=3)
        radius = float(rng.uniform(12, 24))
        centre = centres[start] + direction / np.linalg.norm(direction) * 0.8 * (radii[start] + radius)
        if ((np.abs(centre) + 0.8 * radius) <= extent).all():
            centres.append(centre)
            radii.append(radius)
            inside |= _spheres(grid, operators, centre, radius)
    places = grid[inside]
    count = int(len(places) * _VOXEL_A**3 / _ATOM_A3)
    points = places[rng.integers(len(places), size=count)] + rng.uniform(-_VOXEL_A / 2, _VOXEL_A / 2, (count, 3))
    if symmetry == "C1":
        points -= points.mean(axis=0)
    return Atoms(points.astype(np.float32), np.zeros(count, np.int64), (protein_atom(60.0),))


def _spheres(grid: NDArray, operators: NDArray, centre: NDArray, radius: float) -> NDArray[np.bool_]:
    inside = np.zeros(len(grid), bool)
    for operator in operators:
        inside |= ((grid - operator @ centre) ** 2).sum(axis=1) < radius**2
    return inside


def atoms_of(case: Case) -> tuple[Atoms, float]:
    """Particle of a case and the diameter that a person would give for it, in Å."""
    if case.model is not None:
        atoms = case.model()
    elif case.mass_kda is None:
        return channel_in_nanodisc(), 160.0
    else:
        atoms = heap(case.mass_kda, case.symmetry, case.extent_A, np.random.default_rng(77))
    return atoms, 10.0 * float(np.ceil(0.2 * atoms.radius_A))


def _channel_of_atoms() -> Atoms:
    """A C8 ring of connexin protomers, atom by atom, without a nanodisc; synthetic."""
    model = read_atoms(DATA / "models" / "pseudo_innexin_C8_from_cx26.pdb.gz")
    return atoms_from_arrays(
        model.positions_A, model.symbols, model.b_factors_A2, model.amplitudes_A, model.widths_A2, symmetry="C8"
    )


def _from_map(path: Path, pixel_size_A: float | None, mass_kda: float) -> Atoms:
    """Atoms drawn from a density: as many as the mass has, where the map's largest part is densest."""
    density, header_A = read_mrc(path)
    voxel_A = pixel_size_A or header_A
    level = np.sort(density, axis=None)[-int(mass_kda * _VOLUME_A3_PER_KDA / voxel_A**3)]
    parts, _ = ndimage.label(density >= level)
    largest = parts == 1 + np.bincount(parts.ravel())[1:].argmax()
    voxels = np.argwhere(largest)
    count = int(mass_kda * _VOLUME_A3_PER_KDA / _ATOM_A3)
    rng = np.random.default_rng(78)
    chosen = rng.choice(len(voxels), count, p=density[largest] / density[largest].sum(dtype=np.float64))
    points = (voxels[chosen] + rng.uniform(-0.5, 0.5, (count, 3)))[:, ::-1] * voxel_A
    points -= points.mean(axis=0)
    return Atoms(points.astype(np.float32), np.zeros(count, np.int64), (protein_atom(60.0),))


def _galactosidase() -> Atoms:
    return _from_map(DATA / "betagal" / "model_5a1a_aligned_64_3.54A.mrc", None, 465.0)


def _ribosome() -> Atoms:
    # the header states no pixel size: this one makes it 250 Å wide
    return _from_map(DATA / "formats" / "clean70SRibosome_vol_65p.mrc", 5.6, 2500.0)


_NONE = (0.0, 0.0, 0.0)
HELD_OUT = (
    Case("atoms of a C8 channel", None, "C8", _NONE, {"count": 4}, 901, _channel_of_atoms),
    Case("beta-galactosidase (5a1a)", None, "D2", _NONE, {"defocus_range_A": _WIDE}, 902, _galactosidase),
    Case(
        "70S ribosome",
        None,
        "C1",
        _NONE,
        {"defocus_range_A": _WIDE, "objects_per_micrograph": 30, "spacing_A": 300.0},
        903,
        _ribosome,
    ),
    Case("O, 480 kDa", 480.0, "O", (130, 130, 130), {"defocus_range_A": _WIDE}, 904),
)
"""No template, weight or filter was made for these; the first three showed where automatic thresholds failed."""
