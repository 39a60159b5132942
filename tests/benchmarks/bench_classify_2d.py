"""2D classification of 500 particles into 10 classes."""

from __future__ import annotations

from pathlib import Path

from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.star import read_star
from tests.benchmarks.commands import report_of, spa
from tests.benchmarks.data import DIAMETER_A, ParticleData, particle_data
from tests.benchmarks.measure import CommandFailed, Cost
from tests.benchmarks.relion import NAME, class_2d_options, last_iteration, missing, relion
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.benchmarks.truth import class_figures

_CLASSES, _ITERATIONS, _SNR = 10, 10, 0.05


def run(settings: Settings) -> list[Row]:
    """Classify with our defaults, and with RELION in ten iterations."""
    count = settings.size(500, 120)
    data = particle_data(settings.data, count, _SNR)
    out = settings.work / "classes"
    options = ["--classes", _CLASSES, "--mask-diameter-A", DIAMETER_A]
    cost = spa(["classify-2d", data.star, *options], out, settings.work)
    accuracy = _figures(out / "class_averages.mrcs", out / "particles.star", data)
    name = f"2D classes, {count} of {data.box_px}², {_CLASSES} classes"
    note = f"ours in {report_of(out)['figures']['iterations']} iterations"
    if reason := missing("relion_refine"):
        return [Row(name, cost, accuracy, NAME, note=f"{note}; {reason}")]
    try:
        theirs, reached = _relion(settings, data)
    except CommandFailed as error:
        return [Row(name, cost, accuracy, NAME, note=f"the reference failed: {error}")]
    root = settings.work / "relion"
    figures = _figures(root / f"run_it{reached:03d}_classes.mrcs", root / f"run_it{reached:03d}_data.star", data)
    note += f", {NAME} in {reached} of {_ITERATIONS}"
    return [Row(name, cost, accuracy, NAME, theirs, figures, note)]


def _relion(settings: Settings, data: ParticleData) -> tuple[Cost, int]:
    place = settings.work / "relion"
    place.mkdir()
    options = class_2d_options(data.star, DIAMETER_A, _CLASSES, _ITERATIONS, settings.threads)
    cost = relion("relion_refine", options, place, settings.peer_limit_s)
    return cost, last_iteration(place)


def _figures(averages: Path, particles: Path, data: ParticleData) -> dict[str, float]:
    table = read_star(particles)["particles"]
    index = table["rlnImageName"].map(lambda text: int(str(text).partition("@")[0]) - 1).to_numpy(int)
    classes = table["rlnClassNumber"].to_numpy(int) - 1
    return class_figures(read_mrc(averages)[0], classes, data.pixel_size_A, data.rotations[index])
