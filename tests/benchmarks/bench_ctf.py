"""CTF estimation: several small micrographs and one of full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from engine.validation.truth import defocus_figures
from spa_widgets.io.datasets import MicrographSet
from tests.benchmarks.bench_simulate import fft_cost
from tests.benchmarks.commands import spa, stages_note
from tests.benchmarks.data import micrograph_data
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings


def run(settings: Settings) -> list[Row]:
    """Fit the preset `small` and one micrograph of the preset `workshop`."""
    small = micrograph_data(settings.data, "small", settings.size(12, 2))
    rows = [_row(settings, small, "1024²", "ctf-small")]
    large = micrograph_data(settings.data, "workshop", 1)
    return [*rows, _row(settings, large, "3710 x 3838", "ctf-large")]


def _row(settings: Settings, folder: Path, size: str, name: str) -> Row:
    out = settings.work / name
    cost = spa(["estimate-ctf", folder / "micrographs.star"], out, settings.work)
    found, known = (
        MicrographSet.read(out / "micrographs.star"),
        MicrographSet.read(folder / "truth" / "micrographs.star"),
    )
    order = {Path(text).name: i for i, text in enumerate(known.table["rlnMicrographName"])}
    rows = np.array([order[Path(text).name] for text in found.table["rlnMicrographName"]])
    figures = defocus_figures(found.defocus, known.defocus.take(rows))
    accuracy = {
        "mean defocus error, Å": figures["mean_error_A"],
        "worst, Å": figures["worst_error_A"],
        "astigmatism error, Å": figures["mean_astigmatism_error_A"],
    }
    reference = fft_cost([found.load(i) for i in range(found.count)], settings.threads)
    note = stages_note(out)
    return Row(f"CTF, {found.count} of {size}", cost, accuracy, "FFT and back of the same images", reference, note=note)
