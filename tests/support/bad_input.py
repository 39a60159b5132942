"""A small project with everything in order, to be spoilt case by case."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from engine.optics import Optics
from engine.simulation.particles import ParticleTruth, simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star

BOX_PX, PIXEL_A, COUNT = 32, 6.0, 24
OPTICS = {
    "rlnOpticsGroup": [1],
    "rlnOpticsGroupName": ["opticsGroup1"],
    "rlnVoltage": [300.0],
    "rlnSphericalAberration": [2.7],
    "rlnAmplitudeContrast": [0.1],
}


def make_project(folder: Path) -> None:
    """Two micrographs, picks, particles, classes and maps; names relative to the folder."""
    rng = np.random.default_rng(8)
    for name in ("mic_a", "mic_b"):
        write_mrc(folder / f"{name}.mrc", rng.normal(100, 10, (192, 256)).astype(np.float32), 2.0)
    optics = pd.DataFrame({**OPTICS, "rlnMicrographPixelSize": [2.0]})
    micrographs = pd.DataFrame(
        {
            "rlnMicrographName": ["mic_a.mrc", "mic_b.mrc"],
            "rlnOpticsGroup": 1,
            "rlnDefocusU": [15000.0, 12000.0],
            "rlnDefocusV": [14800.0, 11900.0],
            "rlnDefocusAngle": [10.0, 70.0],
        }
    )
    write_star(folder / "micrographs.star", {"optics": optics, "micrographs": micrographs})
    picks = pd.DataFrame(
        {
            "rlnMicrographName": ["mic_a.mrc", "mic_a.mrc", "mic_b.mrc"],
            "rlnCoordinateX": [60.0, 150.0, 128.0],
            "rlnCoordinateY": [70.0, 120.0, 96.0],
        }
    )
    write_star(folder / "picks.star", {"particles": picks})
    _make_particles(folder, rng)
    volume = density(channel_in_nanodisc(), BOX_PX, PIXEL_A)
    write_mrc(folder / "map.mrc", volume, PIXEL_A)
    for half in "ab":
        noise = rng.normal(0, 0.1 * volume.std(), volume.shape).astype(np.float32)
        write_mrc(folder / f"half_{half}.mrc", volume + noise, PIXEL_A)
    write_mrc(folder / "mask.mrc", (volume > volume.std()).astype(np.float32), PIXEL_A)


def particle_table(truth: ParticleTruth, stack: str, micrograph: str) -> pd.DataFrame:
    """Give rows that say the truth about simulated particles, in half sets 1 and 2 by turns."""
    count = len(truth.angles_deg)
    return pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@{stack}" for i in range(count)],
            "rlnMicrographName": micrograph,
            "rlnOpticsGroup": 1,
            "rlnDefocusU": truth.defocus.u_A,
            "rlnDefocusV": truth.defocus.v_A,
            "rlnDefocusAngle": truth.defocus.angle_deg,
            "rlnAngleRot": truth.angles_deg[:, 0],
            "rlnAngleTilt": truth.angles_deg[:, 1],
            "rlnAnglePsi": truth.angles_deg[:, 2],
            "rlnOriginXAngst": 0.0,
            "rlnOriginYAngst": 0.0,
            "rlnRandomSubset": np.arange(count) % 2 + 1,
        }
    )


def _make_particles(folder: Path, rng: np.random.Generator) -> None:
    images, truth = simulate_particles(
        channel_in_nanodisc(), COUNT, BOX_PX, PIXEL_A, Optics(300.0, 2.7, 0.1), (9000, 15000), 0.5, rng
    )
    write_mrc(folder / "particles.mrcs", images, PIXEL_A, is_stack=True)
    optics = pd.DataFrame({**OPTICS, "rlnImagePixelSize": [PIXEL_A], "rlnImageSize": [BOX_PX]})
    particles = particle_table(truth, "particles.mrcs", "mic_a.mrc").assign(rlnClassNumber=np.arange(COUNT) % 3 + 1)
    write_star(folder / "particles.star", {"optics": optics, "particles": particles})
    (folder / "classes").mkdir()
    write_mrc(folder / "classes" / "class_averages.mrcs", images[:3], PIXEL_A, is_stack=True)
    write_star(folder / "classes" / "particles.star", {"optics": optics, "particles": particles})


def edit(path: Path, table: str, column: str | None = None, row: int | None = None, value: object = None) -> None:
    """Change a cell, drop a column (no value), or drop a whole table (no column) of a STAR file."""
    tables = read_star(path)
    if column is None:
        del tables[table]
    elif value is None:
        tables[table] = tables[table].drop(columns=column)
    else:
        frame = tables[table].astype({column: object}) if column in tables[table] else tables[table].copy()
        if row is None:
            frame[column] = value
        else:
            frame.loc[row, column] = value
        tables[table] = frame
    write_star(path, tables)


def keep_rows(path: Path, table: str, count: int) -> None:
    """Keep only the first rows of a table."""
    tables = read_star(path)
    tables[table] = tables[table].iloc[:count]
    write_star(path, tables)
