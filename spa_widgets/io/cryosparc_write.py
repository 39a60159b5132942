"""Particles as a dataset that cryoSPARC imports."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.rotation_vectors import rotation_vectors_of_angles
from spa_widgets.errors import UserError
from spa_widgets.io.columns import defocus_of, numbers, optics_of, row_values
from spa_widgets.io.cs_file import columns_of_uids, write_dataset
from spa_widgets.io.datasets import IMAGE_SIGN, ParticleSet
from spa_widgets.io.image_paths import image_file, resolve_image_path
from spa_widgets.io.mrc import mrc_shape

Columns = dict[str, NDArray[Any]]

_UID = "csUid"
# what we have no value for and only fill in; exposure groups are numbered anew when optics groups are made of them
_FILLED = ("ctf/type", "ctf/exp_group_id", "ctf/scale", "ctf/scale_const", "ctf/bfactor",
           "alignments2D/alpha", "alignments3D/alpha")  # fmt: skip


def write_cs(
    path: str | Path, particles: ParticleSet, originals: Sequence[str | Path] = (), names_only: bool = False
) -> None:
    """Write particles with CTF, and with poses and positions where they are known, as a ``.cs`` file.

    Images are named, not copied: import the stacks from where they are.

    Parameters
    ----------
    path : str or Path
    particles : ParticleSet
    originals : sequence of str or Path
        Datasets that the particles come from, with the ``passthrough`` files beside them: what stands there and is not
        translated is written as it is, also where it was computed with the former poses or CTF. The first that has a
        column counts.
    names_only : bool
        Look at no image: names stay as they are, boxes are those of the optics table, and positions, which need the
        size of the micrographs, are left out.

    Raises
    ------
    UserError
        When an image is missing, a column is not what it should be, or an original lacks one of the particles.
    """
    kept: Columns = {}
    for original in originals:
        kept = {**columns_of_uids(original, _uids(particles)), **kept}
    columns = {**_images(particles, names_only), **_ctf(particles)}
    if "rlnAngleRot" in particles.table:
        columns |= _poses(particles, in_plane="alignments2D/pose" in kept and "alignments3D/pose" not in kept)
    if not names_only and {"rlnCoordinateX", "rlnCoordinateY", "rlnMicrographName"} <= set(particles.table.columns):
        columns |= _positions(particles)
    columns |= {name: values for name, values in kept.items() if name not in columns or name in _FILLED}
    write_dataset(path, columns)


def _uids(particles: ParticleSet) -> NDArray[np.uint64]:
    """Return the numbers that cryoSPARC knows the particles by."""
    if _UID not in particles.table:
        raise UserError(
            f"{particles.path} has no {_UID}, by which cryoSPARC's columns are found; expected particles that were "
            "imported from a .cs: convert them without --passthrough."
        )
    try:
        return np.asarray(particles.table[_UID].astype(np.uint64), np.uint64)
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"{particles.path} has a cell in {_UID} that is no whole number; expected cryoSPARC's uid: import the "
            "dataset again."
        ) from error


def _f4(values: Any) -> NDArray[np.float32]:
    return np.asarray(values, np.float32)


def _images(particles: ParticleSet, names_only: bool) -> Columns:
    table, count = particles.table, particles.count
    named = particles if names_only else particles.with_absolute_names()
    names = [str(name).rpartition("@") for name in named.table["rlnImageName"]]
    index = np.array([int(number) - 1 if number else 0 for number, _, _ in names], np.uint32)
    paths = [image_file(name)[0] for _, _, name in names]
    if _UID in table:
        uid = _uids(particles)
    else:
        digests = (hashlib.sha256(f"{i}@{name}".encode()).digest() for i, name in zip(index, paths, strict=True))
        uid = np.array([int.from_bytes(digest[:8], "little") for digest in digests], np.uint64)
    sign = numbers(table, IMAGE_SIGN, particles.path) if IMAGE_SIGN in table else np.ones(count)
    return {
        "uid": uid,
        "blob/path": np.array(paths),
        "blob/idx": index,
        "blob/shape": np.repeat(_boxes_px(particles, names_only)[:, None], 2, axis=1).astype(np.uint32),
        "blob/psize_A": _f4(particles.pixel_sizes_A),
        "blob/sign": _f4(sign),
    }


def _boxes_px(particles: ParticleSet, names_only: bool) -> NDArray[Any]:
    if not names_only:
        return particles.grid().own_px
    return row_values(particles.optics_table, particles.table, ("rlnImageSize",), particles.path, "image size", "px")


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


def _poses(particles: ParticleSet, in_plane: bool) -> Columns:
    """Poses as a 3D alignment; as a 2D one where that is what came in and no view has been given since."""
    table = particles.table
    angles_deg, shifts_A = particles.poses()
    sizes_A = particles.pixel_sizes_A
    is_2d = in_plane and not angles_deg[:, :2].any()
    kind = "alignments2D" if is_2d else "alignments3D"
    pose_deg = angles_deg[:, 2] if is_2d else rotation_vectors_of_angles(angles_deg)
    columns: Columns = {
        f"{kind}/pose": _f4(np.deg2rad(pose_deg)),
        f"{kind}/shift": _f4(shifts_A / sizes_A[:, None]),
        f"{kind}/psize_A": _f4(sizes_A),
        f"{kind}/alpha": np.ones(particles.count, np.float32),
    }
    if "rlnRandomSubset" in table:
        columns[f"{kind}/split"] = (particles.half_sets - 1).astype(np.uint32)
    if "rlnClassNumber" in table:
        columns[f"{kind}/class"] = (numbers(table, "rlnClassNumber", particles.path) - 1).astype(np.uint32)
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
