"""Files that RELION reads from us and we from RELION: the same map, the same windows, the same poses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from engine.fourier.shells import fourier_shell_correlation
from engine.geometry import euler_to_matrix, rotation_angle_deg
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.symmetry import point_group
from engine.windows import soft_sphere
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session.context import simple_context
from spa_widgets.steps.extract import job as extract
from spa_widgets.steps.extract.params import Params as ExtractParams

Relion = Callable[..., str]


def masked_fsc(a: NDArray[Any], b: NDArray[Any]) -> NDArray[Any]:
    mask = soft_sphere(len(a), 0.42 * len(a), 3.0)
    return fourier_shell_correlation(a * mask, b * mask)


@pytest.mark.parametrize("symmetry", ["C1", "C8", "D2"])
def test_our_particles_give_relion_our_map(simulated: Any, relion: Relion, tmp_path: Path, symmetry: str) -> None:
    """Poses, shifts, CTF, symmetry axes and hand: all of them must agree for the two maps to be one."""
    relion(tmp_path, "relion_reconstruct", "--i", simulated.star, "--o", "theirs.mrc", "--ctf", "--sym", symmetry)
    theirs, pixel_size_A = read_mrc(tmp_path / "theirs.mrc")
    angles_deg, shifts_A = simulated.particles.poses()
    particles = simulated.particles.to_engine()
    ours = reconstruct_from_poses(particles, euler_to_matrix(angles_deg), shifts_A, symmetry)
    fsc = masked_fsc(ours, theirs)
    other_hand = masked_fsc(np.ascontiguousarray(ours[::-1]), theirs)
    against_truth = [masked_fsc(volume, simulated.truth) for volume in (ours, theirs)]
    print(f"{symmetry}: FSC of our map and RELION's at least {fsc[5:21].min():.4f} between 43 and 10.8 Å,")
    print(f"{fsc[1:5].min():.3f} below, where the CTF is next to nothing;")
    print("with the truth, mean to 10.8 Å:", [round(float(curve[1:21].mean()), 4) for curve in against_truth])
    assert pixel_size_A == pytest.approx(particles.pixel_size_A, abs=1e-4)
    assert fsc[5:21].min() > 0.99 and fsc[1:5].min() > 0.85
    assert abs(against_truth[0][5:21] - against_truth[1][5:21]).max() < 0.02
    assert other_hand[4:21].mean() < 0.9
    scale = float((ours * theirs).sum() / (theirs * theirs).sum())
    assert scale > 0, "contrast"


def test_a_refinement_of_relion_starts_from_our_files_and_comes_back(
    simulated: Any, relion: Relion, tmp_path: Path
) -> None:
    simulated.particles.take(np.arange(60)).write(tmp_path / "few.star")
    write_mrc(tmp_path / "reference.mrc", simulated.truth, simulated.particles.pixel_size_A)
    relion(
        tmp_path,
        *[
            "relion_refine",
            "--i",
            "few.star",
            "--o",
            "./run",
            "--ref",
            "reference.mrc",
            "--ini_high",
            "14",
            "--iter",
            "1",
            "--K",
            "1",
            "--ctf",
        ],
        *[
            "--particle_diameter",
            "190",
            "--healpix_order",
            "2",
            "--offset_range",
            "5",
            "--offset_step",
            "2",
            "--sym",
            "C8",
            "--j",
            "1",
        ],
        *["--firstiter_cc", "--zero_mask", "--random_seed", "1"],
    )
    back = ParticleSet.read(tmp_path / "run_it001_data.star")
    given = simulated.particles.take(np.arange(60))
    assert back.count == 60 and back.optics_table["rlnImagePixelSize"].iloc[0] == given.pixel_size_A
    assert np.array_equal(back.to_engine().images([7]), given.to_engine().images([7]))
    found, true = (euler_to_matrix(item.poses()[0]) for item in (back, given))
    mates = point_group("C8")
    error_deg = rotation_angle_deg(found[:, None] @ mates, true[:, None]).min(axis=1)
    shift_error_A = np.abs(back.poses()[1] - given.poses()[1])
    print(
        f"RELION's poses of our particles: median error {np.median(error_deg):.1f}°, {np.median(shift_error_A):.1f} Å"
    )
    assert np.median(error_deg) < 9  # its grid is 15° wide
    assert np.median(shift_error_A) < 5  # and 9 Å


def test_our_extraction_cuts_what_relion_cuts(relion: Relion, tmp_path: Path, rng: np.random.Generator) -> None:
    """Coordinates, the direction of y, contrast and grey values, on a micrograph that is not square."""
    micrograph = rng.normal(50, 7, (120, 200)).astype(np.float32)
    y, x = np.mgrid[:120, :200]
    centres = np.array([[40, 30], [150, 80], [100, 60], [25, 95]])
    for cx, cy in centres:
        micrograph -= 20 * np.exp(-((x - cx - 3) ** 2 + (y - cy + 2) ** 2) / 40).astype(np.float32)
    write_mrc(tmp_path / "mic.mrc", micrograph, 2.0)
    optics = {
        "rlnOpticsGroup": [1],
        "rlnOpticsGroupName": ["opticsGroup1"],
        "rlnMicrographPixelSize": [2.0],
        "rlnMicrographOriginalPixelSize": [2.0],
        "rlnVoltage": [300.0],
        "rlnSphericalAberration": [1.6],
        "rlnAmplitudeContrast": [0.1],
    }
    rows = pd.DataFrame({"rlnMicrographName": ["mic.mrc"], "rlnOpticsGroup": [1]})
    write_star(tmp_path / "mics.star", {"optics": pd.DataFrame(optics), "micrographs": rows})
    positions = pd.DataFrame({"rlnCoordinateX": centres[:, 0] * 1.0, "rlnCoordinateY": centres[:, 1] * 1.0})
    write_star(tmp_path / "mic_pick.star", {"": positions})
    relion(
        tmp_path,
        *[
            "relion_preprocess",
            "--i",
            "mics.star",
            "--coord_dir",
            "./",
            "--coord_suffix",
            "_pick.star",
            "--part_dir",
            "theirs/",
        ],
        *[
            "--part_star",
            "theirs.star",
            "--extract",
            "--extract_size",
            "32",
            "--norm",
            "--bg_radius",
            "10",
            "--invert_contrast",
        ],
    )
    params = ExtractParams(box_px=32, diameter_A=40, min_distance_A=0, outlier_sigma=None)
    inputs = {"micrographs": tmp_path / "mics.star", "picks": tmp_path / "mic_pick.star"}
    ctx = simple_context("extract", params, inputs, tmp_path / "ours")
    extract.run(ctx)
    theirs, ours = read_star(tmp_path / "theirs.star")["particles"], read_star(ctx.out / "particles.star")["particles"]
    assert np.array_equal(theirs["rlnCoordinateX"], ours["rlnCoordinateX"])
    expected = read_mrc(next((tmp_path / "theirs").rglob("*.mrcs")))[0]
    found = read_mrc(ctx.out / "particles.mrcs")[0]
    assert found.shape == expected.shape == (4, 32, 32)
    difference = float(np.abs(found - expected).max() / expected.std())
    print(f"largest difference from RELION's extracted images: {difference:.4f} of their standard deviation")
    assert difference < 0.01


def test_relion_reads_a_map_of_ours_and_we_one_of_relion(
    relion: Relion, tmp_path: Path, rng: np.random.Generator
) -> None:
    volume = rng.standard_normal((8, 8, 8)).astype(np.float32)
    write_mrc(tmp_path / "ours.mrc", volume, 1.31)
    relion(tmp_path, *["relion_image_handler", "--i", "ours.mrc", "--o", "theirs.mrc", "--multiply_constant", "2"])
    back, pixel_size_A = read_mrc(tmp_path / "theirs.mrc")
    assert np.allclose(back, 2 * volume) and pixel_size_A == pytest.approx(1.31, abs=1e-4)
