"""Particles before a long job: units, contrast, half sets, duplicates, box and optics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks.contrast import contrast_significance
from engine.checks.extent import apparent_diameter_A
from engine.checks.neighbours import near_pairs
from engine.checks.units import defocus_unit, look_like_radians
from engine.optics import Optics
from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.guard.boxes import box_warnings
from spa_widgets.guard.finding import Finding
from spa_widgets.guard.microscope import optics_warnings
from spa_widgets.io.columns import numbers, row_values
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc import mrc_pixel_size_A

_SAME_PARTICLE_A = 20.0
_FEW = 0.01
_SURELY_BLACK = -5.0
# a disc fits best at 0.6 to 0.8 of a particle's longest extent, and masks are up to 1.3 times that wide
_SURE_SIZE, _LEAST_PART, _MOST_PART = 8.0, 1 / 2.3, 1 / 0.9
_MOST_SIZED = 96
_PIXEL_SIZE_TOLERANCE = 0.02
_COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName")
_ORIGINS = ("rlnOriginXAngst", "rlnOriginYAngst")


def particle_warnings(dataset: ParticleSet, diameter_A: float | None = None, most: int = 256) -> list[Finding]:
    """Return what looks wrong about particles and their images.

    Parameters
    ----------
    dataset : ParticleSet
    diameter_A : float, optional
        Of the particle or its mask, where it is known.
    most : int
        Images that are looked at.
    """
    try:
        particles = dataset.to_engine()
    except (UserError, ValueError):  # the step that reads them says so
        return []
    checks: list[Callable[[], Iterator[Finding]]] = [
        lambda: _mixed(dataset),
        lambda: _optics(particles),
        lambda: _units(dataset, particles),
        lambda: _pixel_size(dataset),
        lambda: _repeated(dataset),
        lambda: _box(particles, diameter_A),
        lambda: _contrast(particles, diameter_A, most),
        lambda: _size(particles, diameter_A, min(most, _MOST_SIZED)),
    ]
    found: list[Finding] = []
    for check in checks:
        try:
            found += check()
        except (UserError, ValueError):
            continue
    return found


def _mixed(dataset: ParticleSet) -> Iterator[Finding]:
    """Tell what images of several sizes are brought to."""
    grid = dataset.grid()
    if len(grid.sizes) > 1:
        listed = ", ".join(f"{box_px} px of {size_A:g} Å" for box_px, size_A in grid.sizes)
        yield Finding(
            "mixed_images",
            name=dataset.path.name,
            listed=listed,
            box_px=grid.box_px,
            pixel_size_A=grid.pixel_size_A,
            finest_A=2 * grid.pixel_size_A,
        )


def _optics(particles: Particles) -> Iterator[Finding]:
    optics = particles.optics
    columns = np.stack(np.broadcast_arrays(optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast), axis=-1)
    told: set[str] = set()
    for voltage_kv, cs_mm, contrast in np.unique(np.atleast_2d(columns), axis=0):
        for sentence in optics_warnings(float(voltage_kv), float(cs_mm), float(contrast)):
            if sentence not in told:
                told.add(sentence)
                yield sentence


def _units(dataset: ParticleSet, particles: Particles) -> Iterator[Finding]:
    defocus = particles.defocus
    mean = np.asarray(defocus.mean_A, np.float64)
    unit = "Å" if np.any(defocus.phase_shift_deg) else defocus_unit(mean)
    typical = float(np.median(np.abs(mean)))
    if unit != "Å":
        factor = 10 if unit == "nm" else 10000
        yield Finding("defocus_unit", name=dataset.path.name, typical=typical, unit=unit, factor=factor)
    elif (mean < 0).mean() > 0.5:
        yield Finding("defocus_negative", name=dataset.path.name, typical=np.median(mean))
    poses = ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")
    for key, names in (("radians_astigmatism", ("rlnDefocusAngle",)), ("radians_poses", poses)):
        if not set(names) <= set(dataset.table):
            continue
        columns = [numbers(dataset.table, name, dataset.path) for name in names]
        if look_like_radians(np.concatenate(columns)):
            yield Finding(key, name=dataset.path.name)


def _pixel_size(dataset: ParticleSet) -> Iterator[Finding]:
    stack = str(dataset.table["rlnImageName"].iloc[0]).rpartition("@")[2]
    header_A = mrc_pixel_size_A(resolve_image_path(stack, dataset.path))
    stated_A = float(dataset.pixel_sizes_A[0])
    if header_A not in (0.0, 1.0) and abs(header_A - stated_A) > _PIXEL_SIZE_TOLERANCE * stated_A:
        yield Finding("stack_header", name=dataset.path.name, stated_A=stated_A, header_A=header_A)


def _repeated(dataset: ParticleSet) -> Iterator[Finding]:
    """Tell of particles that are there twice; worse where the two are in different half sets."""
    same = _same_images(dataset)
    pairs = np.concatenate([same, _same_places(dataset)])
    if not len(same) and len(np.unique(pairs)) <= _FEW * dataset.count:
        return
    about: dict[str, float] = {"total": dataset.count, "distance_A": _SAME_PARTICLE_A}
    if "rlnRandomSubset" in dataset.table:
        halves = dataset.half_sets
        leaked = pairs[halves[pairs[:, 0]] != halves[pairs[:, 1]]]
        if len(leaked):
            yield Finding("leaked", None, count=len(np.unique(leaked)), **about)
            return
    yield Finding("twice", None, count=len(np.unique(pairs)), **about)


def _same_images(dataset: ParticleSet) -> NDArray[np.intp]:
    names = pd.factorize(dataset.table["rlnImageName"].astype(str))[0]
    return near_pairs(names, np.zeros((len(names), 2)), 0.0) if len(np.unique(names)) < len(names) else _none()


def _same_places(dataset: ParticleSet) -> NDArray[np.intp]:
    table, optics = dataset.table, dataset.optics_table
    sizes = [name for name in ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize") if name in optics]
    if not set(_COORDINATES) <= set(table) or not sizes:
        return _none()
    sizes_A = row_values(optics, table, sizes, dataset.path, "pixel size of the micrographs", "Å")
    positions_A = np.stack([numbers(table, name, dataset.path) for name in _COORDINATES[:2]], axis=1) * sizes_A[:, None]
    if set(_ORIGINS) <= set(table):
        positions_A -= np.stack([numbers(table, name, dataset.path) for name in _ORIGINS], axis=1)
    return near_pairs(pd.factorize(table["rlnMicrographName"].astype(str))[0], positions_A, _SAME_PARTICLE_A)


def _none() -> NDArray[np.intp]:
    return np.zeros((0, 2), np.intp)


def _box(particles: Particles, diameter_A: float | None) -> Iterator[Finding]:
    defocus_A = float(np.median(np.abs(np.asarray(particles.defocus.mean_A, np.float64))))
    optics = Optics(*(float(np.median(value)) for value in _constants(particles)))
    yield from box_warnings(particles.box_px, particles.pixel_size_A, defocus_A, optics, diameter_A)


def _constants(particles: Particles) -> tuple[NDArray[np.floating], ...]:
    optics = particles.optics
    return tuple(np.asarray(value) for value in (optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast))


def _contrast(particles: Particles, diameter_A: float | None, most: int) -> Iterator[Finding]:
    largest_A = (diameter_A or particles.box_px * particles.pixel_size_A / 1.4) / 2
    scores = [contrast_significance(particles, share * largest_A, most) for share in (0.6, 1.0)]
    surest = max(scores, key=abs)
    if surest < _SURELY_BLACK:
        yield Finding("black", sure=-surest)


def _size(particles: Particles, diameter_A: float | None, most: int) -> Iterator[Finding]:
    """Hold the size that the images show against the one that is given."""
    if diameter_A is None:
        return
    apparent_A, sure = apparent_diameter_A(particles, most)
    if sure < _SURE_SIZE or _LEAST_PART * diameter_A <= apparent_A <= _MOST_PART * diameter_A:
        return
    about = {"apparent_A": apparent_A, "diameter_A": diameter_A, "pixel_size_A": particles.pixel_size_A}
    # a disc fits best at about 0.7 of the longest extent
    yield Finding("size", {"mask_diameter_A": float(round(1.1 * apparent_A / 0.7, -1))}, **about)
