"""Particles with known poses, and RELION where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from engine.ctf.model import ctf_rfft2
from engine.geometry import euler_to_matrix, matrix_to_euler, random_rotations
from engine.optics import Defocus, Optics
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density, project_atoms
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc

BOX_PX, PIXEL_SIZE_A, COUNT = 48, 4.5, 320
OPTICS = Optics(300.0, 1.6, 0.1)

Relion = Callable[..., str]


@pytest.fixture
def relion() -> Relion:
    """Run a program of RELION in a folder; skip where there is none."""
    if shutil.which("relion_reconstruct") is None:
        pytest.skip("RELION is not installed")

    def run(folder: Path, program: str, *arguments: object) -> str:
        command = [program, *(str(argument) for argument in arguments)]
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8", timeout=120, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout

    return run


@dataclass(frozen=True)
class Simulated:
    """Images of the channel with strong astigmatism, as files, and what made them."""

    folder: Path
    particles: ParticleSet
    truth: NDArray[np.float32]

    @property
    def star(self) -> Path:
        return self.particles.path


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Simulated:
    """Particles off centre by up to 15 Å, astigmatism 4,000 Å in any direction; atoms summed in real space."""
    folder = tmp_path_factory.mktemp("agreement")
    rng = np.random.default_rng(17)
    atoms, rotations = channel_in_nanodisc(), random_rotations(COUNT, rng)
    shifts_A = rng.uniform(-15, 15, (COUNT, 2))
    mean_A = rng.uniform(9000, 20000, COUNT)
    defocus = Defocus(mean_A + 2000, mean_A - 2000, rng.uniform(0, 180, COUNT))
    clean = project_atoms(atoms, rotations, -shifts_A, BOX_PX, PIXEL_SIZE_A)
    images = np.fft.irfft2(np.fft.rfft2(clean) * ctf_rfft2(BOX_PX, PIXEL_SIZE_A, defocus, OPTICS))
    noisy = images / images.std() + rng.normal(0, 0.5, images.shape)
    write_mrc(folder / "particles.mrcs", noisy.astype(np.float32), PIXEL_SIZE_A, is_stack=True)
    angles_deg = matrix_to_euler(rotations)
    assert np.allclose(euler_to_matrix(angles_deg), rotations)
    table = pd.DataFrame(
        {
            "rlnImageName": [f"{i + 1:06d}@{folder}/particles.mrcs" for i in range(COUNT)],
            "rlnOpticsGroup": 1,
            "rlnDefocusU": defocus.u_A,
            "rlnDefocusV": defocus.v_A,
            "rlnDefocusAngle": defocus.angle_deg,
            "rlnRandomSubset": np.arange(COUNT) % 2 + 1,
            "spaNoteOfOurs": "kept",
        }
    )
    group = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnImagePixelSize": [PIXEL_SIZE_A],
        "rlnImageSize": [BOX_PX],
        "rlnImageDimensionality": [2],
        "rlnVoltage": [OPTICS.voltage_kv],
        "rlnSphericalAberration": [OPTICS.cs_mm],
        "rlnAmplitudeContrast": [OPTICS.amplitude_contrast],
    }
    particles = ParticleSet(table, pd.DataFrame(group), folder / "particles.star").with_poses(angles_deg, shifts_A)
    particles.write(folder / "particles.star")
    return Simulated(folder, ParticleSet.read(folder / "particles.star"), density(atoms, BOX_PX, PIXEL_SIZE_A))
