"""Stacks of 16-bit images are read everywhere as those of 32 bits are."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.classification.classify import classify_2d
from engine.classification.options import ClassificationOptions
from engine.initial_model.ab_initio import InitialModelOptions, initial_model
from engine.optics import Optics
from engine.refinement.refine import RefinementOptions, pose_distance_deg, refine
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import MrcStackWriter
from spa_widgets.io.star import write_star
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step, load_steps

BOX_PX, PIXEL_A, COUNT = 36, 6.0, 40


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> list[ParticleSet]:
    """The same particles as stacks of 32 and of 16 bits."""
    folder = tmp_path_factory.mktemp("stacks")
    rng = np.random.default_rng(4)
    optics = Optics(300.0, 2.7, 0.1)
    images, truth = simulate_particles(channel_in_nanodisc(), COUNT, BOX_PX, PIXEL_A, optics, (8e3, 2e4), 0.3, rng)
    table = {
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [2.7],
        "rlnAmplitudeContrast": [0.1],
        "rlnImagePixelSize": [PIXEL_A],
        "rlnImageSize": [BOX_PX],
        "rlnOpticsGroup": [1],
    }
    return [_written(folder, np.dtype(kind), images, truth, pd.DataFrame(table)) for kind in ("float32", "float16")]


def _written(folder: Path, dtype: np.dtype, images: np.ndarray, truth: object, optics: pd.DataFrame) -> ParticleSet:
    stack = folder / f"{dtype.name}.mrcs"
    with MrcStackWriter(stack, COUNT, BOX_PX, PIXEL_A, dtype) as writer:
        writer.append(images.astype(dtype))
    defocus = truth.defocus  # type: ignore[attr-defined]
    particles = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@{stack}" for i in range(COUNT)],
            "rlnOpticsGroup": 1,
            "rlnDefocusU": defocus.u_A,
            "rlnDefocusV": defocus.v_A,
            "rlnDefocusAngle": defocus.angle_deg,
            "rlnRandomSubset": 1 + np.arange(COUNT) % 2,
        }
    )
    star = folder / f"{dtype.name}.star"
    write_star(star, {"optics": optics, "particles": particles})
    return ParticleSet.read(star)


def test_the_loader_gives_the_same_images(sets: list[ParticleSet]) -> None:
    full, half = (s.to_engine().images() for s in sets)
    assert full.dtype == half.dtype == np.float32
    assert np.abs(full - half).max() <= 2.0**-11 * np.abs(full).max()


def test_classes_of_both_are_the_same(sets: list[ParticleSet]) -> None:
    options = ClassificationOptions(classes=2, mask_diameter_A=160.0, max_resolution_A=16.0, iterations=2)
    results = []
    for some in sets:
        *_, last = classify_2d(some.to_engine(), options, np.random.default_rng(1))
        results.append(np.asarray(last.averages))
    likeness = np.corrcoef(results[0].reshape(-1), results[1].reshape(-1))[0, 1]
    print(f"correlation of the averages {likeness:.6f}")
    assert likeness > 0.999


def test_refinements_of_both_are_the_same(sets: list[ParticleSet]) -> None:
    options = RefinementOptions(symmetry="C8", mask_diameter_A=160.0, max_iterations=3, align_symmetry=False)
    start = density(channel_in_nanodisc(), BOX_PX, PIXEL_A)
    full, half = (
        list(refine(some.to_engine(), some.half_sets, start, options, np.random.default_rng(1)))[-1] for some in sets
    )
    apart_deg = pose_distance_deg(full.rotations, half.rotations, "C8")
    likeness = np.corrcoef(full.half_maps.ravel(), half.half_maps.ravel())[0, 1]
    print(f"poses {np.median(apart_deg):.4f}° apart, correlation of the half maps {likeness:.6f}")
    assert np.median(apart_deg) < 0.05
    assert np.mean(apart_deg < 1.0) > 0.9  # where two poses fit alike, the last bit decides
    assert likeness > 0.995
    assert half.resolution_A == pytest.approx(full.resolution_A, rel=0.05)


def test_initial_models_of_both_are_the_same(sets: list[ParticleSet]) -> None:
    options = InitialModelOptions(160.0, symmetry="C8", starts=1, start_iterations=2, candidates=8)
    results = []
    for some in sets:
        *_, last = islice(initial_model(some.to_engine(), options, np.random.default_rng(1)), 2)
        results.append(last.volumes[0])
    assert not np.array_equal(results[0], results[1])  # the images are in it
    likeness = np.corrcoef(results[0].ravel(), results[1].ravel())[0, 1]
    print(f"correlation of the models {likeness:.6f}")
    assert likeness > 0.995


def test_half_precision_is_a_choice_of_the_extraction() -> None:
    load_steps()
    step = get_step("extract")
    assert validate_params(step.params, {}, "extract").float16 is False  # type: ignore[attr-defined]
