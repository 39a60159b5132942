"""What a refinement maps over chunks of particles: poses and sums of an iteration, and the first guess of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.mapping import Workspace, cut
from engine.particles import Particles
from engine.reconstruction.accumulator import Accumulator
from engine.reconstruction.fourier_volume import FourierVolume, fourier_volume
from engine.reconstruction.image_coefficients import ImageCoefficients, cropping_factor
from engine.reconstruction.sums import PassSums, ShellSums, image_power
from engine.refinement.plan import SearchPlan
from engine.refinement.state import RefinementState
from engine.refinement.steps import PassResult, process_particles

CHUNK = 1024
_KEPT_BYTES = 400_000_000


@dataclass(frozen=True)
class PassInput:
    """What all chunks of an iteration share.

    Attributes
    ----------
    iteration : int
    box_px : int
        Working box.
    working_px, insert_px : float
        Frequencies that are compared, and that are summed.
    padding : float
    references : (2, b, b, b) float32
        Masked, of each half.
    noise : (2, b // 2 + 1)
        Power of the noise on each shell for images on the working box.
    defocus_shift_A : (count,) or None
        What is added to the defocus of each particle.
    plan : SearchPlan
    """

    iteration: int
    box_px: int
    working_px: float
    insert_px: float
    padding: float
    references: NDArray[np.float32]
    noise: NDArray[np.float64]
    defocus_shift_A: NDArray[np.float64] | None
    plan: SearchPlan


@dataclass(frozen=True)
class Chunk:
    """Particles of one half with what is known of each; poses are shifts in px of the working box."""

    half: int
    indices: NDArray[np.intp]
    scale: NDArray[np.float64]
    rotations: NDArray[np.float64]
    shifts_px: NDArray[np.float64]


def disc_of_box(box_px: int) -> HalfDisc:
    """Return all frequencies of a box that have their mate in it."""
    return HalfDisc(box_px, (box_px - 1) / 2, by_ring=True)


def cut_half(state: RefinementState, half: int, subset: NDArray[np.intp], pixel_size_A: float) -> list[Chunk]:
    """Cut the particles of a half into chunks."""
    return [
        Chunk(half, part, state.scale[part], state.rotations[part], state.shifts_A[part] / pixel_size_A)
        for part in cut(subset, CHUNK)
    ]


def pass_chunk(workspace: Workspace, shared: PassInput, chunk: Chunk) -> tuple[PassResult, PassSums]:
    """Find poses of a chunk and sum its slices."""
    store = _coefficients(workspace, shared.box_px, shared.defocus_shift_A)
    reference = _reference(workspace, shared, chunk.half)
    slices = Accumulator(shared.box_px, shared.padding, shared.insert_px, workspace.xp)
    sums = PassSums(slices, ShellSums(store.disc))
    poses, noise = (chunk.rotations, chunk.shifts_px), shared.noise[chunk.half]
    return process_particles(store, chunk.indices, reference, noise, chunk.scale, poses, shared.plan, sums), sums


def power_chunk(
    workspace: Workspace, defocus_shift_A: NDArray[np.float64] | None, indices: NDArray[np.intp]
) -> tuple[None, ShellSums]:
    """Sum the power of the images of a chunk."""
    return None, image_power(_coefficients(workspace, workspace.particles.box_px, defocus_shift_A), indices)


def _coefficients(workspace: Workspace, box_px: int, defocus_shift_A: NDArray[np.float64] | None) -> ImageCoefficients:
    """Return the images on a box, those kept if they are on it."""
    store: ImageCoefficients | None = workspace.kept.get("coefficients")
    if store is None or store.disc.box_px != box_px:
        workspace.kept.pop("coefficients", None)  # its memory is free before the next one takes some
        del store
        limit_bytes = workspace.workers * _KEPT_BYTES
        store = ImageCoefficients(workspace.particles, disc_of_box(box_px), workspace.xp, limit_bytes)
        workspace.kept["coefficients"] = store
    if defocus_shift_A is not None:
        store.set_defocus_shift(defocus_shift_A)
    return store


def _reference(workspace: Workspace, shared: PassInput, half: int) -> FourierVolume:
    """Return the transform of a half's reference; chunks of one half mostly come one after the other."""
    which = (shared.iteration, half)
    if workspace.kept.get("reference", (None,))[0] != which:
        workspace.kept.pop("reference", None)
        volume = workspace.xp.asarray(shared.references[half])
        workspace.kept["reference"] = which, fourier_volume(volume, shared.padding, shared.working_px)
    found: FourierVolume = workspace.kept["reference"][1]
    return found


def measured_noise(
    noise: NDArray[np.float64], residuals: Sequence[ShellSums], shared: PassInput, particles: Particles
) -> NDArray[np.float64]:
    """Return the noise of each half (2, n // 2 + 1) where the iteration measured it, as it was beyond."""
    noise = noise.copy()
    known = int(disc_of_box(shared.box_px).shell.max()) + 1
    for half, residual in enumerate(residuals):
        noise[half, :known] = residual.mean()[:known] / cropping_factor(particles, shared.box_px) ** 2
    return noise
