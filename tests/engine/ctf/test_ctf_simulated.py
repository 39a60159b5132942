"""Defocus of the simulator's small preset: particles, junk, ice and local defocus, all known."""

from __future__ import annotations

from itertools import islice

import numpy as np

from engine.ctf.estimate import estimate_ctf
from engine.ctf.fit_patch import evaluate_surface
from engine.simulation.micrographs import simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.settings import preset


def test_defocus_of_the_small_preset() -> None:
    settings = preset("small")
    line = np.linspace(-1, 1, 21)
    percent, standard, astigmatic = [], [], []
    made = simulate_micrographs(channel_in_nanodisc(), settings, np.random.default_rng(0))
    for micrograph in islice(made, 4):
        truth = micrograph.truth
        mean = truth.defocus.mean_A + evaluate_surface(truth.surface_A, line[:, None], line).mean()
        fit = estimate_ctf(micrograph.image, settings.pixel_size_A, settings.optics)
        percent.append(100 * abs(fit.mean_defocus_A / mean - 1))
        standard.append(abs(fit.mean_defocus_A - mean) / fit.error_A)
        astigmatic.append(abs(fit.astigmatism_A - truth.defocus.astigmatism_A))
        assert fit.confidence > 0.7
        assert fit.curves.cross_correlation[:10].min() > 0.6
    print(f"defocus {np.mean(percent):.2f} % (worst {np.max(percent):.2f} %), astigmatism {np.mean(astigmatic):.0f} Å")
    assert np.mean(percent) < 0.4
    assert np.max(percent) < 1.0
    assert np.max(standard) < 4.0, "the stated error is an honest one"
    assert np.mean(astigmatic) < 120
