"""Our slices and CTF against projections that RELION made: angles, shifts, hand, defocus sign, astigmatism."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.fourier.transforms import irfft2_centred, rfft2_centred
from engine.geometry import euler_to_matrix
from engine.particles import Particles
from engine.reconstruction.fourier_volume import extract_slices, fourier_volume
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star

RADIUS_PX = 20


def slices(volume: NDArray[Any], angles_deg: NDArray[Any], shifts_px: NDArray[Any], disc: HalfDisc) -> NDArray[Any]:
    """Projections of a volume as RELION shifts them: its origin centres the image."""
    found = extract_slices(fourier_volume(volume), euler_to_matrix(angles_deg), disc)
    return found * disc.phase_ramps(-shifts_px.astype(np.float32))


def correlations(found: NDArray[Any], expected: NDArray[Any], disc: HalfDisc) -> NDArray[Any]:
    """Correlation of each of our coefficients with those of RELION's image, within the disc."""
    images = [
        irfft2_centred(disc.scatter(c), expected.shape[-2:]) for c in (found, disc.gather(rfft2_centred(expected)))
    ]
    return np.array([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(*images, strict=True)])


@pytest.mark.parametrize("kind", ["centered", "shifted"])
def test_slices_agree_with_projections_made_by_relion(shared_data: Path, kind: str) -> None:
    volume = read_mrc(shared_data / "formats/clean70SRibosome_vol_65p.mrc")[0][:64, :64, :64]
    tables = read_star(shared_data / f"formats/rln_proj_64_{kind}.star")  # origins in px become Å, at 1 Å/px
    particles = ParticleSet(tables["particles"], tables["optics"], shared_data / "formats" / "x.star")
    images = read_mrc(shared_data / f"formats/rln_proj_64_{kind}.mrcs")[0]
    disc = HalfDisc(64, 31)
    angles_deg, shifts_A = particles.poses()
    assert (kind == "shifted") == bool(np.abs(shifts_A).max() > 3)
    right = correlations(slices(volume, angles_deg, shifts_A, disc), images, disc)
    other_hand = correlations(slices(np.ascontiguousarray(volume[::-1]), angles_deg, shifts_A, disc), images, disc)
    print(f"{kind}: worst correlation {right.min():.4f}; of the mirrored volume at best {other_hand.max():.3f}")
    assert right.min() > 0.99  # the volume was cropped from 65 to 64 px, which costs half a per cent
    assert other_hand.max() < 0.95


@pytest.fixture
def projected(simulated: Any, relion: Callable[..., str], tmp_path: Path) -> tuple[ParticleSet, NDArray[Any]]:
    """RELION's projections of the true map for the first 24 particles, with CTF, read by our readers."""
    simulated.particles.take(np.arange(24)).write(tmp_path / "few.star")
    write_mrc(tmp_path / "map.mrc", simulated.truth, simulated.particles.pixel_size_A)
    relion(tmp_path, "relion_project", "--i", "map.mrc", "--o", "proj", "--ang", "few.star", "--ctf")
    made = ParticleSet.read(tmp_path / "proj.star")
    return made, made.to_engine().images()


def test_slices_times_ctf_agree_with_relion_project(
    simulated: Any, projected: tuple[ParticleSet, NDArray[Any]]
) -> None:
    made, images = projected
    disc = HalfDisc(made.to_engine().box_px, RADIUS_PX)
    angles_deg, shifts_A = made.poses()
    clean = slices(simulated.truth, angles_deg, shifts_A / made.pixel_size_A, disc)

    def agreement(particles: Particles) -> NDArray[Any]:
        return correlations(clean * particles.ctf_on_disc(disc, np.arange(made.count)), images, disc)

    particles = made.to_engine()
    right = agreement(particles)
    defocus = particles.defocus
    wrong = {
        "astigmatism the other way": replace(defocus, angle_deg=-np.asarray(defocus.angle_deg)),
        "u and v exchanged": replace(defocus, u_A=defocus.v_A, v_A=defocus.u_A),
        "overfocus": replace(defocus, u_A=-np.asarray(defocus.u_A), v_A=-np.asarray(defocus.v_A)),
    }
    others = {name: agreement(replace(particles, defocus=value)) for name, value in wrong.items()}
    print(f"worst correlation {right.min():.4f};", {name: round(float(v.mean()), 3) for name, v in others.items()})
    assert right.min() > 0.99
    assert all(value.mean() < 0.95 and value.min() < 0.9 for value in others.values())
