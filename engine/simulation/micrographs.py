"""Micrographs as they come from a microscope, protein dark, with everything known about them.

Weak-phase imaging: the counts are a Poisson draw about ``dose · DQE · (1 - 2 sigma c (CTF · envelope) * V)``;
V is the projected potential above the mean of the ice, sigma the interaction constant and c what inelastic
scattering leaves of the contrast (Vulović et al., J Struct Biol 183, 19-32, 2013; Shang & Sigworth, J Struct Biol
180, 10-16, 2012). Every object has the CTF of its own defocus.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.fft import next_fast_len

from engine.ctf.model import ctf_rfft2
from engine.fourier.transforms import irfft2, rfft2
from engine.geometry import euler_to_matrix
from engine.optics import Defocus
from engine.simulation.atoms import Atoms
from engine.simulation.ice import ice_image
from engine.simulation.layout import MicrographTruth, draw_layout, mean_defoci
from engine.simulation.phantom import blob, empty_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.scattering import interaction_constant_rad_per_VA
from engine.simulation.settings import OBJECT_KINDS, MicrographSettings

_BATCH = 16
_DELOCALISATION_LIMIT_A = 160.0
LEAST_INTENSITY = 0.05


@dataclass(frozen=True)
class SimulatedMicrograph:
    """One micrograph and its truth: `image` is (h, w) float32, in counted electrons per pixel."""

    image: NDArray[np.float32]
    truth: MicrographTruth


@dataclass(frozen=True)
class Scene:
    """A micrograph before its electrons are counted.

    Attributes
    ----------
    contrast : (h, w) float32
        What the specimen adds to the intensity 1 of the beam, dark where it scatters.
    ramp : (h, w) float32
        Factor near 1: the uneven beam.
    truth : MicrographTruth
    """

    contrast: NDArray[np.float32]
    ramp: NDArray[np.float32]
    truth: MicrographTruth


def simulate_micrographs(
    atoms: Atoms, settings: MicrographSettings, rng: np.random.Generator, start: int = 0
) -> Iterator[SimulatedMicrograph]:
    """Make micrographs one at a time.

    Each one has a random generator of its own, so a later one can be made without those before it.

    Parameters
    ----------
    atoms : Atoms
        The particle, its centre at the origin.
    settings : MicrographSettings
    rng : numpy.random.Generator
    start : int
        Index of the first micrograph to make.

    Yields
    ------
    SimulatedMicrograph
    """
    defoci = mean_defoci(settings, rng)
    generators = rng.spawn(settings.count)
    for index in range(start, settings.count):
        yield simulate_micrograph(atoms, settings, float(defoci[index]), generators[index])


def micrograph_truths(settings: MicrographSettings, rng: np.random.Generator) -> list[MicrographTruth]:
    """Truths of all micrographs that `simulate_micrographs` makes from the same generator, without the images.

    Only the SNR is missing: it is measured on the images.
    """
    defoci = mean_defoci(settings, rng)
    generators = rng.spawn(settings.count)
    return [draw_layout(settings, float(d), g) for d, g in zip(defoci, generators, strict=True)]


def simulate_micrograph(
    atoms: Atoms, settings: MicrographSettings, mean_defocus_A: float, rng: np.random.Generator
) -> SimulatedMicrograph:
    """Make one micrograph with a given mean defocus.

    Parameters
    ----------
    atoms : Atoms
        Of the particle.
    settings : MicrographSettings
    mean_defocus_A : float
        Å, underfocus positive.
    rng : Generator
    """
    scene = simulate_scene(atoms, settings, mean_defocus_A, rng)
    intensity = scene.contrast
    intensity += 1.0
    intensity *= scene.ramp
    np.clip(intensity, LEAST_INTENSITY, None, out=intensity)
    intensity *= np.float32(electrons_per_px(settings))
    return SimulatedMicrograph(counted(intensity, rng), scene.truth)


def electrons_per_px(settings: MicrographSettings) -> float:
    """Return the counted electrons of a pixel without specimen."""
    return settings.dose_e_per_A2 * settings.dqe * settings.pixel_size_A**2


def counted(intensity: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """Draw the electrons (h, w) that are counted where their mean number is known."""
    counts = np.empty(intensity.shape, dtype=np.float32)
    for first in range(0, len(counts), 256):  # in strips: the draw is made in 64-bit integers
        counts[first : first + 256] = rng.poisson(intensity[first : first + 256])
    return counts


def simulate_scene(
    atoms: Atoms, settings: MicrographSettings, mean_defocus_A: float, rng: np.random.Generator
) -> Scene:
    """Lay out objects and ice, and image them without noise.

    Parameters
    ----------
    atoms : Atoms
        Of the particle.
    settings : MicrographSettings
    mean_defocus_A : float
        Å, underfocus positive.
    rng : Generator
    """
    truth = draw_layout(settings, mean_defocus_A, rng)
    objects, signal = _objects_image(atoms, settings, truth, rng)

    def transfer(more_A: float) -> NDArray[np.float32]:
        d = truth.defocus
        local = Defocus(d.u_A + more_A, d.v_A + more_A, d.angle_deg)
        return _transfer(settings.shape, settings, local)

    ice = ice_image(settings.shape, settings.pixel_size_A, settings.ice_thickness_A, truth.surface_A, transfer, rng)
    sigma = interaction_constant_rad_per_VA(float(settings.optics.voltage_kv))
    contrast = 2.0 * sigma * settings.contrast
    noise = contrast**2 * float(ice.var(dtype=np.float64)) + 1.0 / electrons_per_px(settings)
    objects += ice
    objects *= np.float32(-contrast)
    return Scene(objects, _ramp(settings, rng), replace(truth, snr=contrast**2 * signal / noise))


def _transfer(shape: tuple[int, int], settings: MicrographSettings, defocus: Defocus) -> NDArray[np.float32]:
    """CTF times envelope on half spectra, (h, w // 2 + 1) or (m, h, w // 2 + 1)."""
    ky = np.fft.fftfreq(shape[0])[:, None] / settings.pixel_size_A
    kx = np.fft.rfftfreq(shape[1])[None, :] / settings.pixel_size_A
    envelope = np.exp(-0.25 * settings.envelope_B_A2 * (kx**2 + ky**2)).astype(np.float32)
    gain = ctf_rfft2(shape, settings.pixel_size_A, defocus, settings.optics)
    gain *= envelope
    return np.asarray(gain)


def _objects_image(
    atoms: Atoms, settings: MicrographSettings, truth: MicrographTruth, rng: np.random.Generator
) -> tuple[NDArray[np.float32], float]:
    """All objects through their CTFs (V Å), and the variance of one particle in its disc."""
    image = np.zeros(settings.shape, dtype=np.float32)
    nanodisc = empty_nanodisc()
    variances: list[float] = []
    for kind, name in enumerate(OBJECT_KINDS):
        mine = np.flatnonzero(truth.kinds == kind)
        size = _BATCH if name in ("particle", "empty_nanodisc") else 1
        for first in range(0, len(mine), size):
            chosen = mine[first : first + size]
            if name == "particle":
                model = atoms
            elif name == "empty_nanodisc":
                model = nanodisc
            elif name == "aggregate":
                model = blob(float(rng.uniform(45.0, 75.0)), rng)
            else:
                model = blob(float(rng.uniform(50.0, 90.0)), rng, density=3.0)
            patches = _patches(model, settings, truth, chosen)
            if name == "particle":
                variances += _disc_variances(patches, atoms.radius_A / settings.pixel_size_A)
            for patch, (x, y) in zip(patches, np.rint(truth.coordinates_px[chosen]).astype(int), strict=True):
                _add_patch(image, patch, int(x), int(y))
    return image, float(np.mean(variances)) if variances else float("nan")


def _patches(
    model: Atoms, settings: MicrographSettings, truth: MicrographTruth, chosen: NDArray[np.intp]
) -> NDArray[np.float32]:
    """Projections of some objects with CTF, in boxes large enough for the fringes."""
    pixel_size_A = settings.pixel_size_A
    defocus = truth.object_defocus.take(chosen)
    spread_A = float(np.max(defocus.u_A)) * float(settings.optics.wavelength_A) * 0.5 / pixel_size_A
    body_px = next_fast_len(int(np.ceil((2.0 * model.radius_A + 16.0) / pixel_size_A)), real=True)
    margin_px = int(np.ceil(min(spread_A, _DELOCALISATION_LIMIT_A) / pixel_size_A))
    box_px = next_fast_len(body_px + 2 * margin_px, real=True)
    positions = truth.coordinates_px[chosen]
    offsets_A = (positions - np.rint(positions)) * pixel_size_A
    rotations = euler_to_matrix(truth.angles_deg[chosen])
    patches = np.zeros((len(chosen), box_px, box_px), dtype=np.float32)
    corner = box_px // 2 - body_px // 2
    body = slice(corner, corner + body_px)
    patches[:, body, body] = project_atoms(model, rotations, offsets_A, body_px, pixel_size_A)
    spectra = rfft2(patches)
    spectra *= _transfer((box_px, box_px), settings, defocus)
    return np.asarray(irfft2(spectra, (box_px, box_px)), dtype=np.float32)


def _disc_variances(patches: NDArray[np.float32], radius_px: float) -> list[float]:
    axis = np.arange(patches.shape[-1]) - patches.shape[-1] // 2
    inside = np.hypot(axis[:, None], axis[None, :]) <= radius_px
    return [float(patch[inside].var(dtype=np.float64)) for patch in patches]


def _add_patch(image: NDArray[np.float32], patch: NDArray[np.float32], x: int, y: int) -> None:
    """Add a patch whose centre ``n // 2`` falls on pixel x, y, as far as it lies in the image."""
    n = len(patch)
    x0, y0 = x - n // 2, y - n // 2
    rows = slice(max(y0, 0), min(y0 + n, image.shape[0]))
    columns = slice(max(x0, 0), min(x0 + n, image.shape[1]))
    image[rows, columns] += patch[rows.start - y0 : rows.stop - y0, columns.start - x0 : columns.stop - x0]


def _ramp(settings: MicrographSettings, rng: np.random.Generator) -> NDArray[np.float32]:
    """Uneven ice: a smooth factor near 1 over the micrograph."""
    h, w = settings.shape
    x = (np.arange(w, dtype=np.float32) / (w / 2) - 1)[None, :]
    y = (np.arange(h, dtype=np.float32) / (h / 2) - 1)[:, None]
    a, b, c = (rng.uniform(-1.0, 1.0, size=3) * settings.ramp / 2.0).astype(np.float32)
    return np.asarray(1.0 + a * x + b * y + c * (x * y), dtype=np.float32)
