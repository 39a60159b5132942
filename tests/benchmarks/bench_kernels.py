"""Compiled kernels: the time that all of them take to compile, and each one against its plain NumPy form."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from engine.fourier.disc import HalfDisc
from engine.geometry import random_rotations
from engine.kernels import poses, slices, slices_reference, splat
from engine.reconstruction.half_cube import complete_plane
from engine.symmetry import point_group
from tests.benchmarks.measure import Cost, measure, run_command
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings

_PADDING = 2.0
# imports every module that compiles, whoever wrote it and wherever it is
_IMPORT_ALL = """
import importlib, pkgutil, pathlib
import engine
for module in pkgutil.walk_packages(engine.__path__, "engine."):
    source = pathlib.Path(module.module_finder.path, module.name.rpartition(".")[2] + ".py")
    if source.exists() and "njit" in source.read_text():
        importlib.import_module(module.name)
"""


def run(settings: Settings) -> list[Row]:
    """Compile everything into an empty cache, then time each kernel."""
    return [_compilation(settings), *_kernels(settings)]


def _compilation(settings: Settings) -> Row:
    command = [sys.executable, "-c", _IMPORT_ALL]
    environment = {"NUMBA_CACHE_DIR": str(settings.work / "numba")}
    cold = run_command(command, settings.work, environment=environment)
    warm = run_command(command, settings.work, environment=environment)
    spent = Cost(cold.wall_s - warm.wall_s, cold.cpu_s - warm.cpu_s, cold.peak_bytes)
    note = "limit 30 s; the reference is the same import with the kernels in the cache"
    return Row("compile all kernels (empty cache)", spent, reference="import with a full cache", theirs=warm, note=note)


def _kernels(settings: Settings) -> list[Row]:
    rng = np.random.default_rng(1)
    box, radius, count = 64, 24, settings.size(400, 60)
    disc = HalfDisc(box, radius)
    half = slices.cube_radius(_PADDING, radius)
    shape = (2 * half + 1, 2 * half + 1, half + 1)
    cube = complete_plane(_complex_noise(rng, shape))
    rotations = random_rotations(count, rng).astype(np.float32)
    values = slices.extract_slices(cube, _PADDING, rotations, disc.kx, disc.ky)
    weights = rng.random(values.shape, dtype=np.float32)
    samples = values.size
    rows = [
        _row(
            f"read {count} slices ({samples / 1e6:.2g} M samples)",
            partial(slices.extract_slices, cube, _PADDING, rotations, disc.kx, disc.ky),
            partial(slices_reference.extract_slices_reference, cube, _PADDING, rotations, disc.kx, disc.ky),
        ),
        _row(
            f"insert {count} slices",
            lambda: _inserted(slices.insert_slices, cube, values, weights, rotations, disc),
            lambda: _inserted(slices_reference.insert_slices_reference, cube, values, weights, rotations, disc),
        ),
    ]
    denominator = np.abs(cube)
    operators = point_group("C8").astype(np.float32)
    arguments = (cube, denominator, operators, half - 1.5)
    rows.append(
        _row(
            "symmetrise C8",
            lambda: slices.symmetrise(*arguments)[0],
            lambda: slices_reference.symmetrise_reference(*arguments)[0],
        )
    )
    return [*rows, _scores(rng, cube, disc, box, settings.size(40, 8)), _splat(rng, settings.size(3000, 500))]


def _complex_noise(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (rng.standard_normal(shape) + 1j * rng.standard_normal(shape)).astype(np.complex64)


def _inserted(
    insert: Callable[..., None],
    cube: np.ndarray,
    values: np.ndarray,
    weights: np.ndarray,
    rotations: Any,
    disc: HalfDisc,
) -> np.ndarray:
    numerator, denominator = np.zeros_like(cube), np.zeros(cube.shape, np.float32)
    insert(values, weights, rotations, disc.kx, disc.ky, _PADDING, numerator, denominator)
    return numerator


def _scores(rng: np.random.Generator, cube: np.ndarray, disc: HalfDisc, box: int, groups: int) -> Row:
    orientations, shifts = 27, 25
    images = _complex_noise(rng, (groups, len(disc)))
    ctf2 = rng.random(images.shape, dtype=np.float32)
    owner = np.arange(groups, dtype=np.int32)
    rotations = random_rotations(groups * orientations, rng).astype(np.float32).reshape(groups, orientations, 3, 3)
    offsets = rng.uniform(-4, 4, (groups, shifts, 2)).astype(np.float32)
    arguments = (cube, _PADDING, images, ctf2, owner, rotations, offsets, disc.kx, disc.ky, box)
    return _row(
        f"score {groups} images x {orientations} orientations x {shifts} shifts",
        lambda: poses.score_poses(*arguments)[0],
        lambda: poses.score_poses_reference(*arguments)[0],
    )


def _splat(rng: np.random.Generator, points: int) -> Row:
    positions = rng.uniform(0, 128, (points, 2)).astype(np.float32)
    layers = rng.integers(0, 4, points)
    taps = 6
    table = np.append(np.exp(-(np.linspace(0, 3, 257, dtype=np.float32) ** 2)), [0, 0]).astype(np.float32)
    table[-2:] = 0

    def spread(function: Callable[..., None]) -> np.ndarray:
        out = np.zeros((4, 128, 128), np.float32)
        function(positions, layers, table, taps, out)
        return out

    return _row(f"spread {points} atoms", lambda: spread(splat.splat_2d), lambda: spread(splat.splat_2d_reference))


def _row(name: str, ours: Callable[[], np.ndarray], plain: Callable[[], np.ndarray]) -> Row:
    ours()
    result, cost = measure(ours, repeat=5)
    expected, reference = measure(plain)
    error = float(np.abs(result - expected).max() / np.abs(expected).max())
    return Row(name, cost, {"largest difference": error}, "plain NumPy (float64)", reference)
