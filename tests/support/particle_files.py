"""A small simulated stack with its STAR file and a first volume, for jobs that take time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.fourier.filters import low_pass
from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star

OPTICS = Optics(300.0, 1.6, 0.1)


def write_particles(folder: Path, count: int, box_px: int, pixel_size_A: float, seed: int = 4) -> None:
    """Write ``particles.star`` with half sets, its stack, and ``volume.mrc``: the truth at 30 Å."""
    atoms = channel_in_nanodisc()
    rng = np.random.default_rng(seed)
    images, truth = simulate_particles(atoms, count, box_px, pixel_size_A, OPTICS, (8000, 20000), 0.3, rng)
    write_mrc(folder / "p.mrcs", images, pixel_size_A, is_stack=True)
    table = {
        "rlnImageName": [f"{i + 1:06d}@p.mrcs" for i in range(count)],
        "rlnOpticsGroup": 1,
        "rlnRandomSubset": np.arange(count) % 2 + 1,
        "rlnDefocusU": truth.defocus.u_A,
        "rlnDefocusV": truth.defocus.v_A,
        "rlnDefocusAngle": truth.defocus.angle_deg,
    }
    group = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnImagePixelSize": [pixel_size_A],
        "rlnImageSize": [box_px],
        "rlnImageDimensionality": [2],
        "rlnVoltage": [OPTICS.voltage_kv],
        "rlnSphericalAberration": [OPTICS.cs_mm],
        "rlnAmplitudeContrast": [OPTICS.amplitude_contrast],
    }
    write_star(folder / "particles.star", {"optics": pd.DataFrame(group), "particles": pd.DataFrame(table)})
    coarse = low_pass(density(atoms, box_px, pixel_size_A), pixel_size_A, 30.0, ndim=3)
    write_mrc(folder / "volume.mrc", coarse, pixel_size_A)
