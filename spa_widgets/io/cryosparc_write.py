"""Particles as a dataset that cryoSPARC imports."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.rotation_vectors import rotation_vectors_of_angles
from spa_widgets.errors import UserError
from spa_widgets.io.columns import defocus_of, numbers, optics_of
from spa_widgets.io.cs_file import write_dataset
from spa_widgets.io.datasets import IMAGE_SIGN, ParticleSet
from spa_widgets.io.image_paths import resolve_image_path
from spa_widgets.io.mrc import mrc_shape

Columns = dict[str, NDArray[Any]]


def write_cs(path: str | Path, particles: ParticleSet) -> None:
    """Write particles with CTF, and with poses and positions where they are known, as a ``.cs`` file.

    Images are named, not copied: import the stacks from where they are.

    Raises
    ------
    UserError
        When an image is missing, or a column is not what it should be.
    """
    columns = {**_images(particles), **_ctf(particles)}
    if "rlnAngleRot" in particles.table:
        columns |= _poses(particles)
    if {"rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"} <= set(particles.table.columns):
        columns |= _positions(particles)
    write_dataset(path, columns)


def _f4(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _images(particles: ParticleSet) -> Columns:
    table, count = particles.table, particles.count
    grid = particles.grid()
    names = [str(name).rpartition("@") for name in particles.with_absolute_names().table["rlnImageName"]]
    index = np.array([int(number) - 1 if number else 0 for number, _, _ in names], np.uint32)
    paths = [name for _, _, name in names]
    if "csUid" in table:
        uid = table["csUid"].astype(np.uint64).to_numpy()
    else:
        digests = (hashlib.sha256(f"{i}@{name}".encode()).digest() for i, name in zip(index, paths, strict=True))
        uid = np.array([int.from_bytes(digest[:8], "little") for digest in digests], np.uint64)
    sign = numbers(table, IMAGE_SIGN, particles.path) if IMAGE_SIGN in table else np.ones(count)
    return {
        "uid": uid,
        "blob/path": np.array(paths),
        "blob/idx": index,
        "blob/shape": np.repeat(grid.own_px[:, None], 2, axis=1).astype(np.uint32),
        "blob/psize_A": _f4(particles.pixel_sizes_A),
        "blob/sign": _f4(sign),
    }


def _ctf(particles: ParticleSet) -> Columns:
    table, path = particles.table, particles.path
    optics, defocus = optics_of(particles.optics_table, table, path), defocus_of(table, path)
    group = numbers(table, "rlnOpticsGroup", path) if "rlnOpticsGroup" in table else np.ones(particles.count)
    return {
        "ctf/type": np.full(particles.count, "imported"),
        "ctf/exp_group_id": group.astype(np.uint32),
        "ctf/accel_kv": _f4(optics.voltage_kv),
        "ctf/cs_mm": _f4(optics.cs_mm),
        "ctf/amp_contrast": _f4(optics.amplitude_contrast),
        "ctf/df1_A": _f4(defocus.u_A),
        "ctf/df2_A": _f4(defocus.v_A),
        "ctf/df_angle_rad": _f4(np.deg2rad(defocus.angle_deg)),
        "ctf/phase_shift_rad": _f4(np.deg2rad(defocus.phase_shift_deg)),
        "ctf/scale": np.ones(particles.count, np.float32),
        "ctf/scale_const": np.zeros(particles.count, np.float32),
        "ctf/bfactor": np.zeros(particles.count, np.float32),
    }


def _poses(particles: ParticleSet) -> Columns:
    table = particles.table
    angles_deg, shifts_A = particles.poses()
    sizes_A = particles.pixel_sizes_A
    columns: Columns = {
        "alignments3D/pose": _f4(np.deg2rad(rotation_vectors_of_angles(angles_deg))),
        "alignments3D/shift": _f4(shifts_A / sizes_A[:, None]),
        "alignments3D/psize_A": _f4(sizes_A),
        "alignments3D/alpha": np.ones(particles.count, np.float32),
    }
    if "rlnRandomSubset" in table:
        columns["alignments3D/split"] = (particles.half_sets - 1).astype(np.uint32)
    if "rlnClassNumber" in table:
        columns["alignments3D/class"] = (numbers(table, "rlnClassNumber", particles.path) - 1).astype(np.uint32)
    return columns


def _positions(particles: ParticleSet) -> Columns:
    """Positions as fractions, y from the last row; empty where a micrograph is not there to tell its size."""
    table, path = particles.table, particles.path
    x, y = numbers(table, "rlnCoordinateX", path), numbers(table, "rlnCoordinateY", path)
    names = table["rlnMicrographName"].astype(str)
    try:
        places = {name: resolve_image_path(name, path) for name in pd.unique(names)}
        shapes = {name: mrc_shape(place)[-2:] for name, place in places.items()}
    except UserError:
        return {}
    shape = np.array([shapes[name] for name in names], np.uint32)
    return {
        "location/micrograph_path": np.array([str(places[name].absolute()) for name in names]),
        "location/micrograph_shape": shape,
        "location/center_x_frac": _f4(x / shape[:, 1]),
        "location/center_y_frac": _f4(1.0 - y / shape[:, 0]),
    }
