"""Debian's RELION 3.1.3 as a peer, where it is installed, with the settings that its own interface suggests."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.measure import CommandFailed, Cost, run_command

ABSENT = "skipped: {} is not installed (Debian: apt-get install relion)"
NAME = "RELION 3.1.3"


def missing(program: str) -> str:
    """Return why a program cannot be compared with, or nothing where it can."""
    return "" if shutil.which(program) else ABSENT.format(program)


def relion(program: str, options: Sequence[object], folder: Path, limit_cpu_s: float, may_fail: bool = False) -> Cost:
    """Run a program of RELION until it ends or its CPU time is spent."""
    return run_command([program, *(str(option) for option in options)], folder, limit_cpu_s, may_fail=may_fail)


def relion_mpi(program: str, options: Sequence[object], folder: Path, limit_cpu_s: float) -> Cost:
    """Run a program with one leader and two workers.

    The leader only waits, and MPI waits at full speed: its CPU time is not counted.
    """
    command: list[str] = ["mpirun", "-n", "3", "--oversubscribe"]
    if os.geteuid() == 0:
        command.append("--allow-run-as-root")
    command += [program, *(str(option) for option in options)]
    return run_command(command, folder, limit_cpu_s, idle_rank="0")


def last_iteration(folder: Path, pattern: str = "run_it*_data.star") -> int:
    """Return the number of the last iteration that was written completely.

    Raises
    ------
    CommandFailed
        When there is none.
    """
    numbers = [int(found.group(1)) for path in folder.glob(pattern) if (found := re.search(r"_it(\d+)_", path.name))]
    if not numbers:
        raise CommandFailed("RELION wrote no iteration before it was stopped")
    return max(numbers)


def class_2d_options(star: Path, diameter_A: float, classes: int, iterations: int, threads: int) -> list[Any]:
    """Options of 2D classification."""
    search = ["--psi_step", 12, "--offset_range", 5, "--offset_step", 2, "--oversampling", 1]
    return [
        *["--i", star, "--o", "./run", "--K", classes, "--iter", iterations, "--tau2_fudge", 2],
        *["--particle_diameter", diameter_A, "--ctf", "--zero_mask", "--flatten_solvent", "--norm", "--scale"],
        *[*search, "--pad", 2, "--dont_combine_weights_via_disc", "--preread_images", "--pool", 3],
        *["--random_seed", 1, "--j", threads],
    ]


def refine_options(star: Path, reference: Path, diameter_A: float, symmetry: str) -> list[Any]:
    """Options of 3D auto-refinement from a reference whose grey values are not absolute."""
    search = ["--healpix_order", 2, "--auto_local_healpix_order", 4, "--offset_range", 5, "--offset_step", 2]
    return [
        *["--i", star, "--o", "./run", "--ref", reference, "--firstiter_cc", "--ini_high", 30, "--sym", symmetry],
        *["--auto_refine", "--split_random_halves", "--low_resol_join_halves", 40, "--oversampling", 1, *search],
        *["--particle_diameter", diameter_A, "--ctf", "--zero_mask", "--flatten_solvent", "--norm", "--scale"],
        *["--pad", 2, "--dont_combine_weights_via_disc", "--preread_images", "--pool", 3, "--random_seed", 1],
        *["--j", 1],
    ]


def initial_model_options(star: Path, diameter_A: float, symmetry: str, threads: int) -> list[Any]:
    """Options of an initial model by stochastic gradient descent."""
    return [
        *["--i", star, "--o", "./run", "--denovo_3dref", "--sgd", "--K", 1, "--sym", symmetry, "--ctf", "--zero_mask"],
        *["--sgd_ini_iter", 50, "--sgd_inbetween_iter", 200, "--sgd_fin_iter", 50, "--sgd_write_iter", 10],
        *["--sgd_ini_resol", 35, "--sgd_fin_resol", 15, "--sgd_ini_subset", 100, "--sgd_fin_subset", 500],
        *["--particle_diameter", diameter_A, "--oversampling", 1, "--healpix_order", 1, "--offset_range", 6],
        *["--offset_step", 2, "--pad", 1, "--dont_combine_weights_via_disc", "--preread_images", "--pool", 3],
        *["--random_seed", 1, "--j", threads],
    ]
