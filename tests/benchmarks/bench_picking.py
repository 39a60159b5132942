"""Template picking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from scipy import fft

from engine.ctf.model import ctf_rfft2
from engine.picking.grid import flatten_micrograph, picking_grid
from engine.picking.match import match_picks
from engine.picking.templates import TemplateBank, template_bank
from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star
from tests.benchmarks.commands import spa, stages_note
from tests.benchmarks.data import DIAMETER_A, micrograph_data, templates
from tests.benchmarks.measure import CommandFailed, Cost, measure
from tests.benchmarks.relion import NAME, missing, relion
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings

_TOLERANCE_A = 40.0
_OBJECTS = ("particle", "empty_nanodisc")
_ANGLE_DEG, _LOW_PASS_A = 8.0, 20.0


def run(settings: Settings) -> list[Row]:
    """Pick the preset `small` with eight templates and known CTFs."""
    count = settings.size(12, 2)
    folder = micrograph_data(settings.data, "small", count)
    star = folder / "truth" / "micrographs.star"
    micrographs = MicrographSet.read(star)
    stack = templates(settings.data, micrographs.pixel_size_A)
    out = settings.work / "picks"
    cost = spa(["pick-templates", star, "--templates", stack, "--diameter-A", DIAMETER_A], out, settings.work)
    accuracy = _figures(read_star(out / "picks.star")["particles"], folder)
    plain, kernels = _plain(micrographs, stack)
    name = f"template picking, each of {count} of 1024²"
    what = f"plain NumPy: correlation with {kernels} templates, one by one"
    rows = [Row(name, cost.each(count), accuracy, what, plain, note=stages_note(out))]
    return [*rows, _peer(settings, micrographs, stack, folder, cost.each(count), accuracy)]


def _figures(picks: pd.DataFrame, folder: Path) -> dict[str, float]:
    """Recall and precision over the set; empty nanodiscs count as objects."""
    objects = read_star(folder / "truth" / "particles.star")["particles"]
    objects = objects[objects["spaObjectKind"].isin(_OBJECTS)]
    pixel_size_A = MicrographSet.read(folder / "truth" / "micrographs.star").pixel_size_A
    places = ["rlnCoordinateX", "rlnCoordinateY"]
    matched, errors = 0, []
    for name, known in objects.groupby("rlnMicrographName"):
        mine = picks[picks["rlnMicrographName"].map(lambda text: Path(str(text)).name) == Path(str(name)).name]
        match = match_picks(mine[places].to_numpy(float), known[places].to_numpy(float), _TOLERANCE_A / pixel_size_A)
        matched += int((match.truth_of_pick >= 0).sum())
        errors.append(match.median_error_px * pixel_size_A)
    recall, precision = matched / len(objects), matched / max(len(picks), 1)
    f1 = 2 * recall * precision / max(recall + precision, 1e-9)
    return {"recall": recall, "precision": precision, "F1": f1, "centre error, Å": float(np.nanmedian(errors))}


def _plain(micrographs: MicrographSet, stack: Path) -> tuple[Cost, int]:
    """Cost of the least that a template search needs, on the same grid: a correlation for each template and angle."""
    averages, size_A = read_mrc(stack)
    image = micrographs.load(0)
    grid = picking_grid(image.shape, micrographs.pixel_size_A, _LOW_PASS_A)
    bank: TemplateBank = template_bank(averages, size_A, grid.coarse_pixel_size_A, DIAMETER_A, _LOW_PASS_A, _ANGLE_DEG)
    flat = flatten_micrograph(image, grid, _LOW_PASS_A, 500.0, True)

    def search() -> np.ndarray:
        spectrum = fft.rfft2(flat)
        best = np.full(flat.shape, -np.inf, np.float32)
        for kernel in bank.images:
            np.maximum(best, fft.irfft2(spectrum * np.conj(fft.rfft2(kernel, s=flat.shape)), s=flat.shape), out=best)
        return best

    search()
    return measure(search)[1], len(bank.images)


def _peer(
    settings: Settings, micrographs: MicrographSet, stack: Path, folder: Path, ours: Cost, accuracy: dict[str, float]
) -> Row:
    name = "template picking against RELION"
    if reason := missing("relion_autopick"):
        return Row(name, ours, accuracy, NAME, note=reason)
    place = settings.work / "relion"
    place.mkdir()
    inputs = place / "images"
    inputs.symlink_to(Path(micrographs.image_path(0)).parent)
    table = micrographs.table.assign(
        rlnMicrographName=[f"images/{Path(text).name}" for text in micrographs.table["rlnMicrographName"]]
    )
    micrographs.with_table(table).write(place / "micrographs.star")
    scaled = _on_absolute_scale(stack, micrographs, place / "templates.mrcs")
    options = [
        *["--i", "micrographs.star", "--ref", scaled, "--odir", "out/", "--angpix", micrographs.pixel_size_A],
        *["--angpix_ref", micrographs.pixel_size_A, "--ang", _ANGLE_DEG, "--lowpass", _LOW_PASS_A, "--ctf", "--invert"],
        *["--particle_diameter", DIAMETER_A, "--shrink", 0, "--threshold", 0.1],
        *["--min_distance", 0.6 * DIAMETER_A],
    ]
    try:
        # the program may crash at its very end, when it draws a page of statistics: its picks are written by then
        theirs = relion("relion_autopick", options, place, settings.peer_limit_s, may_fail=True)
        done = sorted((place / "out").rglob("*_autopick.star"))
        picks = pd.concat([_picks_of(path) for path in done], ignore_index=True)
    except (CommandFailed, ValueError) as error:
        return Row(name, ours, accuracy, NAME, note=f"the reference failed: {error}")
    figures = _figures(picks, folder) if theirs.finished else {}
    note = f"RELION's threshold is a fixed 0.1; it finished {len(done)} micrographs"
    return Row(name, ours, accuracy, NAME, theirs.each(max(len(done), 1)), figures, note)


def _on_absolute_scale(stack: Path, micrographs: MicrographSet, out: Path) -> Path:
    """Give templates the grey values that RELION expects: those of particles in noise of variance 1."""
    images, pixel_size_A = read_mrc(stack)
    box = images.shape[-1]
    defocus = micrographs.defocus.take(np.zeros(len(images), int))
    transfer = ctf_rfft2(box, pixel_size_A, defocus, micrographs.optics.take(np.zeros(len(images), int)))
    seen = fft.irfft2(fft.rfft2(images) * transfer, s=(box, box))
    axis = np.arange(box) - box // 2
    inside = np.hypot(axis[:, None], axis[None, :]) < DIAMETER_A / 2 / pixel_size_A
    snr = float(micrographs.table["spaParticleSNR"].mean())
    write_mrc(out, images * np.float32(np.sqrt(snr / seen[:, inside].var(axis=1).mean())), pixel_size_A, is_stack=True)
    return out


def _picks_of(path: Path) -> pd.DataFrame:
    table = next(iter(read_star(path).values()))
    return table.assign(rlnMicrographName=path.name.replace("_autopick.star", ".mrc"))
