"""CTF estimation: small micrographs and a large one as commands; sets of known CTF against the bound of any fit."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np

from engine.validation.truth import defocus_figures
from spa_widgets.io.datasets import MicrographSet
from tests.benchmarks.bench_simulate import fft_cost
from tests.benchmarks.commands import spa, stages_note
from tests.benchmarks.ctf_sets import Outcome, random_figures, random_set, standard_figures, standard_set, steep_set
from tests.benchmarks.data import micrograph_data
from tests.benchmarks.measure import Cost
from tests.benchmarks.report import Row
from tests.benchmarks.run import REPOSITORY, Settings

STANDARD_SEED, STEEP_SEED, RANDOM_SEED = 78, 79, 903


def run(settings: Settings) -> list[Row]:
    """Fit the preset `small` and one micrograph of the preset `workshop`."""
    small = micrograph_data(settings.data, "small", settings.size(12, 2))
    rows = [_row(settings, small, "1024²", "ctf-small")]
    large = micrograph_data(settings.data, "workshop", 1)
    rows.append(_row(settings, large, "3710 x 3838", "ctf-large"))
    standard = standard_set(STANDARD_SEED, settings.size(8, 1))
    steep = steep_set(STEEP_SEED, settings.size(4, 1))
    random = random_set(RANDOM_SEED, 0, settings.size(200, 4))
    if not settings.quick:
        write_report(standard, steep, random)
    return [
        *rows,
        _set_row(f"CTF fits, {len(standard)} of 3710 x 3838", standard, standard_figures(standard)),
        _set_row(f"CTF fits, {len(steep)} of 3710 x 3838 tilted by 8–10°", steep, standard_figures(steep)),
        _set_row(f"CTF fits, {len(random)} difficult ones of 2048²", random, random_figures(random)),
    ]


def _set_row(name: str, found: list[Outcome], accuracy: dict[str, float]) -> Row:
    cpu_s = sum(outcome.cpu_s for outcome in found)
    return Row(name, Cost(cpu_s, cpu_s, 0), accuracy, note="the fits alone, in this process; memory not measured")


def write_report(standard: list[Outcome], steep: list[Outcome], random: list[Outcome]) -> None:
    """Write the figures as a text that is kept with the sources."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("numpy", "scipy"))
    machine = f"one thread of {platform.machine()}, Python {platform.python_version()}, {packages}"
    text = [
        "# CTF estimation",
        "",
        "Written by `write_report` of `tests/benchmarks/bench_ctf.py`. "
        f"{datetime.now(UTC):%Y-%m-%d}, {machine}. CPU times count little where other work shared the cores.",
        "",
        "The bound is Cramér and Rao's, the least error that any unbiased fit to the same frequencies can have "
        "(`tests/benchmarks/ctf_bound.py`). Whether a micrograph has *enough signal* is told by its expected spectrum: "
        "twice the log-likelihood ratio of its rings to none is above 40. Flagged means a confidence below 0.5.",
        "",
        f"## {len(standard)} micrographs of 3710 x 3838 px, 0.6–2.8 µm, 35 e/Å², astigmatism to 800 Å, tilt to 5°",
        "",
        *_lines(standard_figures(standard)),
        "",
        "For comparison, CTFFIND 5.0.2 on eight micrographs of this kind, not the same ones: mean defocus error "
        "33 Å, worst 58 Å, astigmatism error 104 Å, worst 443 Å, 0.85 s of one core.",
        "",
        f"## {len(steep)} micrographs of that kind, but tilted by 8–10°, some with astigmatism of 2,000–3,000 Å",
        "",
        *_lines(standard_figures(steep)),
        "",
        f"## {len(random)} random micrographs of 2048 x 2048 px, a third of a usual one's area",
        "",
        "0.3–5 µm, 200 or 300 kV, 0.8–1.7 Å/px, 12–50 e/Å², thin to thick ice with few or many objects, a fifth with a "
        "phase shift that is searched, a quarter with astigmatism to 3,000 Å, tilt to 8°, some with a support edge or "
        "with hot pixels and dead lines. Searched from 2,000 to 60,000 Å.",
        "",
        *_lines(random_figures(random)),
        "",
    ]
    path = REPOSITORY / "docs" / "benchmarks" / "ctf.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(text), encoding="utf-8")


def _lines(figures: dict[str, float]) -> list[str]:
    return ["| figure | value |", "|---|---|", *(f"| {name} | {value:.3g} |" for name, value in figures.items())]


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
