"""Particles of several pixel sizes and boxes become images of one grid as they are read, and give one map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from engine.ctf.model import ctf_rfft2
from engine.fourier.crop import fourier_resize
from engine.fourier.filters import low_pass
from engine.fourier.regrid import regrid
from engine.fourier.shells import fourier_shell_correlation
from engine.geometry import euler_to_matrix, in_plane_rotation, matrix_to_euler, random_rotations
from engine.optics import Defocus, Optics
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.refinement.refine import pose_distance_deg, refine
from engine.refinement.state import RefinementOptions
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import density, project_atoms
from engine.windows import soft_sphere
from spa_widgets.errors import UserError
from spa_widgets.guard.particles import particle_warnings
from spa_widgets.io.cryosparc_write import write_cs
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import write_star

COUNT = 240
COARSE, FINE = (48, 4.5), (60, 3.7)
KINDS = {"one": (COARSE, COARSE), "mixed": (COARSE, FINE)}


def particle_set(folder: Path, sizes: tuple[tuple[int, float], tuple[int, float]]) -> ParticleSet:
    """Half of the particles in each group, all with the same poses whatever the sizes; noise of equal dose."""
    rng = np.random.default_rng(5)
    rotations, shifts_A = random_rotations(COUNT, rng), rng.uniform(-10, 10, (COUNT, 2))
    mean_A = rng.uniform(9000, 20000, COUNT)
    defocus = Defocus(mean_A + 1500, mean_A - 1500, rng.uniform(0, 180, COUNT))
    group = np.arange(COUNT) % 2
    voltages_kv = (300.0, 200.0)
    names = np.empty(COUNT, object)
    for g, (box_px, size_A) in enumerate(sizes):
        rows = np.flatnonzero(group == g)
        optics = Optics(voltages_kv[g], 1.6, 0.1)
        clean = project_atoms(channel_in_nanodisc(), rotations[rows], -shifts_A[rows], box_px, size_A)
        ctf = ctf_rfft2(box_px, size_A, defocus.take(rows), optics)
        images = np.fft.irfft2(np.fft.rfft2(clean) * ctf) * (size_A / 4.5) / 40
        noise = np.random.default_rng(g).normal(0, 1, images.shape)
        write_mrc(folder / f"{g}.mrcs", (images + noise).astype(np.float32), size_A, is_stack=True)
        names[rows] = [f"{i + 1:06d}@{g}.mrcs" for i in range(len(rows))]
    table = pd.DataFrame({
        "rlnImageName": names, "rlnOpticsGroup": group + 1, "rlnDefocusU": defocus.u_A, "rlnDefocusV": defocus.v_A,
        "rlnDefocusAngle": defocus.angle_deg, "rlnRandomSubset": np.arange(COUNT) // 2 % 2 + 1,
    })  # fmt: skip
    groups = pd.DataFrame({
        "rlnOpticsGroup": [1, 2], "rlnOpticsGroupName": ["a", "b"], "rlnVoltage": voltages_kv,
        "rlnSphericalAberration": 1.6, "rlnAmplitudeContrast": 0.1, "rlnImagePixelSize": [size for _, size in sizes],
        "rlnImageSize": [box for box, _ in sizes], "rlnImageDimensionality": 2,
    })  # fmt: skip
    found = ParticleSet(table, groups, folder / "particles.star").with_poses(matrix_to_euler(rotations), shifts_A)
    found.write(found.path)
    return ParticleSet.read(found.path)


def fsc_with_truth(particles: ParticleSet) -> NDArray[np.floating]:
    angles_deg, shifts_A = particles.poses()
    stack = particles.to_engine()
    found = reconstruct_from_poses(stack, euler_to_matrix(angles_deg), shifts_A, "C8")
    truth = density(channel_in_nanodisc(), stack.box_px, stack.pixel_size_A)
    mask = soft_sphere(stack.box_px, 0.42 * stack.box_px, 3.0)
    return fourier_shell_correlation(found * mask, truth * mask)


def test_two_pixel_sizes_give_the_map_of_one(tmp_path: Path) -> None:
    curves = {}
    for name, sizes in KINDS.items():
        (tmp_path / name).mkdir()
        particles = particle_set(tmp_path / name, sizes)
        stack = particles.to_engine()
        # 60 × 3.7 Å is wider than 48 × 4.5 Å: the box that holds it at the coarsest pixels
        assert (stack.box_px, stack.pixel_size_A) == ((48, 4.5) if name == "one" else (50, 4.5))
        assert set(np.asarray(stack.optics.voltage_kv)) == {200.0, 300.0}
        curves[name] = fsc_with_truth(particles)
    shells = {name: round(float(np.mean(curve[2:22])), 4) for name, curve in curves.items()}
    print("mean FSC with the truth to 10 Å:", shells)
    assert shells["one"] > 0.5
    assert abs(shells["mixed"] - shells["one"]) < 0.03


def test_what_was_done_is_said_and_each_group_keeps_its_own(tmp_path: Path) -> None:
    particles = particle_set(tmp_path, KINDS["mixed"])
    said = [text for text in particle_warnings(particles) if text.key == "mixed_images"]
    assert said == [
        "particles.star holds images of 48 px of 4.5 Å, 60 px of 3.7 Å; all are read as 50 px of 4.5 Å, the coarsest "
        "pixels and the widest field of view, so nothing finer than 9 Å is used: give the finer ones alone to go "
        "beyond."
    ]
    assert not [text for text in particle_warnings(particles) if text.key == "stack_header"]
    write_cs(tmp_path / "out.cs", particles.with_absolute_names())
    back = ParticleSet.read(tmp_path / "out.cs")
    assert np.allclose(back.pixel_sizes_A, particles.pixel_sizes_A)
    assert np.allclose(back.poses()[1], particles.poses()[1], atol=1e-4)
    assert back.grid().sizes == [(48, 4.5), (60, 3.7)]


def test_an_optics_group_has_one_box(tmp_path: Path) -> None:
    particles = particle_set(tmp_path, KINDS["mixed"])
    one_group = particles.table.assign(rlnOpticsGroup=1)
    write_star(tmp_path / "wrong.star", {"optics": particles.optics_table, "particles": one_group})
    with pytest.raises(UserError, match=r"has 60 px, .* has 48 px; expected one in an optics group: give each box"):
        ParticleSet.read(tmp_path / "wrong.star").to_engine()


def test_device_numbers_tell_the_grids_apart(tmp_path: Path) -> None:
    mixed = particle_set(tmp_path, KINDS["mixed"])
    alone = mixed.take(np.flatnonzero(mixed.table["rlnOpticsGroup"] == 2))
    assert alone.to_engine().box_px == 60
    a, b = mixed.to_engine().numbers, alone.to_engine().numbers
    assert a is not None and b is not None and not set(a.tolist()) & set(b.tolist())


def test_regridding_is_the_interpolation_of_the_spectrum(rng: np.random.Generator) -> None:
    """Against the Fourier crop where fields of view agree, and a wave known everywhere where they do not."""
    images = fourier_resize(rng.standard_normal((2, 40, 40)), 96).astype(np.float32)
    assert np.allclose(regrid(images, 1.0, 64, 1.5) / 1.5, fourier_resize(images, 64), atol=1e-5)
    cycles = np.array([2, -3]) / 61

    def wave(box_px: int, size_A: float) -> NDArray[np.float32]:
        y, x = (np.mgrid[:box_px, :box_px] - box_px // 2) * size_A
        return np.cos(2 * np.pi * (cycles[0] * x + cycles[1] * y) + 0.7).astype(np.float32)[None]

    assert np.allclose(regrid(wave(61, 1.0), 1.0, 38, 1.37) / 1.37, wave(38, 1.37), atol=1e-5)
    wide = regrid(wave(61, 1.0), 1.0, 80, 1.37)[0]
    assert not wide[0].any() and wide[40].any()


def test_noise_keeps_its_standard_deviation(rng: np.random.Generator) -> None:
    noise = rng.standard_normal((20, 90, 90)).astype(np.float32)
    assert regrid(noise, 1.0, 60, 1.5).std() == pytest.approx(1.0, abs=0.03)


def test_refinement_of_two_pixel_sizes_finds_the_poses_of_one(tmp_path: Path) -> None:
    """From 30 Å; the map may turn about the axis of C8, which nothing holds, and the poses with it."""
    median_deg = {}
    for name, sizes in KINDS.items():
        (tmp_path / name).mkdir()
        particles = particle_set(tmp_path / name, sizes).take(np.arange(120))
        stack = particles.to_engine()
        truth = density(channel_in_nanodisc(), stack.box_px, stack.pixel_size_A)
        start = low_pass(truth, stack.pixel_size_A, 30.0, ndim=3)
        options = RefinementOptions(symmetry="C8", mask_diameter_A=160.0, max_iterations=4)
        *_, last = refine(stack, particles.half_sets, start, options, np.random.default_rng(0))
        true = euler_to_matrix(particles.poses()[0])
        turns = [in_plane_rotation(turn_deg) for turn_deg in np.arange(-4, 4.1, 0.2)]
        medians = [np.median(pose_distance_deg(last.rotations @ turn, true, "C8")) for turn in turns]
        median_deg[name] = round(float(np.min(medians)), 3)
    print("median pose error:", median_deg)
    assert median_deg["one"] < 0.9
    assert median_deg["mixed"] < 1.15 * median_deg["one"]
