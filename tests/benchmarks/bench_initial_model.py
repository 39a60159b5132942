"""An initial model from nothing."""

from __future__ import annotations

from pathlib import Path

from spa_widgets.io.mrc import read_mrc
from tests.benchmarks.commands import has_step, spa
from tests.benchmarks.data import DIAMETER_A, SYMMETRY, ParticleData, particle_data
from tests.benchmarks.measure import CommandFailed, Cost
from tests.benchmarks.relion import NAME, initial_model_options, last_iteration, missing, relion
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.benchmarks.truth import map_figures

_SNR = 0.05


def run(settings: Settings) -> list[Row]:
    """Start from random, once in C1 and once in the particle's symmetry; RELION in C1."""
    if not has_step("initial_model"):
        none = Cost(0.0, 0.0, 0, finished=False)
        return [Row("initial model", none, note="skipped: this version has no step initial_model")]
    data = particle_data(settings.data, settings.size(500, 120), _SNR)
    rows = [_ours(settings, data, symmetry) for symmetry in ("C1", SYMMETRY)]
    _peer(settings, data, rows[0])
    return rows


def _ours(settings: Settings, data: ParticleData, symmetry: str) -> Row:
    out = settings.work / f"model-{symmetry}"
    options = ["--symmetry", symmetry, "--mask-diameter-A", DIAMETER_A]
    cost = spa(["initial-model", data.star, *options], out, settings.work)
    accuracy = _figures(out / "volume_1.mrc", data)
    return Row(f"initial model {symmetry}, {len(data.rotations)} of {data.box_px}²", cost, accuracy)


def _peer(settings: Settings, data: ParticleData, row: Row) -> None:
    """Put RELION's stochastic gradient descent beside a row."""
    row.reference = NAME
    if reason := missing("relion_refine"):
        row.note = reason
        return
    place = settings.work / "relion"
    place.mkdir()
    options = initial_model_options(data.star, DIAMETER_A, "C1", settings.threads)
    try:
        row.theirs = relion("relion_refine", options, place, settings.peer_limit_s)
        reached = last_iteration(place, "run_it*_class001.mrc")
    except CommandFailed as error:
        row.note = f"the reference failed: {error}"
        return
    row.their_accuracy = _figures(place / f"run_it{reached:03d}_class001.mrc", data)
    row.note = f"{NAME} at iteration {reached} of 300"


def _figures(path: Path, data: ParticleData) -> dict[str, float]:
    truth, pixel_size_A = read_mrc(data.map)
    volume, _ = read_mrc(path)
    return map_figures(volume, truth, pixel_size_A)
