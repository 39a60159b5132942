"""Many templates mixed from few kernels: the same scores where it matters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from engine.geometry import random_rotations
from engine.optics import Defocus, Optics
from engine.picking.correlate import ScoreMaps, score_maps
from engine.picking.grid import flatten_micrograph, picking_grid
from engine.picking.span import LARGEST_SHARE, span_of
from engine.picking.templates import TemplateBank, template_bank
from engine.simulation.micrographs import simulate_micrograph
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.settings import SMALL

SETTINGS = replace(SMALL, shape=(512, 600), objects_per_micrograph=14)
GRID = picking_grid(SETTINGS.shape, SETTINGS.pixel_size_A, 20.0)
DEFOCUS, OPTICS = Defocus(15000.0, 14600.0, 30.0), Optics(300.0, 2.7, 0.07)


@pytest.fixture(scope="module")
def bank() -> TemplateBank:
    views = random_rotations(12, np.random.default_rng(4))
    averages = project_atoms(channel_in_nanodisc(), views, np.zeros((12, 2)), 90, SETTINGS.pixel_size_A)
    return template_bank(averages.astype(np.float32), SETTINGS.pixel_size_A, GRID.coarse_pixel_size_A, 160.0)


def maps(image: np.ndarray, bank: TemplateBank, few: bool) -> ScoreMaps:
    kernels = bank.few_kernels(DEFOCUS, OPTICS) if few else (bank.kernels(DEFOCUS, OPTICS), None)
    return score_maps(image, bank.weight, *kernels)


def test_templates_are_the_mixed_kernels(bank: TemplateBank) -> None:
    kernels, mix = bank.few_kernels(DEFOCUS, OPTICS)
    exact = bank.kernels(DEFOCUS, OPTICS).reshape(len(bank.images), -1)
    mixed = mix @ kernels.reshape(len(kernels), -1)
    alike = (exact * mixed).sum(axis=1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(mixed, axis=1)
    print(f"{len(kernels)} kernels for {len(exact)} templates, correlation {alike.min():.4f} and more")
    assert len(kernels) <= LARGEST_SHARE * len(exact)
    assert alike.min() > 0.9 and np.median(alike) > 0.97


def test_scores_are_those_of_all_templates_where_particles_are(bank: TemplateBank) -> None:
    made = simulate_micrograph(channel_in_nanodisc(), SETTINGS, 14800.0, np.random.default_rng(6))
    image = flatten_micrograph(made.image, GRID, 20.0, 500.0)
    few, exact = maps(image, bank, True), maps(image, bank, False)
    for one, other in ((few.ncc, exact.ncc), (few.opposite, exact.opposite)):
        high = other >= np.quantile(other, 0.97)
        error = (one - other)[high]
        print(f"mean error {error.mean():.4f}, standard deviation {error.std():.4f}")
        assert abs(error.mean()) < 0.01 and error.std() < 0.02
    high = exact.ncc >= np.quantile(exact.ncc, 0.995)
    assert (bank.class_number[few.template] == bank.class_number[exact.template])[high].mean() > 0.5


def test_few_templates_are_kept_as_they_are(rng: np.random.Generator) -> None:
    assert span_of(rng.normal(size=(10, 20, 20)).astype(np.float32), (8.0, 8.0)) is None
    turned = np.repeat(rng.normal(size=(3, 20, 20)), 7, axis=0) * rng.uniform(1, 2, (21, 1, 1))
    span = span_of(turned.astype(np.float32), (8.0, 8.0))
    assert span is not None and span.images.shape[0] == 3
    assert np.tensordot(span.mix, span.images, 1) == pytest.approx(turned, abs=1e-3)
