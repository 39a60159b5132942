"""The CUDA sources without a card: run on the CPU against the plain forms, compiled for real GPUs, and complete."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.fourier.disc import HalfDisc
from engine.geometry import random_rotations
from engine.kernels import cuda, poses, poses_cuda, slices, slices_cuda
from engine.symmetry import point_group

sys.path.insert(0, str(Path(__file__).parents[2] / "support"))
from cuda_on_cpu import KERNELS, compiler, cpu_launcher, entry_points

SOURCES = sorted(path.name for path in KERNELS.glob("*.cu"))
ARCHITECTURES = (70, 75, 80, 86, 89, 90)
PADDING = 1.7


@pytest.fixture(scope="module")
def launcher(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., None]:
    if compiler() is None:
        pytest.skip("no C++ compiler (g++ or clang++) is installed")
    return cpu_launcher(tmp_path_factory.mktemp("cuda"))


@pytest.fixture
def on_cpu(launcher: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "launch", launcher)


@pytest.fixture
def cube(rng: np.random.Generator) -> NDArray[np.complex64]:
    radius = slices.cube_radius(PADDING, 11)
    shape = (2 * radius + 1, 2 * radius + 1, radius + 1)
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def test_slices_are_read_alike(on_cpu: None, cube: NDArray, rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 11)
    rotations = random_rotations(7, rng).astype(np.float32)
    ours = slices_cuda.extract_slices(cube, PADDING, rotations, disc.kx, disc.ky)
    plain = slices.extract_slices_reference(cube, PADDING, rotations, disc.kx, disc.ky)
    assert ours.dtype == np.complex64
    assert np.abs(ours - plain).max() < 2e-5


def test_slices_are_inserted_alike(on_cpu: None, cube: NDArray, rng: np.random.Generator) -> None:
    disc = HalfDisc(24, 11)
    rotations = random_rotations(9, rng).astype(np.float32)
    values = (rng.standard_normal((9, len(disc.kx))) + 1j * rng.standard_normal((9, len(disc.kx)))).astype(np.complex64)
    weights = rng.random(values.shape).astype(np.float32)
    start = rng.random(cube.shape).astype(np.float32)
    ours = cube.copy(), start.copy()
    plain = cube.astype(complex), start.astype(float)
    slices_cuda.insert_slices(values, weights, rotations, disc.kx, disc.ky, PADDING, *ours)
    slices.insert_slices_reference(values, weights, rotations, disc.kx, disc.ky, PADDING, *plain)
    assert np.abs(ours[0] - plain[0]).max() < 1e-4
    assert np.abs(ours[1] - plain[1]).max() < 1e-4
    assert np.abs(ours[0] - cube).max() > 1


def test_more_slices_than_blocks_are_all_done(
    on_cpu: None, cube: NDArray, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slices_cuda, "_MOST_ROWS", 4)
    disc = HalfDisc(24, 5)
    rotations = random_rotations(11, rng).astype(np.float32)
    ours = slices_cuda.extract_slices(cube, PADDING, rotations, disc.kx, disc.ky)
    assert np.abs(ours - slices.extract_slices_reference(cube, PADDING, rotations, disc.kx, disc.ky)).max() < 2e-5


@pytest.mark.parametrize("group", ["C8", "D3"])
def test_half_cubes_are_symmetrised_alike(on_cpu: None, cube: NDArray, group: str, rng: np.random.Generator) -> None:
    weights = rng.random(cube.shape).astype(np.float32)
    operators = point_group(group).astype(np.float32)
    radius = float(cube.shape[0] // 2 - 1)
    numerator, denominator = slices_cuda.symmetrise(cube, weights, operators, radius)
    plain = slices.symmetrise_reference(cube, weights, operators, radius)
    assert np.abs(numerator - plain[0]).max() < 1e-4
    assert np.abs(denominator - plain[1]).max() < 1e-4


@pytest.mark.parametrize(("orientations", "shifts"), [(1, 1), (6, 9), (3, 35)])
def test_poses_are_scored_alike(
    on_cpu: None, cube: NDArray, rng: np.random.Generator, orientations: int, shifts: int
) -> None:
    disc = HalfDisc(24, 11)
    images = (rng.standard_normal((3, len(disc.kx))) + 1j * rng.standard_normal((3, len(disc.kx)))).astype(np.complex64)
    ctf2 = rng.random(images.shape).astype(np.float32)
    owner = np.array([0, 2, 2, 1])
    rotations = random_rotations(4 * orientations, rng).reshape(4, orientations, 3, 3).astype(np.float32)
    shifts_px = rng.normal(0, 2, (4, shifts, 2)).astype(np.float32)
    arguments = (cube, PADDING, images, ctf2, owner, rotations, shifts_px, disc.kx, disc.ky, 24)
    cross, norm = poses_cuda.score_poses(*arguments)
    plain_cross, plain_norm = poses.score_poses_reference(*arguments)
    assert np.abs(cross - plain_cross).max() < 2e-5 * np.abs(plain_cross).max() + 1e-3
    assert np.allclose(norm, plain_norm, rtol=1e-5)


def test_nothing_to_do_is_no_error(cube: NDArray) -> None:
    none = np.zeros((0, 3, 3), np.float32)
    assert slices_cuda.extract_slices(cube, PADDING, none, np.zeros(4, np.int16), np.zeros(4, np.int16)).shape == (0, 4)


def test_sources_are_whole_for_a_compiler_without_files() -> None:
    assert SOURCES
    for name in SOURCES:
        text = cuda.source_text(name)
        assert "#include" not in text
        assert "read_cube(" in text
        assert len(entry_points((KERNELS / name).read_text())) > 0


def test_every_launch_names_a_kernel_that_exists() -> None:
    kernels = {
        name: set(re.findall(r"void run_(\w+)\(", entry_points((KERNELS / name).read_text()))) for name in SOURCES
    }
    python = "".join((KERNELS / f"{Path(name).stem}_cuda.py").read_text() for name in SOURCES)
    named = {name for names in kernels.values() for name in names}
    for name in named:
        assert f'"{name}"' in python, f"{name} is never launched"


@pytest.mark.parametrize("source", SOURCES)
def test_sources_compile_for_gpus(source: str, tmp_path: Path) -> None:
    nvcc = shutil.which("nvcc")
    if nvcc is None:
        pytest.skip("nvcc is not installed")
    listed = subprocess.run([nvcc, "--list-gpu-arch"], capture_output=True, text=True, check=True, timeout=60).stdout
    known = {int(number) for number in re.findall(r"compute_(\d+)\b", listed)}
    wanted = [number for number in ARCHITECTURES if number in known]
    assert wanted, f"nvcc knows none of {ARCHITECTURES}"
    chosen = {wanted[0], wanted[-1]}  # the oldest and the newest: what lies between uses nothing else
    targets = [f"-gencode=arch=compute_{n},code=sm_{n}" for n in sorted(chosen)]
    text = tmp_path / source  # as CuPy gets it: one text, no header beside it
    text.write_text(cuda.source_text(source))
    command = [nvcc, "-std=c++17", "-Werror", "all-warnings", "-fatbin", *targets, str(text), "-o", f"{text}.fatbin"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert Path(f"{text}.fatbin").stat().st_size > 1000
