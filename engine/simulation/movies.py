"""Movies with known motion: a specimen that drifts, bends and fades while its electrons are counted.

The drift is fast at first and slows down, as beam-induced motion does; single frames jump by a little. Radiation damage
fades each frequency as Grant & Grigorieff, eLife 4, e06980 (2015) measured it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from engine.fourier.grids import radial_frequency_px, rfft_frequencies_px
from engine.fourier.transforms import irfft2, rfft2
from engine.motion.dose import fading
from engine.simulation.atoms import Atoms
from engine.simulation.layout import MicrographTruth
from engine.simulation.micrographs import LEAST_INTENSITY, Scene, counted, electrons_per_px, simulate_scene
from engine.simulation.settings import MicrographSettings


@dataclass(frozen=True)
class MovieSettings:
    """How the specimen moves while it is exposed.

    Attributes
    ----------
    frames : int
        Number of frames that share the dose.
    drift_A : float
        Length of the fast motion at the start, which dies out over the first fifth of the frames.
    slow_A : float
        Length of the steady drift over the whole exposure.
    jitter_A : float
        Standard deviation of each frame's own jump.
    bend_A : float
        Largest local motion at a corner, beside that of the whole.
    fades : bool
        Whether radiation damage fades the specimen.
    """

    frames: int = 24
    drift_A: float = 12.0
    slow_A: float = 6.0
    jitter_A: float = 0.3
    bend_A: float = 0.0
    fades: bool = True


@dataclass(frozen=True)
class MotionTruth:
    """Where the specimen is in each frame.

    Attributes
    ----------
    shifts_A : (f, 2) array
        x, y by which the whole has moved since the first frame.
    bends_A : (6, f, 2) array
        Local motion: at normalised x, y in -1…1 of the first frame, c0 + c1 x + c2 y + c3 x² + c4 xy + c5 y².
    micrograph : MicrographTruth
    """

    shifts_A: NDArray[np.float64]
    bends_A: NDArray[np.float64]
    micrograph: MicrographTruth

    def local_A(self, x: NDArray[np.float64], y: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
        """Local motion ``(..., 2)`` in a frame at normalised x, y."""
        terms = np.stack(np.broadcast_arrays(1.0, x, y, x * x, x * y, y * y), axis=-1)
        return np.asarray(terms @ self.bends_A[:, frame])


@dataclass(frozen=True)
class SimulatedMovie:
    """A movie: `frames` yields images (h, w) float32 of counted electrons, once."""

    frames: Iterator[NDArray[np.float32]]
    truth: MotionTruth


def simulate_movie(
    atoms: Atoms,
    settings: MicrographSettings,
    movie: MovieSettings,
    mean_defocus_A: float,
    rng: np.random.Generator,
) -> SimulatedMovie:
    """Make a movie, frame by frame.

    Parameters
    ----------
    atoms : Atoms
    settings : MicrographSettings
        Its dose is that of the whole movie.
    movie : MovieSettings
    mean_defocus_A : float
    rng : numpy.random.Generator
    """
    scene = simulate_scene(atoms, settings, mean_defocus_A, rng)
    shifts_A, bends_A = draw_motion(movie, rng)
    truth = MotionTruth(shifts_A, bends_A, scene.truth)
    return SimulatedMovie(_frames(scene, truth, settings, movie, rng), truth)


def draw_motion(movie: MovieSettings, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw the motion of the whole ``(f, 2)`` and the local one ``(6, f, 2)``, both zero in the first frame, in Å."""
    time = np.arange(movie.frames) / max(movie.frames - 1, 1)
    fast = 1.0 - np.exp(-time / 0.2)
    first, second = rng.uniform(0, 2 * np.pi, 2)
    shifts = movie.drift_A * fast[:, None] * np.array([np.cos(first), np.sin(first)])
    shifts += movie.slow_A * time[:, None] * np.array([np.cos(second), np.sin(second)])
    shifts += rng.normal(0, movie.jitter_A, shifts.shape) if movie.jitter_A else 0.0
    bends = rng.uniform(-1, 1, (6, 1, 2)) * fast[None, :, None]
    bends[0] = 0.0
    corner = np.abs(bends).sum(axis=0).max()
    return shifts - shifts[0], bends * (movie.bend_A / corner if corner else 0.0)


def _frames(
    scene: Scene, truth: MotionTruth, settings: MicrographSettings, movie: MovieSettings, rng: np.random.Generator
) -> Iterator[NDArray[np.float32]]:
    spectrum = rfft2(scene.contrast)
    ky, kx = rfft_frequencies_px(settings.shape)
    k_per_A = radial_frequency_px(settings.shape) / settings.pixel_size_A
    step_e_per_A2 = settings.dose_e_per_A2 / movie.frames
    electrons = np.float32(electrons_per_px(settings) / movie.frames)
    for frame, shift_A in enumerate(truth.shifts_A):
        x_px, y_px = shift_A / settings.pixel_size_A
        moved = spectrum * np.exp(-2j * np.pi * (kx * x_px + ky * y_px)).astype(np.complex64)
        if movie.fades:
            moved *= fading(k_per_A, (frame + 0.5) * step_e_per_A2, float(settings.optics.voltage_kv))
        image = np.asarray(irfft2(moved, settings.shape), np.float32)
        if movie.bend_A:
            image = _bent(image, truth, frame, settings)
        intensity = (image + 1.0) * scene.ramp
        yield counted(np.clip(intensity, LEAST_INTENSITY, None) * electrons, rng)


def _bent(
    image: NDArray[np.float32], truth: MotionTruth, frame: int, settings: MicrographSettings
) -> NDArray[np.float32]:
    """Move each part of a frame by its local motion."""
    rows, columns = (np.arange(n, dtype=np.float64) for n in settings.shape)
    x, y = 2 * columns[None, :] / settings.shape[1] - 1, 2 * rows[:, None] / settings.shape[0] - 1
    local_px = truth.local_A(x, y, frame) / settings.pixel_size_A
    places = [rows[:, None] - local_px[..., 1], columns[None, :] - local_px[..., 0]]
    return np.asarray(map_coordinates(image, places, order=5, mode="grid-wrap"), np.float32)
