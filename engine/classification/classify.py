"""2D classification by online expectation–maximisation.

Mini-batches as in Punjani et al., Nat Methods 14, 290 (2017) and Cappé & Moulines (2009); the likelihood with CTF and
coloured noise of Scheres et al., J Mol Biol 348, 139 (2005) and Nat Methods 4, 27 (2007).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.arrays import Array, to_numpy
from engine.classification.averages import recentre, reference_spectra, solve
from engine.classification.blocks import BLOCK, Found, PassInput, block_chunk, images_of
from engine.classification.correlation import shell_mean
from engine.classification.figures import detail_gain
from engine.classification.maximisation import Sums
from engine.classification.options import ClassificationOptions
from engine.classification.schedule import Schedule, make_schedule, supported_radius
from engine.classification.seeding import first_averages, first_noise, torn
from engine.classification.setup import DiscImages
from engine.classification.state import ClassificationState
from engine.mapping import MapAdd, MapHere, cut
from engine.particles import Particles

_BEYOND_SHELLS = 8
_PER_PARTICLE = ("class_index", "psi_deg", "shift_A", "max_probability", "score", "effective_classes")


def classify_2d(
    particles: Particles,
    options: ClassificationOptions,
    rng: np.random.Generator,
    state: ClassificationState | None = None,
    xp: Any = np,
    map_add: MapAdd | None = None,
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
    map_add : callable, optional
        Maps chunks of the same particles and adds their sums, on several workers perhaps; here by default.

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
    here = MapHere(particles, xp)
    map_add, images = map_add or here, images_of(here.workspace, options)
    sampling = images.sampling
    start_px = sampling.radius_of(options.start_resolution_A)
    schedule = make_schedule(particles.count, options, start_px, sampling.disc.radius_px)
    if state is None:
        state = _first_state(images, options, schedule, rng)
    else:
        rng.bit_generator.state = json.loads(state.rng_state)
    while not state.finished:
        state = _iterate(state, images, options, schedule, rng, map_add)
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
    classes = options.classes
    return ClassificationState(
        iteration=0,
        total=schedule.total,
        box_px=sampling.box_px,
        pixel_size_A=sampling.pixel_size_A,
        averages=averages,
        fine=sampling.xp.zeros((2, *averages.shape), dtype=averages.dtype),  # the halves must not begin alike
        numerator=sums.numerator,
        denominator=sums.denominator,
        noise=noise,
        shared_shell=sampling.shared_shell,
        frc=np.zeros((classes, shells)),
        frc_low=np.zeros((classes, shells)),
        snr=np.zeros((classes, shells)),
        weight=np.full(classes, count / classes),
        detail=np.zeros(classes),
        streak=np.zeros(classes),
        radius_px=schedule.start_radius_px,
        order=order,
        cursor=0,
        class_index=np.full(count, -1, np.int32),
        psi_deg=np.zeros(count, np.float32),
        shift_A=np.zeros((count, 2), np.float32),
        max_probability=np.zeros(count, np.float32),
        score=np.zeros(count, np.float32),
        effective_classes=np.zeros(count, np.float32),
        rng_state=json.dumps(rng.bit_generator.state),
    )


def _iterate(
    state: ClassificationState,
    images: DiscImages,
    options: ClassificationOptions,
    schedule: Schedule,
    rng: np.random.Generator,
    map_add: MapAdd,
) -> ClassificationState:
    sampling = images.sampling
    batch, order, cursor = _next_batch(state, schedule, rng)
    pass_ = _Pass(state, images, options, schedule)
    pass_.run(batch, map_add)
    gain, scale = schedule.gain(state.iteration), schedule.count / len(batch)
    running = Sums(state.numerator, state.denominator).forget(pass_.sums, gain, scale)
    empty = torn(pass_.weight) & pass_.shared.reseed
    running.clear(empty)
    solution = solve(running, sampling)
    noise = (1 - gain) * state.noise + gain * pass_.noise(len(batch))
    weight = (1 - gain) * state.weight + gain * scale * pass_.weight.sum(axis=0)
    weight[empty] = 0
    detail, streak = detail_gain(running, solution, noise, weight, sampling)
    supported = supported_radius(solution.frc_likely, weight)
    if options.recentre and state.iteration + 1 < state.total:
        running = recentre(running, solution.averages, sampling)
        solution = solve(running, sampling)
    return replace(
        state,
        averages=solution.averages,
        fine=solution.fine,
        frc=solution.frc,
        frc_low=solution.frc_low,
        snr=solution.snr,
        **vars(running),
        **pass_.assigned,
        iteration=state.iteration + 1,
        noise=noise,
        weight=weight,
        detail=detail,
        streak=streak,
        radius_px=schedule.radius(state.iteration + 1, supported),
        order=order,
        cursor=cursor,
        rng_state=json.dumps(rng.bit_generator.state),
    )


class _Pass:
    """One pass over a batch: sums of aligned images, class weights, and what became of each particle."""

    def __init__(
        self, state: ClassificationState, images: DiscImages, options: ClassificationOptions, schedule: Schedule
    ) -> None:
        self.state, self.sampling, self.options = state, images.sampling, options
        disc = self.sampling.disc
        precision = 1.0 / (state.noise[disc.shell] * schedule.temperature(state.iteration))
        # a little beyond the working resolution shows what the averages support; the rest is summed at the end
        last = state.iteration + options.full_iterations >= state.total
        self.shared = PassInput(
            iteration=state.iteration,
            options=options,
            averages=state.averages,
            fine=state.fine,
            precision=precision.astype(np.float32),
            weight=state.weight,
            count=disc.count_within(state.radius_px),
            summed=None if last else disc.count_within(state.radius_px + _BEYOND_SHELLS),
            reseed=schedule.may_reseed(state.iteration),
            shift_sd_px=state.shift_sd_px,
        )
        self.sums = Sums.zeros(options.classes, len(disc), self.sampling.xp)
        self.weight = np.zeros((2, options.classes))
        self.residual = np.zeros(len(disc))
        self.assigned = {name: getattr(state, name).copy() for name in _PER_PARTICLE}

    def run(self, batch: NDArray[np.intp], map_add: MapAdd) -> None:
        """Compare the even and the odd particles of a batch with their references and add them up."""
        halves = [np.sort(batch[batch % 2 == half]) for half in (0, 1)]
        parts = map_add(block_chunk, self.shared, [[(h, c) for c in cut(halves[h], BLOCK)] for h in (0, 1)])
        for half, (found, sums) in enumerate(parts):
            for part in found:
                self._record(part)
                self.weight[half] += part.weight
                self.residual += part.power
            if sums is not None:
                self.sums.add(sums.on(self.sampling.xp))
            spectra = reference_spectra(self.state.averages, self.state.fine[half], self.sampling)
            self.residual -= self._explained(half, spectra)

    def _record(self, found: Found) -> None:
        """Keep the best pose of each image."""
        for name, values in found.assigned.items():
            self.assigned[name][found.indices] = values

    def _explained(self, half: int, spectra: Array) -> NDArray[np.float64]:
        """Return ``Σ(2 Re⟨C x, s⟩ − ⟨C², |s|²⟩)`` by coefficient; the sums over images are those of the M-step."""
        s = to_numpy(spectra)
        numerator, denominator = to_numpy(self.sums.numerator[half]), to_numpy(self.sums.denominator[half])
        return np.sum(2 * (numerator * s.conj()).real - denominator * abs(s) ** 2, axis=0)

    def noise(self, count: int) -> NDArray[np.float64]:
        """Return the power per shell ``Σ|x − C s|² / count`` of what the classes leave unexplained."""
        noise = shell_mean(self.sampling.disc, np.maximum(self.residual, 0)[None] / count)[0]
        noise = np.maximum(noise, 0.1 * self.state.noise)
        noise[0] = noise[1]
        return noise


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
