"""Draws of micrographs with known CTF: usual ones, strongly tilted ones, difficult ones of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from engine.optics import Optics
from tests.benchmarks.ctf_micrographs import CtfCase, tilted


def standard_case(rng: np.random.Generator) -> CtfCase:
    """Draw a full-size micrograph: 0.6–2.8 µm, 35 e/Å², astigmatism to 800 Å, tilt to 5°."""
    case = CtfCase(
        mean_A=float(rng.uniform(6e3, 28e3)),
        astigmatism_A=float(rng.uniform(0, 800)),
        angle_deg=float(rng.uniform(-90, 90)),
    )
    return tilted(case, float(rng.uniform(0, 5)), float(rng.uniform(0, 360)), rng.uniform(-25, 25, 3))


def steep_case(rng: np.random.Generator) -> CtfCase:
    """Draw a full-size micrograph with a tilt of 8–10° and, half of the times, astigmatism of 2,000–3,000 Å."""
    case = standard_case(rng)
    if rng.uniform() < 0.5:
        case = replace(case, astigmatism_A=float(rng.uniform(2e3, 3e3)))
    return tilted(case, float(rng.uniform(8, 10)), float(rng.uniform(0, 360)), rng.uniform(-25, 25, 3))


def random_case(rng: np.random.Generator) -> CtfCase:
    """Draw a difficult micrograph, a third as large as the standard one: see the ranges."""
    mean = float(np.exp(rng.uniform(np.log(3e3), np.log(5e4))))
    strong = rng.uniform() < 0.25
    largest = min(3000.0 if strong else 800.0, 0.35 * mean)
    voltage = 200.0 if rng.uniform() < 0.4 else 300.0
    case = CtfCase(
        shape=(2048, 2048),
        pixel_size_A=float(rng.uniform(0.8, 1.7)),
        optics=Optics(voltage, float(rng.choice([1.2, 1.4, 2.0, 2.7])), float(rng.choice([0.07, 0.1]))),
        mean_A=mean,
        astigmatism_A=largest * float(rng.uniform(0.5, 1) if strong else rng.uniform(0, 1)),
        angle_deg=float(rng.uniform(-90, 90)),
        phase_shift_deg=float(rng.uniform(15, 165)) if rng.uniform() < 0.2 else 0.0,
        dose_e_per_A2=float(rng.uniform(12, 50)),
        ice_A=float(np.exp(rng.uniform(np.log(80), np.log(800)))),
        objects_per_um2=float(rng.choice([0.0, 3.0, 10.0, 30.0])),
        envelope_B_A2=float(rng.uniform(60, 220)),
        mtf_at_nyquist=float(rng.uniform(0.2, 0.6)),
        noise_at_nyquist=float(rng.uniform(0.6, 1.0)),
        carbon_share=0.3 if rng.uniform() < 0.1 else 0.0,
        defects=200 if rng.uniform() < 0.1 else 0,
    )
    return tilted(case, float(rng.uniform(0, 8)), float(rng.uniform(0, 360)), rng.uniform(-40, 40, 3))
