"""Particles before a long job: units, contrast, half sets, duplicates, box and optics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.checks.contrast import contrast_significance
from engine.checks.delocalisation import aliasing_resolution_A, delocalisation_A
from engine.checks.extent import apparent_diameter_A
from engine.checks.neighbours import near_pairs
from engine.checks.units import defocus_unit, look_like_radians
from engine.optics import Optics
from engine.particles import Particles
from spa_widgets.errors import UserError
from spa_widgets.guard.microscope import optics_warnings
from spa_widgets.io.columns import numbers
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc import mrc_pixel_size_A

_SAME_PARTICLE_A = 20.0
_FEW = 0.01
_SURELY_BLACK = -5.0
_LEAST_BOX_IN_DIAMETERS = 1.2
_WANTED_A = 4.5
# a disc fits best at 0.6 to 0.8 of a particle's longest extent, and masks are up to 1.3 times that wide
_SURE_SIZE, _LEAST_PART, _MOST_PART = 8.0, 1 / 2.3, 1 / 0.9
_PIXEL_SIZE_TOLERANCE = 0.02
_COORDINATES = ("rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName")
_ORIGINS = ("rlnOriginXAngst", "rlnOriginYAngst")


def particle_warnings(dataset: ParticleSet, diameter_A: float | None = None) -> list[str]:
    """Return what looks wrong about particles and their images.

    Parameters
    ----------
    dataset : ParticleSet
    diameter_A : float, optional
        Of the particle or its mask, where it is known.
    """
    try:
        particles = dataset.to_engine()
    except (UserError, ValueError):  # the step that reads them says so
        return []
    checks: list[Callable[[], Iterator[str]]] = [
        lambda: _optics(particles),
        lambda: _units(dataset, particles),
        lambda: _pixel_size(dataset, particles),
        lambda: _repeated(dataset),
        lambda: _box(particles, diameter_A),
        lambda: _contrast(particles, diameter_A),
        lambda: _size(particles, diameter_A),
    ]
    found: list[str] = []
    for check in checks:
        try:
            found += check()
        except (UserError, ValueError):
            continue
    return found


def _optics(particles: Particles) -> Iterator[str]:
    optics = particles.optics
    columns = np.stack(np.broadcast_arrays(optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast), axis=-1)
    told: set[str] = set()
    for voltage_kv, cs_mm, contrast in np.unique(np.atleast_2d(columns), axis=0):
        for sentence in optics_warnings(float(voltage_kv), float(cs_mm), float(contrast)):
            if sentence not in told:
                told.add(sentence)
                yield sentence


def _units(dataset: ParticleSet, particles: Particles) -> Iterator[str]:
    defocus = particles.defocus
    mean = np.asarray(defocus.mean_A, np.float64)
    unit = "Å" if np.any(defocus.phase_shift_deg) else defocus_unit(mean)
    typical = float(np.median(np.abs(mean)))
    if unit != "Å":
        yield (
            f"The defocus of {dataset.path.name} is {typical:g} in most rows, as if it were in {unit}; it is read "
            f"as Å, so the CTF would be that of an image in focus: multiply rlnDefocusU and rlnDefocusV by "
            f"{10 if unit == 'nm' else 10000}."
        )
    elif (mean < 0).mean() > 0.5:
        yield (
            f"The defocus of {dataset.path.name} is negative in most rows ({np.median(mean):g} Å); here underfocus is "
            "positive, so contrast and CTF would be inverted: change the sign of rlnDefocusU and rlnDefocusV."
        )
    for names in (("rlnDefocusAngle",), ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")):
        if not set(names) <= set(dataset.table):
            continue
        columns = [numbers(dataset.table, name, dataset.path) for name in names]
        if look_like_radians(np.concatenate(columns)):
            listed = " and ".join(names) if len(names) < 3 else "rlnAngleRot, rlnAngleTilt and rlnAnglePsi"
            yield (
                f"All values of {listed} in {dataset.path.name} lie within 2π, as if they were in radians; they are "
                "read as degrees, so all would point the same way: multiply them by 57.29578."
            )


def _pixel_size(dataset: ParticleSet, particles: Particles) -> Iterator[str]:
    stack = str(dataset.table["rlnImageName"].iloc[0]).rpartition("@")[2]
    header_A = mrc_pixel_size_A(resolve_image_path(stack, dataset.path))
    stated_A = particles.pixel_size_A
    if header_A not in (0.0, 1.0) and abs(header_A - stated_A) > _PIXEL_SIZE_TOLERANCE * stated_A:
        yield (
            f"{dataset.path.name} states {stated_A:g} Å per pixel, the header of its stack {header_A:g} Å; the first "
            "is used, and CTF, masks and resolution follow from it: correct rlnImagePixelSize if the header is right."
        )


def _repeated(dataset: ParticleSet) -> Iterator[str]:
    """Tell of particles that are there twice; worse where the two are in different half sets."""
    same = _same_images(dataset)
    pairs = np.concatenate([same, _same_places(dataset)])
    if not len(same) and len(np.unique(pairs)) <= _FEW * dataset.count:
        return
    fix = f"remove one of each pair (extract anew with a minimum distance of {_SAME_PARTICLE_A:g} Å or more)"
    if "rlnRandomSubset" in dataset.table:
        halves = dataset.half_sets
        leaked = pairs[halves[pairs[:, 0]] != halves[pairs[:, 1]]]
        if len(leaked):
            yield (
                f"{len(np.unique(leaked))} of {dataset.count} particles are in both half sets (the same image, or "
                f"centres within {_SAME_PARTICLE_A:g} Å); the halves share their noise, so the FSC is too good: {fix} "
                "and draw the half sets again."
            )
            return
    yield (
        f"{len(np.unique(pairs))} of {dataset.count} particles are there twice (the same image, or centres within "
        f"{_SAME_PARTICLE_A:g} Å); they count twice, and half sets drawn now would share them: {fix}."
    )


def _same_images(dataset: ParticleSet) -> NDArray[np.intp]:
    names = pd.factorize(dataset.table["rlnImageName"].astype(str))[0]
    return near_pairs(names, np.zeros((len(names), 2)), 0.0) if len(np.unique(names)) < len(names) else _none()


def _same_places(dataset: ParticleSet) -> NDArray[np.intp]:
    table, optics = dataset.table, dataset.optics_table
    sizes = [name for name in ("rlnMicrographPixelSize", "rlnMicrographOriginalPixelSize") if name in optics]
    if not set(_COORDINATES) <= set(table) or not sizes:
        return _none()
    pixel_size_A = float(numbers(optics, sizes[0], dataset.path)[0])
    positions_A = np.stack([numbers(table, name, dataset.path) for name in _COORDINATES[:2]], axis=1) * pixel_size_A
    if set(_ORIGINS) <= set(table):
        positions_A -= np.stack([numbers(table, name, dataset.path) for name in _ORIGINS], axis=1)
    return near_pairs(pd.factorize(table["rlnMicrographName"].astype(str))[0], positions_A, _SAME_PARTICLE_A)


def _none() -> NDArray[np.intp]:
    return np.zeros((0, 2), np.intp)


def _box(particles: Particles, diameter_A: float | None) -> Iterator[str]:
    box_A = particles.box_px * particles.pixel_size_A
    if diameter_A is not None and diameter_A <= box_A < _LEAST_BOX_IN_DIAMETERS * diameter_A:
        yield (
            f"The box of {box_A:.0f} Å is only {box_A / diameter_A:.2f} times the diameter of {diameter_A:g} Å; "
            "background and delocalised detail are cut off: extract with a box of at least "
            f"{1.4 * diameter_A:.0f} Å."
        )
    defocus_A = float(np.median(np.abs(np.asarray(particles.defocus.mean_A, np.float64))))
    optics = Optics(*(float(np.median(value)) for value in _constants(particles)))
    nyquist_A = 2 * particles.pixel_size_A
    wanted_A = max(_WANTED_A, nyquist_A)
    aliased_A = aliasing_resolution_A(defocus_A, optics, box_A, nyquist_A)
    if aliased_A > wanted_A:
        needed_A = 2 * delocalisation_A(defocus_A, optics, wanted_A)
        yield (
            f"At the typical defocus of {defocus_A:.0f} Å the CTF is aliased beyond {aliased_A:.1f} Å in a box of "
            f"{box_A:.0f} Å; finer detail is smeared out of the box and lost: extract with a box of at least "
            f"{needed_A:.0f} Å to reach {wanted_A:.1f} Å."
        )


def _constants(particles: Particles) -> tuple[NDArray[np.floating], ...]:
    optics = particles.optics
    return tuple(np.asarray(value) for value in (optics.voltage_kv, optics.cs_mm, optics.amplitude_contrast))


def _contrast(particles: Particles, diameter_A: float | None) -> Iterator[str]:
    largest_A = (diameter_A or particles.box_px * particles.pixel_size_A / 1.4) / 2
    scores = [contrast_significance(particles, share * largest_A) for share in (0.6, 1.0)]
    surest = max(scores, key=abs)
    if surest < _SURELY_BLACK:
        yield (
            f"Protein seems to be black in these images ({-surest:.0f} standard errors from white); it is expected "
            "white, and classes and maps would come out inverted: extract again with the contrast inverted, or give "
            "the particles a column spaImageSign of -1."
        )


def _size(particles: Particles, diameter_A: float | None) -> Iterator[str]:
    """Hold the size that the images show against the one that is given."""
    if diameter_A is None:
        return
    apparent_A, sure = apparent_diameter_A(particles)
    if sure < _SURE_SIZE or _LEAST_PART * diameter_A <= apparent_A <= _MOST_PART * diameter_A:
        return
    yield (
        f"The particles look about {apparent_A:.0f} Å wide, and a diameter of {diameter_A:g} Å is given; were the "
        f"pixel size of {particles.pixel_size_A:.4g} Å wrong, every length and resolution would be: check it (is it "
        "that before binning?), and if it is right give the diameter that fits."
    )
