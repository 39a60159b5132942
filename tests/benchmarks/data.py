"""Simulated input with known truth, kept between runs under build/."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.geometry import euler_to_matrix
from engine.optics import Optics
from engine.simulation.particles import simulate_particles
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density, project_atoms
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star
from tests.benchmarks.commands import spa

OPTICS = Optics(300.0, 1.6, 0.1)
SYMMETRY = "C8"
DIAMETER_A = 160.0
_VERSION = 1  # raise it when the data change


@dataclass(frozen=True)
class ParticleData:
    """A stack on disk and its truth.

    Attributes
    ----------
    star, stack, map : Path
        ``particles.star``, ``particles.mrcs`` and the true map.
    box_px, pixel_size_A : int, float
    rotations : (count, 3, 3) array
    is_junk : (count,) bool array
        True where the image holds an empty nanodisc.
    """

    star: Path
    stack: Path
    map: Path
    box_px: int
    pixel_size_A: float
    rotations: NDArray[np.float64]
    is_junk: NDArray[np.bool_]


def particle_data(
    folder: Path, count: int, snr: float, box_px: int = 64, pixel_size_A: float = 3.465, junk: float = 0.0
) -> ParticleData:
    """Particle images of the embedded channel, 0.8–2.2 µm out of focus, up to 2 px off centre."""

    def make(place: Path) -> None:
        rng = np.random.default_rng(20240601)
        atoms = channel_in_nanodisc()
        images, truth = simulate_particles(
            atoms, count, box_px, pixel_size_A, OPTICS, (8e3, 22e3), snr, rng, junk_fraction=junk, offset_px=2.0
        )
        write_mrc(place / "particles.mrcs", images, pixel_size_A, is_stack=True)
        write_mrc(place / "map.mrc", density(atoms, box_px, pixel_size_A), pixel_size_A)
        np.save(place / "angles_deg.npy", truth.angles_deg)
        np.save(place / "is_junk.npy", truth.is_junk)
        names = [f"{i + 1:06d}@{folder_of / 'particles.mrcs'}" for i in range(count)]
        particles = pd.DataFrame(
            {
                "rlnImageName": names,
                # RELION wants groups of images; each stands for a micrograph of its own defocus
                "rlnMicrographName": [f"micrograph_{i % 10:02d}.mrc" for i in range(count)],
                "rlnOpticsGroup": 1,
                "rlnDefocusU": truth.defocus.u_A,
                "rlnDefocusV": truth.defocus.v_A,
                "rlnDefocusAngle": truth.defocus.angle_deg,
                "rlnPhaseShift": 0.0,
                "rlnRandomSubset": 1 + np.arange(count) % 2,
            }
        )
        write_star(place / "particles.star", {"optics": optics_table(box_px, pixel_size_A), "particles": particles})

    folder_of = folder / f"particles-{count}-{box_px}px-snr{snr:g}{f'-junk{junk:g}' if junk else ''}-v{_VERSION}"
    kept(folder_of, make)
    rotations = euler_to_matrix(np.load(folder_of / "angles_deg.npy"))
    is_junk = np.load(folder_of / "is_junk.npy") if junk else np.zeros(count, np.bool_)
    star, stack = folder_of / "particles.star", folder_of / "particles.mrcs"
    return ParticleData(star, stack, folder_of / "map.mrc", box_px, pixel_size_A, np.asarray(rotations), is_junk)


def optics_table(box_px: int, pixel_size_A: float) -> pd.DataFrame:
    """Optics table of a stack as RELION 3.1 wants it."""
    return pd.DataFrame(
        {
            "rlnOpticsGroup": [1],
            "rlnOpticsGroupName": ["opticsGroup1"],
            "rlnVoltage": [float(OPTICS.voltage_kv)],
            "rlnSphericalAberration": [float(OPTICS.cs_mm)],
            "rlnAmplitudeContrast": [float(OPTICS.amplitude_contrast)],
            "rlnImagePixelSize": [pixel_size_A],
            "rlnMicrographPixelSize": [pixel_size_A],
            "rlnImageSize": [box_px],
            "rlnImageDimensionality": [2],
        }
    )


def micrograph_data(folder: Path, preset: str, count: int) -> Path:
    """Folder of simulated micrographs: ``micrographs.star``, ``micrographs/`` and ``truth/``."""
    place = folder / f"{preset}-{count}-v{_VERSION}"
    if not (place / "done.json").exists():
        print(f"  simulating {count} micrographs ({preset}) once …", file=sys.stderr, flush=True)
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir(parents=True)
        spa(["simulate", "--preset", preset, "--micrographs", count], place / "set", place)
        (place / "done.json").write_text(json.dumps({"preset": preset, "count": count}), encoding="utf-8")
    return place / "set"


def templates(folder: Path, pixel_size_A: float, views: int = 8) -> Path:
    """Noise-free views of the particle from several directions, as a stack of templates."""

    def make(place: Path) -> None:
        box = 2 * round(222.0 / pixel_size_A / 2)
        directions = euler_to_matrix(
            np.stack([np.zeros(views), np.degrees(np.arccos(np.linspace(1, 0, views))), np.zeros(views)], axis=1)
        )
        images = project_atoms(channel_in_nanodisc(), directions, np.zeros((views, 2)), box, pixel_size_A)
        write_mrc(place / "templates.mrcs", images, pixel_size_A, is_stack=True)

    place = folder / f"templates-{views}-{pixel_size_A:g}A-v{_VERSION}"
    kept(place, make)
    return place / "templates.mrcs"


def kept(place: Path, make: Callable[[Path], None]) -> None:
    """Make a folder's content unless it is there; an interrupted making leaves nothing."""
    if place.exists():
        return
    draft = place.with_name(place.name + ".draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    make(draft)
    draft.rename(place)
