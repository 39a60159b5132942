"""Where the objects lie in a micrograph, how they are turned, and how far out of focus each one is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.geometry import matrix_to_euler, random_rotations
from engine.optics import Defocus
from engine.simulation.settings import OBJECT_KINDS, MicrographSettings

_TRIES = 60
_CLOSE_SHARE, _CLOSE_FACTOR = 0.05, 2.0 / 3.0


@dataclass(frozen=True)
class MicrographTruth:
    """What a micrograph was made with.

    Attributes
    ----------
    coordinates_px : (m, 2) array
        x, y of the objects; integers are pixel centres, the first row of the file is y = 0.
    kinds : (m,) int array
        Index into `OBJECT_KINDS`.
    angles_deg : (m, 3) array
        rot, tilt, psi.
    object_defocus : Defocus
        Arrays of m: the defocus of each object.
    defocus : Defocus
        Defocus of the micrograph as a whole.
    surface_A : (6,) array
        c0…c5: defocus to add at normalised x, y in -1…1 is c0 + c1 x + c2 y + c3 x² + c4 xy + c5 y².
    snr : float
        Variance of a particle's signal over that of the noise, within the disc that holds the particle.
    """

    coordinates_px: NDArray[np.float64]
    kinds: NDArray[np.int64]
    angles_deg: NDArray[np.float64]
    object_defocus: Defocus
    defocus: Defocus
    surface_A: NDArray[np.float64]
    snr: float = float("nan")


def mean_defoci(settings: MicrographSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Mean defocus of each micrograph: one from each of `count` equal parts of the range, in random order."""
    low, high = settings.defocus_range_A
    parts = (rng.permutation(settings.count) + rng.uniform(size=settings.count)) / settings.count
    return low + (high - low) * parts


def surface_height(coefficients: NDArray[np.float64], x: NDArray, y: NDArray) -> NDArray[np.float64]:
    """Evaluate the polynomial of a surface at normalised x, y in -1…1 (any shapes that broadcast)."""
    c = coefficients
    height = c[0] + c[1] * x + c[2] * y + c[3] * x**2 + c[4] * x * y + c[5] * y**2
    return np.asarray(height)


def draw_layout(settings: MicrographSettings, mean_defocus_A: float, rng: np.random.Generator) -> MicrographTruth:
    """Place the objects of one micrograph and choose its defocus surface."""
    coordinates = _place(settings, rng)
    m = len(coordinates)
    bounds = np.cumsum(settings.kind_fractions)
    kinds = np.minimum(np.searchsorted(bounds, rng.uniform(size=m), side="right"), len(OBJECT_KINDS) - 1)
    surface = _surface(settings, rng)
    half = 0.5 * rng.uniform(0.1, 1.0) * settings.astigmatism_A
    angle = float(rng.uniform(0.0, 180.0))
    h, w = settings.shape
    local = surface_height(surface, coordinates[:, 0] / (w / 2) - 1, coordinates[:, 1] / (h / 2) - 1)
    local = local + rng.normal(scale=settings.height_spread_A, size=m)
    whole = Defocus(mean_defocus_A + half, mean_defocus_A - half, angle)
    each = Defocus(whole.u_A + local, whole.v_A + local, np.full(m, angle))
    return MicrographTruth(coordinates, kinds, matrix_to_euler(random_rotations(m, rng)), each, whole, surface)


def _surface(settings: MicrographSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Tilted, slightly curved surface whose mean over the micrograph is zero."""
    direction = rng.uniform(0.0, 2 * np.pi)
    tilt = rng.uniform(0.3, 1.0) * settings.surface_A
    curvature = rng.uniform(-1.0, 1.0, size=3) * settings.surface_A / 9.0
    c0 = -(curvature[0] + curvature[2]) / 3.0
    return np.array([c0, tilt * np.cos(direction), tilt * np.sin(direction), *curvature])


def _place(settings: MicrographSettings, rng: np.random.Generator) -> NDArray[np.float64]:
    """Random sequential placing; a point that finds no room after many tries is left out."""
    margin = settings.margin_A / settings.pixel_size_A
    h, w = settings.shape
    low = np.array([margin, margin])
    high = np.array([w - 1 - margin, h - 1 - margin])
    if (high <= low).any():
        raise ValueError(f"a margin of {settings.margin_A} Å leaves no room in a micrograph of {w} x {h} px")
    wanted = round(settings.objects_per_micrograph * rng.uniform(0.85, 1.15))
    placed = np.empty((wanted, 2))
    count = 0
    for _ in range(wanted):
        close = _CLOSE_FACTOR if rng.uniform() < _CLOSE_SHARE else 1.0
        least = (close * settings.spacing_A / settings.pixel_size_A) ** 2
        for candidate in rng.uniform(low, high, size=(_TRIES, 2)):
            if count == 0 or ((placed[:count] - candidate) ** 2).sum(axis=1).min() >= least:
                placed[count] = candidate
                count += 1
                break
    return placed[:count]
