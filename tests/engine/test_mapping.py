"""Map, add, solve: whoever maps the chunks, in whatever order they finish, the result is the same to the last bit."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from engine.classification import classify
from engine.classification.options import ClassificationOptions
from engine.initial_model import mapped, poses
from engine.initial_model.ab_initio import InitialModelOptions, initial_model
from engine.initial_model.sums import FOLDS
from engine.mapping import GROUP, MOST_CHUNKS, MapHere, Work, Workspace, added, as_tree, cut, on_host
from engine.optics import Optics
from engine.particles import Particles
from engine.refinement import chunks, refine
from engine.refinement.state import RefinementOptions
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density

BOX, PIXEL_A, COUNT = 32, 6.93, 150
OPTICS = Optics(300.0, 1.6, 0.1)


class MapElsewhere:
    """Three workers that see nothing but what was sent to them, each with its own particles, in an order of chance."""

    def __init__(self, particles: Particles) -> None:
        self.spaces = [Workspace(particles, np, workers=3) for _ in range(3)]
        self.rng = np.random.default_rng(8)
        self.mapped: list[int] = []

    @property
    def workers(self) -> int:
        return len(self.spaces)

    def __call__(self, work: Work, shared: Any, sets: Sequence[Sequence[Any]]) -> list[tuple[list[Any], Any]]:
        sent = pickle.dumps((work, on_host(shared)))
        self.mapped += [len(chunks) for chunks in sets]
        places = [(s, c) for s, chunks in enumerate(sets) for c in range(len(chunks))]
        results = {}
        for place in self.rng.permutation(len(places)):
            s, c = places[place]
            function, common = pickle.loads(sent)
            results[s, c] = function(self.spaces[self.rng.integers(3)], common, pickle.loads(pickle.dumps(sets[s][c])))
        return [self._summed([results[s, c] for c in range(len(chunks))]) for s, chunks in enumerate(sets)]

    @staticmethod
    def _summed(parts: list[tuple[Any, Any]]) -> tuple[list[Any], Any]:
        return [found for found, _ in parts], as_tree(parts, lambda part: part[1], added)


@pytest.fixture(scope="module")
def particles() -> Particles:
    rng = np.random.default_rng(2)
    atoms = channel_in_nanodisc()
    images, truth = simulate_particles(atoms, COUNT, BOX, PIXEL_A, OPTICS, (8000, 22000), 0.2, rng, offset_px=1.0)
    return Particles.from_array(images, PIXEL_A, truth.defocus, OPTICS)


def test_chunks_depend_on_the_number_of_particles_alone() -> None:
    for count in (1, 63, 64, 65, 5000, 64 * 64, 64 * 64 + 1, 1_000_000):
        chunks = cut(np.arange(count), 64)
        assert np.array_equal(np.concatenate(chunks), np.arange(count))
        assert len(chunks) <= MOST_CHUNKS
        assert all(len(chunk) % 64 == 0 for chunk in chunks[:-1])
    assert [len(chunk) for chunk in cut(np.arange(130), 64)] == [64, 64, 2]
    assert cut(np.arange(0), 64) == []


class Number:
    """A sum whose last bits show the order of the addition."""

    def __init__(self, value: float) -> None:
        self.value = np.float32(value)

    def add(self, other: Number) -> None:
        self.value += other.value


def test_sums_are_added_as_a_tree(particles: Particles) -> None:
    values = np.random.default_rng(1).standard_normal(3 * GROUP**2 - 2).astype(np.float32)

    def by_hand(items: list[np.float32]) -> np.float32:
        """Groups, then groups of groups, until one is left."""
        total = items[0]
        for item in items[1:]:
            total = np.float32(total + item)
        return total

    level = list(values)
    while len(level) > 1:
        level = [by_hand(level[start : start + GROUP]) for start in range(0, len(level), GROUP)]
    [(found, total)] = MapHere(particles)(lambda space, shared, v: (v, Number(v * shared)), 1, [list(values)])
    assert found == list(values)
    assert total.value == level[0]
    assert MapHere(particles)(lambda space, shared, v: (v, None), 1, [[]]) == [([], None)]


def test_few_partial_sums_exist_at_once(particles: Particles) -> None:
    alive, most = [0], [0]

    class Counted:
        def __init__(self) -> None:
            alive[0] += 1
            most[0] = max(most[0], alive[0])

        def __del__(self) -> None:
            alive[0] -= 1

        def add(self, other: Counted) -> None:
            pass

    MapHere(particles)(lambda space, shared, v: (None, Counted()), None, [list(range(GROUP**3))])
    assert most[0] == 4  # one for each level, and the newest


def test_a_job_may_stop_between_chunks(particles: Particles) -> None:
    seen: list[int] = []

    def look() -> None:
        if len(seen) == 2:
            raise InterruptedError

    with pytest.raises(InterruptedError):
        MapHere(particles, look=look)(lambda space, shared, v: (seen.append(v), None), None, [[1, 2, 3, 4]])
    assert seen == [1, 2]


def test_refinement_is_the_same_whoever_maps(particles: Particles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(refine, "CHUNK", 8)
    monkeypatch.setattr(chunks, "CHUNK", 8)
    options = RefinementOptions(
        symmetry="C8", mask_diameter_A=160, max_iterations=6, align_symmetry=False, refine_defocus=True
    )
    start = density(channel_in_nanodisc(), BOX, PIXEL_A)
    halves = np.arange(COUNT) % 2 + 1

    def run(map_add: Any) -> Any:
        rng = np.random.default_rng(3)
        first = next(refine.refine(particles, halves, start, options, rng, map_add=map_add))
        # on to the searches about the last poses, which find the defocus of each particle, and to the last pass
        settled = first.evolve(iteration=3, jumped=0.0, was_global=False, global_resolution_A=first.resolution_A)
        return list(refine.refine(particles, halves, start, options, rng, settled, map_add=map_add))

    here, elsewhere = run(None), run(MapElsewhere(particles))
    assert here[-1].finished and np.any(here[-1].defocus_shift_A)
    for one, other in zip(here, elsewhere, strict=True):
        for name, value in one.to_dict().items():
            assert np.array_equal(value, getattr(other, name)), name


def test_classes_are_the_same_whoever_maps(particles: Particles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(classify, "BLOCK", 8)
    options = ClassificationOptions(classes=4, mask_diameter_A=160, iterations=3, full_iterations=1)

    def run(map_add: Any) -> Any:
        *_, last = classify.classify_2d(particles, options, np.random.default_rng(4), map_add=map_add)
        return last

    here, elsewhere = run(None), run(MapElsewhere(particles))
    for name, value in here.to_dict().items():
        assert np.array_equal(value, getattr(elsewhere, name)), name


def test_a_first_model_is_the_same_whoever_maps(particles: Particles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poses, "_ASSIGNED_AT_ONCE", 16)
    monkeypatch.setattr(mapped, "_LEAST_SHARED", 8)
    # all iterations but the first search, each mini-batch in shares of 8, 8 and 9 images
    options = InitialModelOptions(
        160.0, symmetry="C2", starts=1, start_iterations=2, iterations=4, final_resolution_A=20.0, batch_first=25
    )
    *_, last = initial_model(particles, options, np.random.default_rng(5))
    others = MapElsewhere(particles)
    *_, spread = initial_model(particles, options, np.random.default_rng(5), map_add=others)
    assert others.mapped == [3] * 3 * FOLDS
    for name, value in last.to_dict().items():
        assert np.array_equal(value, spread.to_dict()[name], equal_nan=np.asarray(value).dtype.kind == "f"), name
    here, elsewhere = (
        poses.assign_poses(particles, options, last, map_add=mapper) for mapper in (None, MapElsewhere(particles))
    )
    assert np.array_equal(here.indices, np.arange(COUNT))
    for name in here.__dataclass_fields__:
        assert np.array_equal(getattr(here, name), getattr(elsewhere, name)), name
