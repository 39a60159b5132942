"""Both pickers on simulated micrographs, against truth, at their default thresholds."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from engine.geometry import random_rotations
from engine.picking.blob import blob_bank, blob_diameters_A
from engine.picking.grid import picking_grid
from engine.picking.match import match_picks
from engine.picking.pick import PickSettings, pick_micrograph
from engine.picking.scores import BLOB_DECOY_WEIGHT, ScoreSample, Thresholds, automatic_thresholds
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


def judge(name: str, banks: list, micrographs: list[SimulatedMicrograph], use_ctf: bool, weight: float) -> None:
    """Particles and empty nanodiscs are objects; ice, aggregates and noise are not."""
    started = time.process_time()
    found = [
        pick_micrograph(
            m.image, GRID, banks, PickSettings(160.0), m.truth.defocus if use_ctf else None, SETTINGS.optics
        )
        for m in micrographs
    ]
    seconds = (time.process_time() - started) / len(micrographs)
    together = ScoreSample(*(np.concatenate([getattr(c, f) for c in found]) for f in ("ncc", "power")))
    decoys = ScoreSample(*(np.concatenate([getattr(c, f) for c in found]) for f in ("decoy_ncc", "decoy_power")))
    bounds = automatic_thresholds(together, decoys, Thresholds(), weight)
    hits = picks = objects = 0
    for candidates, micrograph in zip(found, micrographs, strict=True):
        inside = bounds.accept(candidates.ncc, candidates.power)
        positions = np.stack([candidates.x_px, candidates.y_px], axis=1)[inside]
        truth = micrograph.truth.coordinates_px[micrograph.truth.kinds < 2]
        match = match_picks(positions, truth, TOLERANCE_A / SETTINGS.pixel_size_A)
        hits += int((match.truth_of_pick >= 0).sum())
        picks += len(positions)
        objects += len(truth)
    print(
        f"{name}: recall {hits / objects:.3f}, precision {hits / picks:.3f}, {seconds:.2f} CPU s a micrograph, {bounds}"
    )
    assert hits / objects >= 0.85
    assert hits / picks >= 0.85


def test_template_picker_finds_the_particles(micrographs: list[SimulatedMicrograph]) -> None:
    rotations = random_rotations(3, np.random.default_rng(9))
    averages = project_atoms(channel_in_nanodisc(), rotations, np.zeros((3, 2)), 90, SETTINGS.pixel_size_A)
    bank = template_bank(averages.astype(np.float32), SETTINGS.pixel_size_A, GRID.coarse_pixel_size_A, 160.0)
    judge("templates", [bank], micrographs, use_ctf=True, weight=1.0)


def test_blob_picker_finds_the_particles(micrographs: list[SimulatedMicrograph]) -> None:
    banks = [blob_bank(float(d), GRID.coarse_pixel_size_A) for d in blob_diameters_A(136.0, 160.0)]
    judge("blobs", banks, micrographs, use_ctf=False, weight=BLOB_DECOY_WEIGHT)
