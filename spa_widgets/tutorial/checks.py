"""Compare results of the tutorial with the known truth of simulated data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from engine.alignment.symmetry_axis import find_symmetry
from engine.picking.match import match_picks
from engine.reconstruction.yardstick import map_figures
from engine.validation.truth import defocus_figures, selection_figures
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.star import read_star
from spa_widgets.tutorial.report import Check

MATCH_DISTANCE_A = 40.0  # a pick this near to an object's centre stands for it: a third of the particle
OBJECTS = ("particle", "empty_nanodisc")


def pixel_size_A(micrographs_star: Path) -> float:
    """Return the pixel size of a set of micrographs in Å."""
    return MicrographSet.read(micrographs_star).pixel_size_A


def best_picks(picks: pd.DataFrame, micrographs: int, each: int) -> dict[str, list[list[float]]]:
    """Return the picks of highest score on the first micrographs, by micrograph name."""
    chosen: dict[str, list[list[float]]] = {}
    for name in sorted(picks["rlnMicrographName"].unique())[:micrographs]:
        rows = picks[picks["rlnMicrographName"] == name].nlargest(each, "rlnAutopickFigureOfMerit")
        chosen[str(name)] = rows[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(float).round(1).tolist()
    return chosen


def symmetry_score(volume_path: Path, symmetry: str) -> float:
    """Return the agreement of a map with itself turned about its best axis, from 0 to 1."""
    volume, pixel_A = read_mrc(volume_path)
    return round(float(find_symmetry(volume, pixel_A, symmetry).score), 3)


def _stem(name: object) -> str:
    return Path(str(name)).name


def check_ctf(truth: Path, job: Any) -> Check:
    """Compare defocus and astigmatism with those the micrographs were made with."""
    found = MicrographSet.read(job.path("micrographs"))
    known = MicrographSet.read(truth / "micrographs.star")
    order = {_stem(name): row for row, name in enumerate(known.table["rlnMicrographName"])}
    rows = np.array([order[_stem(name)] for name in found.table["rlnMicrographName"]])
    figures = defocus_figures(found.defocus, known.defocus.take(rows))
    return Check(
        "CTF against truth",
        [
            ("mean error of defocus", figures["mean_error_percent"], "% (target 1)"),
            ("mean error of defocus in Å", figures["mean_error_A"], "Å"),
            ("largest error of defocus", figures["worst_error_A"], "Å"),
            ("mean error of astigmatism", figures["mean_astigmatism_error_A"], "Å"),
        ],
    )


def truth_objects(truth: Path) -> pd.DataFrame:
    """Return the objects of simulated micrographs: places, kinds, poses."""
    return read_star(truth / "particles.star")["particles"]


def _match(table: pd.DataFrame, objects: pd.DataFrame, tolerance_px: float) -> NDArray[np.int64]:
    """Return the row of the object that each pick stands for, -1 for none."""
    result = np.full(len(table), -1, np.int64)
    object_names = objects["rlnMicrographName"].map(_stem).to_numpy()
    names = table["rlnMicrographName"].map(_stem).to_numpy()
    places = ["rlnCoordinateX", "rlnCoordinateY"]
    for name in np.unique(names):
        rows, known = np.flatnonzero(names == name), np.flatnonzero(object_names == name)
        match = match_picks(table[places].to_numpy(float)[rows], objects[places].to_numpy(float)[known], tolerance_px)
        matched = match.truth_of_pick >= 0
        result[rows[matched]] = known[match.truth_of_pick[matched]]
    return result


def check_picks(truth: Path, job: Any) -> Check:
    """Compare picks with the places of the objects: particles and empty nanodiscs."""
    objects = truth_objects(truth)
    objects = objects[objects["spaObjectKind"].isin(OBJECTS)].reset_index(drop=True)
    table = job.table("picks")
    tolerance_px = MATCH_DISTANCE_A / pixel_size_A(truth / "micrographs.star")
    matched = _match(table, objects, tolerance_px) >= 0
    return Check(
        "Picks against truth",
        [
            ("recall: objects that were found", int(matched.sum()) / len(objects), "(target 0.85)"),
            ("precision: picks that are objects", int(matched.sum()) / len(table), "(target 0.85)"),
            ("picks", len(table), ""),
            ("objects", len(objects), ""),
        ],
    )


def check_classes(truth: Path, selected: Any, extracted: Any) -> Check:
    """Tell how many of the selected images are particles, and how many of the extracted particles they hold."""
    objects = truth_objects(truth)
    table = extracted.table("particles")
    tolerance_px = MATCH_DISTANCE_A / pixel_size_A(truth / "micrographs.star")
    matched = _match(table, objects, tolerance_px)
    kinds = objects["spaObjectKind"].to_numpy()
    is_particle = (matched >= 0) & (kinds[np.maximum(matched, 0)] == "particle")
    chosen = table["rlnImageName"].isin(set(selected.table("particles")["rlnImageName"])).to_numpy()
    figures = selection_figures(is_particle, chosen)
    return Check(
        "Selected classes against truth",
        [
            ("particles among the selected images", figures["purity"], "(target 0.90)"),
            ("extracted particles that were kept", figures["kept"], "(target 0.90)"),
            ("selected images", int(chosen.sum()), f"of {len(table)}"),
        ],
    )


def true_poses(truth: Path, particles: ParticleSet) -> tuple[NDArray[np.intp], NDArray[Any], NDArray[Any]]:
    """Find the particles that really are some, with their true poses.

    Returns
    -------
    (indices, angles_deg, shifts_A)
        Rows of ``particles``; rot, tilt, psi; the centring shift from the extracted to the true centre.
    """
    objects = truth_objects(truth)
    micrograph_pixel_A = pixel_size_A(truth / "micrographs.star")
    matched = _match(particles.table, objects, MATCH_DISTANCE_A / micrograph_pixel_A)
    kinds = objects["spaObjectKind"].to_numpy()
    indices = np.flatnonzero((matched >= 0) & (kinds[np.maximum(matched, 0)] == "particle"))
    known = objects.iloc[matched[indices]]
    places = ["rlnCoordinateX", "rlnCoordinateY"]
    offset_px = particles.table.iloc[indices][places].to_numpy(float) - known[places].to_numpy(float)
    angles = known[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].to_numpy(float)
    return indices, angles, offset_px * micrograph_pixel_A


def check_map(truth: Path, refined: Any, particles_job: Any) -> Check:
    """Compare the map with the truth, and with a reconstruction of the same particles from their true poses."""
    volume, pixel_A = read_mrc(refined.path("map"))
    reference, _ = read_mrc(truth / "map.mrc")
    particles = ParticleSet.read(particles_job.path("particles"))
    indices, angles, shifts = true_poses(truth, particles)
    figures = map_figures(
        volume,
        reference,
        read_mrc(refined.path("mask_fsc"))[0],
        pixel_A,
        symmetry=refined.params["symmetry"],
        particles=particles.take(indices).to_engine(),
        angles_deg=angles,
        shifts_A=shifts,
    )
    corrected = refined.figures["resolution_A"]
    return Check(
        "Map against truth",
        [
            ("FSC 0.5 with the true map", figures["resolution_05_A"], "Å (target 12 at worst)"),
            ("the same from the true poses", figures["true_poses_05_A"], "Å"),
            ("ratio", figures["resolution_05_A"] / figures["true_poses_05_A"], "(target 1.3 at most)"),
            ("half maps, corrected FSC 0.143", corrected, "Å"),
            ("half maps to truth", corrected / figures["resolution_05_A"], "(target 0.8 to 1.2)"),
            ("Nyquist", 2 * pixel_A, "Å"),
            ("hand", "mirrored" if figures["hand_flipped"] else "as the truth", "(projections do not tell)"),
        ],
    )


CHECKS: dict[str, Callable[..., Check]] = {
    "ctf": check_ctf,
    "picks": check_picks,
    "classes": check_classes,
    "map": check_map,
}
