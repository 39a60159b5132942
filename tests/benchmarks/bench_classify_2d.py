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

_CLASSES, _ITERATIONS = 10, 10
_SETS = ((0.05, 0.0), (0.3, 0.4))
"""SNR and share of junk; 0.3 is the noise of 0.04 in boxes of 180² px of 1.232 Å."""


def run(settings: Settings) -> list[Row]:
    """Classify with our defaults, and with RELION in ten iterations."""
    return [_row(settings, snr, junk) for snr, junk in _SETS]


def _row(settings: Settings, snr: float, junk: float) -> Row:
    count = settings.size(500, 120)
    data = particle_data(settings.data, count, snr, junk=junk)
    work = settings.work / f"snr{snr:g}"
    work.mkdir()
    out = work / "classes"
    cost = spa(["classify-2d", data.star, "--classes", _CLASSES, "--mask-diameter-A", DIAMETER_A], out, work)
    accuracy = _figures(out / "class_averages.mrcs", out / "particles.star", data)
    name = f"2D classes, {count} of {data.box_px}², {_CLASSES} classes, SNR {snr:g}, {junk:.0%} junk"
    note = f"ours in {report_of(out)['figures']['iterations']} iterations"
    if reason := missing("relion_refine"):
        return Row(name, cost, accuracy, NAME, note=f"{note}; {reason}")
    try:
        theirs, reached = _relion(settings, data, work / "relion")
    except CommandFailed as error:
        return Row(name, cost, accuracy, NAME, note=f"the reference failed: {error}")
    root = work / "relion"
    figures = _figures(root / f"run_it{reached:03d}_classes.mrcs", root / f"run_it{reached:03d}_data.star", data)
    note += f", {NAME} in {reached} of {_ITERATIONS}"
    return Row(name, cost, accuracy, NAME, theirs, figures, note)


def _relion(settings: Settings, data: ParticleData, place: Path) -> tuple[Cost, int]:
    place.mkdir()
    options = class_2d_options(data.star, DIAMETER_A, _CLASSES, _ITERATIONS, settings.threads)
    cost = relion("relion_refine", options, place, settings.peer_limit_s)
    return cost, last_iteration(place)


def _figures(averages: Path, particles: Path, data: ParticleData) -> dict[str, float]:
    read = read_star(particles)["particles"]
    index = read["rlnImageName"].map(lambda text: int(str(text).partition("@")[0]) - 1).to_numpy(int)
    classes = read["rlnClassNumber"].to_numpy(int) - 1
    truth = data.rotations[index], data.is_junk[index]
    return class_figures(read_mrc(averages)[0], classes, data.pixel_size_A, *truth)
