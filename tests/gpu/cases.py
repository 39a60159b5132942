"""Small data with known truth that every step of the engine can be run on, on any device."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.geometry import euler_to_matrix, random_rotations
from engine.optics import Optics
from engine.particles import Particles
from engine.picking.blob import round_bank
from engine.picking.grid import PickingGrid, picking_grid
from engine.picking.templates import TemplateBank, template_bank
from engine.simulation.micrographs import SimulatedMicrograph, simulate_micrographs
from engine.simulation.movies import MovieSettings, simulate_movie
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density, project_atoms
from engine.simulation.settings import SMALL, MicrographSettings

OPTICS = Optics(300.0, 1.6, 0.1)
BOX, PIXEL_A, COUNT = 32, 6.9, 80
MICROGRAPHS: MicrographSettings = replace(SMALL, count=1)
DIAMETER_A = 160.0


@dataclass(frozen=True)
class ParticleCase:
    """Particles with their poses and the volume that they show."""

    particles: Particles
    halves: NDArray[np.int64]
    rotations: NDArray[np.float64]
    shifts_A: NDArray[np.float64]
    volume: NDArray[np.float32]


@cache
def particle_case() -> ParticleCase:
    atoms, rng = channel_in_nanodisc(), np.random.default_rng(1)
    images, truth = simulate_particles(atoms, COUNT, BOX, PIXEL_A, OPTICS, (8000, 22000), 0.3, rng, offset_px=1.0)
    return ParticleCase(
        Particles.from_array(images, PIXEL_A, truth.defocus, OPTICS),
        np.arange(COUNT) % 2 + 1,
        euler_to_matrix(truth.angles_deg),
        truth.shifts_A,
        density(atoms, BOX, PIXEL_A),
    )


@cache
def micrograph() -> SimulatedMicrograph:
    return next(iter(simulate_micrographs(channel_in_nanodisc(), MICROGRAPHS, np.random.default_rng(5))))


@cache
def movie_frames() -> list[NDArray[np.float32]]:
    settings = replace(MICROGRAPHS, shape=(256, 256), objects_per_micrograph=3, dose_e_per_A2=60.0, margin_A=60.0)
    rng = np.random.default_rng(11)
    return list(simulate_movie(channel_in_nanodisc(), settings, MovieSettings(6), 11000.0, rng).frames)


@cache
def banks(views: int = 2) -> tuple[PickingGrid, list[TemplateBank]]:
    grid = picking_grid(MICROGRAPHS.shape, MICROGRAPHS.pixel_size_A, 20.0)
    rotations = random_rotations(views, np.random.default_rng(9))
    averages = project_atoms(channel_in_nanodisc(), rotations, np.zeros((views, 2)), 90, MICROGRAPHS.pixel_size_A)
    size_A = grid.coarse_pixel_size_A
    templates = template_bank(
        averages.astype(np.float32), MICROGRAPHS.pixel_size_A, size_A, DIAMETER_A, angle_step_deg=30.0
    )
    return grid, [templates, round_bank(DIAMETER_A, size_A)]


def half_maps(xp: Any) -> tuple[Any, Any]:
    """Two half maps with noise of their own, on a device."""
    volume, rng = particle_case().volume, np.random.default_rng(0)
    halves = [volume + volume.std() * rng.standard_normal(volume.shape).astype(np.float32) for _ in range(2)]
    return xp.asarray(halves[0]), xp.asarray(halves[1])
