"""Micrographs against their own truth: geometry, contrast, noise, defocus, repeatability."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from engine.ctf.model import ctf_rfft2
from engine.fourier.filters import low_pass
from engine.fourier.transforms import irfft2, rfft2
from engine.geometry import euler_to_matrix
from engine.optics import Defocus
from engine.simulation.ice import ice_image
from engine.simulation.layout import draw_layout, mean_defoci, surface_height
from engine.simulation.micrographs import simulate_micrograph, simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.settings import OBJECT_KINDS, SMALL, WORKSHOP, preset

TINY = replace(SMALL, count=3, shape=(440, 512), objects_per_micrograph=12)


def test_presets_have_the_counts_of_the_data_they_stand_for(rng: np.random.Generator) -> None:
    small = [draw_layout(SMALL, d, rng) for d in mean_defoci(SMALL, rng)]
    total = sum(len(t.kinds) for t in small)
    junk = np.mean(np.concatenate([t.kinds for t in small]) != OBJECT_KINDS.index("particle"))
    large = np.mean([len(draw_layout(WORKSHOP, 15e3, rng).kinds) for _ in range(4)]) * WORKSHOP.count
    print(f"small: {total} objects, {junk:.0%} junk; workshop: about {large:.0f} objects")
    assert 500 <= total <= 800
    assert 0.24 < junk < 0.36
    assert 23_000 < large < 31_000
    assert WORKSHOP.shape == (3838, 3710)
    with pytest.raises(ValueError, match="no preset"):
        preset("huge")


def test_the_same_seed_gives_the_same_bytes_and_any_micrograph_can_be_made_alone() -> None:
    atoms = channel_in_nanodisc()
    both = list(islice(simulate_micrographs(atoms, TINY, np.random.default_rng(5)), 2))
    again = next(simulate_micrographs(atoms, TINY, np.random.default_rng(5), start=1))
    assert again.image.tobytes() == both[1].image.tobytes()
    assert np.array_equal(again.truth.coordinates_px, both[1].truth.coordinates_px)
    assert both[0].image.shape == TINY.shape and both[0].image.dtype == np.float32


def test_particles_are_dark_at_their_coordinates_and_have_the_stated_snr(rng: np.random.Generator) -> None:
    """Clean pictures at the true places, poses and defoci explain the micrograph as the SNR says."""
    atoms = channel_in_nanodisc()
    settings = replace(TINY, ramp=0.0, objects_per_micrograph=8, kind_fractions=(1.0, 0.0, 0.0, 0.0))
    made = simulate_micrograph(atoms, settings, 16e3, rng)
    truth, image = made.truth, made.image / made.image.mean() - 1.0
    n, half = 110, 55
    gains = []
    for i, (x, y) in enumerate(np.rint(truth.coordinates_px).astype(int)):
        if not (half <= x < 512 - half and half <= y < 440 - half):
            continue
        offset = (truth.coordinates_px[i] - [x, y]) * settings.pixel_size_A
        clean = project_atoms(atoms, euler_to_matrix(truth.angles_deg[i])[None], offset[None], n, 2.464)[0]
        transfer = ctf_rfft2(n, 2.464, truth.object_defocus.take(i), settings.optics)
        model = irfft2(rfft2(clean) * transfer, (n, n))
        model -= model.mean()
        window = image[y - half : y + half, x - half : x + half]
        gains.append(float((window * model).sum() / np.sqrt((window**2).sum() * (model**2).sum())))
    print(f"correlation with the clean pictures: {np.round(gains, 3)}, stated SNR {truth.snr:.3f}")
    assert len(gains) >= 4
    assert max(gains) < -0.12  # protein is dark, and every one is where and how the truth says
    assert 0.04 < truth.snr < 0.12


def test_shot_noise_follows_the_dose() -> None:
    settings = replace(TINY, ice_thickness_A=1e-6, objects_per_micrograph=0, ramp=0.0)
    image = simulate_micrograph(channel_in_nanodisc(), settings, 15e3, np.random.default_rng(2)).image
    electrons = settings.dose_e_per_A2 * settings.dqe * settings.pixel_size_A**2
    assert abs(image.mean() / electrons - 1) < 0.002
    assert abs(image.var() / electrons - 1) < 0.02


def test_the_ice_shows_the_thon_rings_of_its_local_defocus(rng: np.random.Generator) -> None:
    """On either side of a tilted field, the spectrum fits the defocus there better than the mean one."""
    shape, pixel_size_A, slope_A = (512, 1024), 2.464, 1500.0
    optics = SMALL.optics
    surface = np.array([0.0, slope_A, 0.0, 0.0, 0.0, 0.0])

    def transfer(more_A: float) -> np.ndarray:
        return ctf_rfft2(shape, pixel_size_A, Defocus(15e3 + more_A, 15e3 + more_A, 0.0), optics)

    image = ice_image(shape, pixel_size_A, 400.0, surface, transfer, rng)
    trials = np.arange(13e3, 17.2e3, 100.0)
    found = []
    for first in (0, 768):
        strip = np.stack([image[y : y + 256, first : first + 256] for y in (0, 128, 256)])
        power = (np.abs(rfft2(strip * np.outer(np.hanning(256), np.hanning(256)))) ** 2).mean(axis=0)
        models = ctf_rfft2(256, pixel_size_A, Defocus(trials, trials, np.zeros_like(trials)), optics) ** 2
        ky, kx = np.fft.fftfreq(256)[:, None] / pixel_size_A, np.fft.rfftfreq(256)[None] / pixel_size_A
        band = (np.hypot(ky, kx) > 1 / 25) & (np.hypot(ky, kx) < 1 / 7)
        scores = [np.corrcoef(power[band], model[band])[0, 1] for model in models]
        found.append(trials[int(np.argmax(scores))])
    expected = [15e3 - 0.75 * slope_A, 15e3 + 0.75 * slope_A]
    print(f"defocus of the left and right quarters: {found}, expected about {expected}")
    assert np.abs(np.subtract(found, expected)).max() < 250


def test_defocus_surface_and_heights_are_in_the_truth(rng: np.random.Generator) -> None:
    settings = replace(WORKSHOP, height_spread_A=0.0)
    truth = draw_layout(settings, 12e3, rng)
    x, y = truth.coordinates_px.T
    expected = surface_height(truth.surface_A, x / (3710 / 2) - 1, y / (3838 / 2) - 1)
    assert np.allclose(truth.object_defocus.mean_A - truth.defocus.mean_A, expected)
    grid = np.linspace(-1, 1, 101)
    assert abs(surface_height(truth.surface_A, grid[None], grid[:, None]).mean()) < 0.02 * settings.surface_A
    assert np.ptp(expected) > 60.0


def test_objects_keep_their_distance(rng: np.random.Generator) -> None:
    xy = draw_layout(SMALL, 15e3, rng).coordinates_px * SMALL.pixel_size_A
    distance = np.linalg.norm(xy[:, None] - xy[None], axis=-1)[np.triu_indices(len(xy), 1)]
    assert distance.min() >= SMALL.spacing_A * 2 / 3 - 1e-6
    assert xy.min() >= SMALL.margin_A - 1e-6
    too_small = replace(SMALL, shape=(64, 64))
    with pytest.raises(ValueError, match="no room"):
        draw_layout(too_small, 15e3, rng)


def test_ice_blobs_are_darker_than_particles() -> None:
    dark = []
    for fractions in ((1.0, 0.0, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0)):
        settings = replace(TINY, ramp=0.0, objects_per_micrograph=6, kind_fractions=fractions)
        made = simulate_micrograph(channel_in_nanodisc(), settings, 18e3, np.random.default_rng(8))
        smooth = low_pass(made.image, 2.464, 40.0)
        dark.append(float(smooth.min() / made.image.mean()))
    assert dark[1] < dark[0] < 1.0
