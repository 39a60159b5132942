"""Maps that RELION makes of what we mirrored, and of particles of several optics groups with phase plates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.fourier.shells import fourier_shell_correlation
from engine.geometry import euler_to_matrix
from engine.reconstruction.from_poses import reconstruct_from_poses
from engine.windows import soft_sphere
from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.session.context import simple_context
from spa_widgets.steps.flip_hand import job as flip_hand
from spa_widgets.steps.flip_hand.params import Params as FlipParams

Relion = Callable[..., str]


def test_mirrored_particles_give_relion_the_mirrored_map(simulated: Any, relion: Relion, tmp_path: Path) -> None:
    """`flip_hand` turns poses over as it does the map: a reconstruction from them has the other hand."""
    write_mrc(tmp_path / "map.mrc", simulated.truth, simulated.particles.pixel_size_A)
    inputs = {"volume": tmp_path / "map.mrc", "particles": simulated.star}
    context = simple_context("flip_hand", FlipParams(), inputs, tmp_path / "flipped")
    flip_hand.run(context)
    relion(tmp_path, "relion_reconstruct", "--i", context.out / "particles.star", "--o", "theirs.mrc", "--ctf")
    theirs, mirrored = read_mrc(tmp_path / "theirs.mrc")[0], read_mrc(context.out / "map_flipped.mrc")[0]
    mask = soft_sphere(len(theirs), 0.42 * len(theirs), 3.0)
    right = fourier_shell_correlation(theirs * mask, mirrored * mask)
    wrong = fourier_shell_correlation(theirs * mask, simulated.truth * mask)
    means = [float(curve[5:21].mean()) for curve in (right, wrong)]
    print(f"FSC between 43 and 10.8 Å with the mirrored map {means[0]:.3f}, with the other {means[1]:.3f}")
    assert means[0] > 0.95 and means[1] < 0.5


@pytest.mark.parametrize("symmetry", ["C3", "D7", "T", "O", "I1", "I2", "I3", "I4"])
def test_axes_of_every_point_group_are_where_relion_has_them(
    simulated: Any, relion: Relion, tmp_path: Path, symmetry: str
) -> None:
    """An object without symmetry, averaged about the axes of a group: about others another map would come out."""
    few = simulated.particles.take(np.arange(24))
    few.write(tmp_path / "few.star")
    options = ("--ctf", "--skip_gridding", "--sym", symmetry)
    relion(tmp_path, "relion_reconstruct", "--i", "few.star", "--o", "theirs.mrc", *options)
    theirs = read_mrc(tmp_path / "theirs.mrc")[0]
    angles_deg, shifts_A = few.poses()
    particles, rotations = few.to_engine(), euler_to_matrix(angles_deg)
    other = {"I1": "I2", "I2": "I1", "I3": "I4", "I4": "I3"}.get(symmetry, "C2")
    mask = soft_sphere(len(theirs), 0.42 * len(theirs), 3.0)
    right, wrong = (
        fourier_shell_correlation(reconstruct_from_poses(particles, rotations, shifts_A, group) * mask, theirs * mask)
        for group in (symmetry, other)
    )
    # of so few particles, the shells before the tenth hold next to nothing: their CTF is small
    seen = f"{right[10:21].min():.4f} between 22 and 10.8 Å; as {other} {wrong[10:21].mean():.3f}"
    print(f"{symmetry}: FSC at least {seen}")
    assert right[10:21].min() > 0.98 and wrong[10:21].mean() < 0.9


def test_several_optics_groups_and_phase_plates_give_relion_our_map(
    simulated: Any, relion: Relion, tmp_path: Path
) -> None:
    """Voltage, Cs and amplitude contrast of each group, and a phase shift of each particle, enter as RELION has them.

    The images are RELION's own projections with those constants; a map from them is right only with the same ones.
    """
    given = simulated.particles
    group = np.arange(given.count) % 2 + 1
    optics = given.optics_table.loc[[0, 0]].reset_index(drop=True)
    optics["rlnOpticsGroup"], optics["rlnOpticsGroupName"] = [1, 2], ["one", "two"]
    optics["rlnVoltage"], optics["rlnSphericalAberration"] = [300.0, 100.0], [1.6, 4.0]
    optics["rlnAmplitudeContrast"] = [0.1, 0.4]
    table = given.table.assign(rlnOpticsGroup=group, rlnPhaseShift=np.linspace(0, 120, given.count))
    ParticleSet(table, optics, tmp_path / "all.star").write(tmp_path / "all.star")
    write_mrc(tmp_path / "map.mrc", simulated.truth, given.pixel_size_A)
    relion(tmp_path, "relion_project", "--i", "map.mrc", "--o", "proj", "--ang", "all.star", "--ctf")
    made = ParticleSet.read(tmp_path / "proj.star")
    relion(tmp_path, "relion_reconstruct", "--i", "proj.star", "--o", "theirs.mrc", "--ctf")
    angles_deg, shifts_A = made.poses()
    images = made.to_engine()
    theirs = read_mrc(tmp_path / "theirs.mrc")[0]
    ours = reconstruct_from_poses(images, euler_to_matrix(angles_deg), shifts_A, "C1")
    mask = soft_sphere(len(theirs), 0.42 * len(theirs), 3.0)
    plain = ParticleSet(made.table.drop(columns="rlnPhaseShift"), made.optics_table, made.path).to_engine()
    without = reconstruct_from_poses(plain, euler_to_matrix(angles_deg), shifts_A, "C1")
    one_group = replace(images, optics=images.optics.take(np.zeros(given.count, int)))
    same = reconstruct_from_poses(one_group, euler_to_matrix(angles_deg), shifts_A, "C1")
    maps = [(ours, theirs), *((volume, simulated.truth) for volume in (ours, theirs, without, same))]
    curves = [fourier_shell_correlation(a * mask, b * mask)[5:21] for a, b in maps]
    lowest = [float(curve.min()) for curve in curves]
    print(
        f"lowest FSC between 43 and 10.8 Å of ours and RELION's map {lowest[0]:.4f}; with the truth {lowest[1]:.4f} and"
    )
    print(f"{lowest[2]:.4f}; without phase shifts {lowest[3]:.3f}, with the optics of one group {lowest[4]:.3f}")
    assert lowest[0] > 0.99 and lowest[1] > 0.98
    assert lowest[3] < 0.95 and lowest[4] < 0.95
