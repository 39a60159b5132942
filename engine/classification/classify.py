"""2D classification by online expectation–maximisation.

Mini-batches as in Punjani et al., Nat Methods 14, 290 (2017) and Cappé & Moulines (2009); the likelihood with CTF and
coloured noise of Scheres et al., J Mol Biol 348, 139 (2005) and Nat Methods 4, 27 (2007).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.classification.expectation import Poses, expect, make_library
from engine.classification.maximisation import Sums, add_block, recentre, shell_mean, solve
from engine.classification.options import ClassificationOptions
from engine.classification.schedule import Schedule, make_schedule, supported_radius
from engine.classification.seeding import first_averages, first_noise, split_largest
from engine.classification.setup import DiscImages, Sampling, chunks, make_sampling
from engine.classification.state import ClassificationState
from engine.fourier.transforms import rfft2_centred
from engine.particles import Particles

BLOCK = 2048
_BEYOND_SHELLS = 8


def classify_2d(
    particles: Particles,
    options: ClassificationOptions,
    rng: np.random.Generator,
    state: ClassificationState | None = None,
    xp: Any = np,
) -> Iterator[ClassificationState]:
    """Sort particle images into classes of like views and average each class.

    Parameters
    ----------
    particles : Particles
        Images with their optics.
    options : ClassificationOptions
        See there.
    rng : numpy.random.Generator
        All randomness; a resumed run continues its state.
    state : ClassificationState, optional
        Where to resume.
    xp : module
        Array namespace to compute with (NumPy or CuPy).

    Yields
    ------
    ClassificationState
        After each iteration; the last one holds the pose of every particle.

    Raises
    ------
    ValueError
        When there are fewer than two particles, or the mask does not fit the box.
    """
    if particles.count < 2:
        raise ValueError(f"2D classification got {particles.count} particles; it needs at least 2.")
    sampling = make_sampling(particles, options, xp)
    images = DiscImages(particles, sampling)
    start_px = sampling.radius_of(options.start_resolution_A)
    schedule = make_schedule(particles.count, options, start_px, sampling.disc.radius_px)
    if state is None:
        state = _first_state(images, options, schedule, rng)
    else:
        rng.bit_generator.state = json.loads(state.rng_state)
    while not state.finished:
        state = _iterate(state, images, options, schedule, rng)
        yield state


def _first_state(
    images: DiscImages, options: ClassificationOptions, schedule: Schedule, rng: np.random.Generator
) -> ClassificationState:
    sampling, count = images.sampling, images.particles.count
    order = rng.permutation(count)
    noise = first_noise(images, order)
    averages = first_averages(images, options, schedule.start_radius_px, order, rng)
    sums = Sums.zeros(options.classes, len(sampling.disc), sampling.xp)
    shells = int(sampling.disc.shell.max()) + 1
    nothing = np.zeros(count, np.float32)
    return ClassificationState(
        iteration=0, total=schedule.total, box_px=sampling.box_px, pixel_size_A=sampling.pixel_size_A,
        averages=averages, numerator=sums.numerator, denominator=sums.denominator, noise=noise,
        frc=np.zeros((options.classes, shells)), snr=np.zeros((options.classes, shells)),
        weight=np.full(options.classes, count / options.classes), radius_px=schedule.start_radius_px,
        order=order, cursor=0, class_index=np.full(count, -1, np.int32), psi_deg=nothing.copy(),
        shift_A=np.zeros((count, 2), np.float32), max_probability=nothing.copy(), score=nothing.copy(),
        effective_classes=nothing.copy(), rng_state=json.dumps(rng.bit_generator.state),
    )  # fmt: skip


def _iterate(
    state: ClassificationState,
    images: DiscImages,
    options: ClassificationOptions,
    schedule: Schedule,
    rng: np.random.Generator,
) -> ClassificationState:
    sampling, xp = images.sampling, images.sampling.xp
    batch, order, cursor = _next_batch(state, schedule, rng)
    shell = sampling.disc.shell
    precision = 1.0 / (state.noise[shell] * schedule.temperature(state.iteration))
    count = sampling.disc.count_within(state.radius_px)
    # a little beyond the working resolution shows what the averages support; the rest is summed at the end
    final = state.iteration + options.full_iterations >= state.total
    summed = None if final else sampling.disc.count_within(state.radius_px + _BEYOND_SHELLS)
    library = make_library(state.averages, xp.asarray(precision.astype(np.float32)), sampling, count)
    sums = Sums.zeros(options.classes, len(sampling.disc), xp)
    seen = _Assignments(state)
    weight, power = np.zeros(options.classes), np.zeros(len(sampling.disc))
    for block in chunks(np.sort(batch), BLOCK):
        x, ctf = images.block(block)
        poses = expect(x, ctf, library, sampling, options.marginalise)
        seen.record(block, poses, sampling)
        if schedule.may_reseed(state.iteration):
            split_largest(poses, state.weight)
        add_block(sums, x, ctf, poses, block, images.particles, sampling, summed)
        weight += np.bincount(poses.classes.ravel(), poses.weight.ravel(), options.classes)
        power += to_numpy(xp.sum(xp.real(x) ** 2 + xp.imag(x) ** 2, axis=0))
    gain, scale = schedule.gain(state.iteration), particles_per_batch(schedule.count, len(batch))
    noise = _noise(power, sums, state.averages, sampling, len(batch))
    running = Sums(state.numerator, state.denominator).forget(sums, gain, scale)
    solution = solve(running, sampling)
    averages = solution.images
    last = state.iteration + 1 >= state.total
    if options.recentre and not last:
        running, averages = recentre(running, averages, sampling)
    new_weight = (1 - gain) * state.weight + gain * scale * weight
    radius = schedule.radius(state.iteration + 1, supported_radius(solution.frc, new_weight))
    return ClassificationState(
        iteration=state.iteration + 1, total=state.total, box_px=state.box_px, pixel_size_A=state.pixel_size_A,
        averages=averages, numerator=running.numerator, denominator=running.denominator,
        noise=(1 - gain) * state.noise + gain * noise, frc=solution.frc, snr=solution.snr, weight=new_weight,
        radius_px=radius, order=order, cursor=cursor, class_index=seen.class_index, psi_deg=seen.psi_deg,
        shift_A=seen.shift_A, max_probability=seen.max_probability, score=seen.score,
        effective_classes=seen.effective_classes, rng_state=json.dumps(rng.bit_generator.state),
    )  # fmt: skip


def particles_per_batch(count: int, batch: int) -> float:
    """Return how many particles of the whole set each particle of a batch stands for."""
    return count / batch


def _next_batch(
    state: ClassificationState, schedule: Schedule, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp], int]:
    """Return the particles of this iteration, and the order and place from which the next one goes on."""
    if schedule.is_full(state.iteration):
        return np.arange(schedule.count), state.order, state.cursor
    order, start = state.order, state.cursor
    batch = order[start : start + schedule.batch]
    missing = schedule.batch - len(batch)
    if missing == 0:
        return batch, order, start + schedule.batch
    order = rng.permutation(schedule.count)
    rest = order[~np.isin(order, batch)][:missing]
    return np.concatenate([batch, rest]), order, missing


class _Assignments:
    """Copies of a state's per-particle results, filled in by the blocks of an iteration."""

    def __init__(self, state: ClassificationState) -> None:
        self.class_index, self.psi_deg, self.shift_A = (
            state.class_index.copy(), state.psi_deg.copy(), state.shift_A.copy(),
        )  # fmt: skip
        self.max_probability, self.score = state.max_probability.copy(), state.score.copy()
        self.effective_classes = state.effective_classes.copy()

    def record(self, indices: NDArray[np.intp], poses: Poses, sampling: Sampling) -> None:
        """Keep the best pose of each image of a block."""
        self.class_index[indices] = poses.classes[:, 0]
        self.psi_deg[indices] = sampling.rotation.angles_deg[poses.angle[:, 0]]
        self.shift_A[indices] = poses.shift_px[:, 0] * sampling.pixel_size_A
        self.max_probability[indices] = poses.probability
        self.score[indices] = poses.score
        self.effective_classes[indices] = poses.effective_classes


def _noise(
    power: NDArray[np.float64], sums: Sums, averages: Array, sampling: Sampling, count: int
) -> NDArray[np.float64]:
    """Return the power per shell of what the classes leave unexplained.

    ``Σ|x − C s|² = Σ|x|² − 2 Re Σ⟨C x, s⟩ + Σ⟨C², |s|²⟩``; the two sums over images are those of the M-step.
    """
    s = to_numpy(sampling.disc.gather(rfft2_centred(averages)))
    numerator = to_numpy(sums.numerator).sum(axis=0)
    denominator = to_numpy(sums.denominator).sum(axis=0)
    explained = np.sum(2 * (numerator * s.conj()).real - denominator * abs(s) ** 2, axis=0)
    residual = np.maximum(power - explained, 0.2 * power) / count
    noise = shell_mean(sampling.disc, residual[None])[0]
    noise[0] = noise[1]
    return noise
