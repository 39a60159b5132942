"""Both pickers on simulated micrographs, against truth, at their default thresholds."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from engine.geometry import random_rotations
from engine.picking.blob import round_bank
from engine.picking.grid import picking_grid
from engine.picking.match import match_picks
from engine.picking.pick import PickSettings, pick_micrograph
from engine.picking.scores import ScoreSample, Thresholds, automatic_thresholds
from engine.picking.templates import template_bank
from engine.simulation.micrographs import SimulatedMicrograph, simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.settings import SMALL

TOLERANCE_A = 40.0
SETTINGS = replace(SMALL, count=3)
GRID = picking_grid(SETTINGS.shape, SETTINGS.pixel_size_A, 20.0)


@pytest.fixture(scope="module")
def micrographs() -> list[SimulatedMicrograph]:
    return list(simulate_micrographs(channel_in_nanodisc(), SETTINGS, np.random.default_rng(5)))


def judge(name: str, banks: list, micrographs: list[SimulatedMicrograph]) -> tuple[float, float]:
    """F1 and centre error; particles and empty nanodiscs are objects, ice, aggregates and noise are not."""
    started = time.process_time()
    found = [
        pick_micrograph(m.image, GRID, banks, PickSettings(160.0), m.truth.defocus, SETTINGS.optics)
        for m in micrographs
    ]
    seconds = (time.process_time() - started) / len(micrographs)
    together = ScoreSample(*(np.concatenate([getattr(c, f) for c in found]) for f in ("ncc", "power")))
    decoys = ScoreSample(
        *(np.concatenate([getattr(c, f) for c in found]) for f in ("decoy_ncc", "decoy_power", "decoy_weight"))
    )
    bounds = automatic_thresholds(together, decoys, Thresholds())
    hits = picks = objects = 0
    errors_A = []
    for candidates, micrograph in zip(found, micrographs, strict=True):
        inside = bounds.accept(candidates.ncc, candidates.power)
        positions = np.stack([candidates.x_px, candidates.y_px], axis=1)[inside]
        truth = micrograph.truth.coordinates_px[micrograph.truth.kinds < 2]
        match = match_picks(positions, truth, TOLERANCE_A / SETTINGS.pixel_size_A)
        hits += int((match.truth_of_pick >= 0).sum())
        picks += len(positions)
        errors_A.append(match.median_error_px * SETTINGS.pixel_size_A)
        objects += len(truth)
    print(f"{name}: recall {hits / objects:.3f}, precision {hits / picks:.3f}, {seconds:.2f} CPU s each, {bounds}")
    return 2 * hits / (picks + objects), float(np.median(errors_A))


def test_template_picker_finds_the_particles(micrographs: list[SimulatedMicrograph]) -> None:
    rotations = random_rotations(3, np.random.default_rng(9))
    averages = project_atoms(channel_in_nanodisc(), rotations, np.zeros((3, 2)), 90, SETTINGS.pixel_size_A)
    size_A = GRID.coarse_pixel_size_A
    templates = template_bank(averages.astype(np.float32), SETTINGS.pixel_size_A, size_A, 160.0)
    f1, error_A = judge("templates", [templates, round_bank(160.0, size_A)], micrographs)
    assert f1 >= 0.9 and error_A <= 5.0


def test_blob_picker_finds_the_particles(micrographs: list[SimulatedMicrograph]) -> None:
    f1, error_A = judge("blobs", [round_bank(160.0, GRID.coarse_pixel_size_A)], micrographs)
    assert f1 >= 0.87 and error_A <= 12.0
