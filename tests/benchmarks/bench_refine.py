"""Refinement in C8 of 500 particles from the truth at 30 Å."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from spa_widgets.io.datasets import ParticleSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.steps.refine.params import STEP
from tests.benchmarks.commands import spa, stages_note
from tests.benchmarks.data import DIAMETER_A, SYMMETRY, ParticleData, particle_data
from tests.benchmarks.measure import CommandFailed, Cost
from tests.benchmarks.relion import NAME, last_iteration, missing, refine_options, relion_mpi
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.benchmarks.truth import map_figures, pose_figures

_SNR = 0.05


def run(settings: Settings) -> list[Row]:
    """Refine with our defaults, and with RELION's automatic refinement."""
    count = settings.size(500, 120)
    data = particle_data(settings.data, count, _SNR)
    out = settings.work / "refined"
    options = ["--reference", data.map, "--symmetry", SYMMETRY, "--mask-diameter-A", DIAMETER_A]
    cost = spa(["refine", data.star, *options], out, settings.work)
    accuracy = _figures([out / "map.mrc"], out / "particles.star", data)
    name = f"refinement {SYMMETRY}, {count} of {data.box_px}²"
    note = f"step version {STEP.version}; {stages_note(out)}"
    if reason := missing("relion_refine_mpi") or missing("mpirun"):
        return [Row(name, cost, accuracy, NAME, note=reason)]
    try:
        theirs, figures, reached = _relion(settings, data)
    except CommandFailed as error:
        return [Row(name, cost, accuracy, NAME, note=f"the reference failed: {error}")]
    end = "its end" if theirs.finished else f"iteration {reached}, where it was stopped"
    return [Row(name, cost, accuracy, NAME, theirs, figures, f"{NAME} at {end}; {note}")]


def _relion(settings: Settings, data: ParticleData) -> tuple[Cost, dict[str, float], int]:
    place = settings.work / "relion"
    place.mkdir()
    options = refine_options(data.star, data.map, DIAMETER_A, SYMMETRY)
    cost = relion_mpi("relion_refine_mpi", options, place, settings.peer_limit_s)
    reached = last_iteration(place, "run_it*_half2_class001.mrc")
    whole = place / "run_class001.mrc"
    halves = [place / f"run_it{reached:03d}_half{half}_class001.mrc" for half in (1, 2)]
    maps, table = (
        ([whole], place / "run_data.star") if whole.exists() else (halves, place / f"run_it{reached:03d}_data.star")
    )
    return cost, _figures(maps, table, data), reached


def _figures(maps: list[Path], particles: Path, data: ParticleData) -> dict[str, float]:
    """Map (the mean of the halves where there is no other) and poses against the truth."""
    volume = np.asarray(np.mean([read_mrc(path)[0] for path in maps], axis=0), np.float32)
    truth, pixel_size_A = read_mrc(data.map)
    table = ParticleSet.read(particles)
    index = table.table["rlnImageName"].map(lambda text: int(str(text).partition("@")[0]) - 1).to_numpy(int)
    angles, _ = table.poses()
    found = map_figures(volume, truth, pixel_size_A, check_hand=False)
    return found | pose_figures(volume, truth, pixel_size_A, angles, data.rotations[index])
