"""A stack crosses to the device once for 2D classes, a selection and a refinement; losing an image costs time only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import BOX, COUNT, DIAMETER_A, PIXEL_A, particle_case
from cupy_on_cpu import Traffic

from engine.arrays import to_numpy
from engine.classification.classify import classify_2d
from engine.classification.options import ClassificationOptions
from engine.fourier.filters import low_pass
from engine.initial_model.ab_initio import InitialModelOptions, initial_model
from engine.particles import Particles
from engine.refinement.refine import refine
from engine.refinement.state import RefinementOptions
from engine.residency import DeviceStacks

STACK_BYTES = 4 * COUNT * BOX**2


class Counted:
    """Particles of the case that keep their images on the device, and count how many were read."""

    def __init__(self, stacks: DeviceStacks, stack: str = "a") -> None:
        plain = particle_case().particles
        self.read: list[int] = []

        def load(indices: np.ndarray) -> np.ndarray:
            self.read.extend(indices.tolist())
            return plain.load(indices)

        numbers = stacks.numbers(stack, np.arange(COUNT))
        self.particles: Particles = replace(plain, load=load, resident=stacks, numbers=numbers)


def refined(particles: Particles, xp: Any) -> Any:
    case = particle_case()
    options = RefinementOptions(
        symmetry="C8", mask_diameter_A=DIAMETER_A, max_iterations=2, align_symmetry=False, coarse_step_deg=15.0
    )
    start = low_pass(case.volume, PIXEL_A, 30.0, ndim=3)
    halves = np.arange(particles.count) % 2 + 1
    return list(refine(particles, halves, start, options, np.random.default_rng(3), xp=xp))[-1]


def test_a_stack_is_read_and_uploaded_once_for_2d_a_first_model_and_refinement(xp: Any) -> None:
    counted = Counted(DeviceStacks(2 * STACK_BYTES))
    options = ClassificationOptions(classes=2, iterations=2, max_resolution_A=16)
    state = list(classify_2d(counted.particles, options, np.random.default_rng(1), xp=xp))[-1]
    assert sorted(counted.read) == list(range(COUNT))
    selected = np.flatnonzero(state.class_index == np.bincount(state.class_index).argmax())
    counted.read.clear()
    coarse = InitialModelOptions(DIAMETER_A, starts=1, start_resolution_A=45.0, batch_first=4, angular_sampling=3.0)
    next(initial_model(counted.particles.take(selected), coarse, np.random.default_rng(2), xp=xp))
    refined(counted.particles.take(selected), xp)
    assert counted.read == []


def test_another_set_of_the_same_images_finds_them(xp: Any, traffic: Traffic) -> None:
    stacks = DeviceStacks(2 * STACK_BYTES)
    first, second = Counted(stacks), Counted(stacks)
    first.particles.images_on(np.arange(COUNT), xp)
    traffic.clear()
    found = second.particles.images_on(np.array([7, 3, 3, 60]), xp)
    assert traffic.up_bytes < 100, "nothing but the places crosses"
    assert second.read == []
    assert np.array_equal(to_numpy(found), particle_case().particles.images([7, 3, 3, 60]))


def test_images_of_other_stacks_are_others(xp: Any) -> None:
    stacks = DeviceStacks(4 * STACK_BYTES)
    first, other = Counted(stacks, "a"), Counted(stacks, "b")
    first.particles.images_on(np.arange(4), xp)
    other.particles.images_on(np.arange(4), xp)
    assert set(other.read) == {0, 1, 2, 3}


@pytest.mark.parametrize("room", [0, 3, 10, 70])
def test_little_room_never_gives_a_wrong_image(xp: Any, room: int, rng: np.random.Generator) -> None:
    stacks = DeviceStacks(room * 4 * BOX**2)
    sets = [Counted(stacks, "a").particles, Counted(stacks, "b").particles.take(np.arange(COUNT)[::-1])]
    for _ in range(40):
        chosen = sets[rng.integers(2)]
        wanted = rng.integers(0, COUNT, rng.integers(1, 12))
        assert np.array_equal(to_numpy(chosen.images_on(wanted, xp)), chosen.images(wanted))


def test_what_was_not_used_for_longest_leaves_first(xp: Any) -> None:
    counted = Counted(DeviceStacks(6 * 4 * BOX**2))
    on_device = counted.particles.images_on
    for wanted in ([0, 1, 2, 3, 4, 5], [0, 1, 2], [6, 7]):
        on_device(np.array(wanted), xp)
    counted.read.clear()
    on_device(np.array([0, 1, 2, 6, 7]), xp)
    assert counted.read == []
    on_device(np.array([3]), xp)
    assert set(counted.read) == {3}


def test_the_host_keeps_nothing() -> None:
    counted = Counted(DeviceStacks())
    for _ in range(2):
        counted.particles.images_on(np.arange(3), np)
    assert counted.read == [0, 1, 2, 0, 1, 2]


def test_batches_are_read_ahead_in_their_order(xp: Any) -> None:
    counted = Counted(DeviceStacks(0))
    parts = [np.arange(0, 5), np.arange(5, 9), np.arange(20, 22)]
    found = []
    for images in counted.particles.batches_on(parts, xp):
        found.append(to_numpy(images))
    assert counted.read == [*range(9), 20, 21]
    for images, part in zip(found, parts, strict=True):
        assert np.array_equal(images, particle_case().particles.images(part))
    assert list(counted.particles.batches_on([], xp)) == []
