"""Extraction of particles."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from spa_widgets.io.datasets import MicrographSet
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.star import read_star, write_star
from tests.benchmarks.commands import spa, stages_note
from tests.benchmarks.data import DIAMETER_A, micrograph_data
from tests.benchmarks.measure import CommandFailed, measure
from tests.benchmarks.relion import NAME, missing, relion
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings

_BOX_PX = 90
_PLACES = ["rlnCoordinateX", "rlnCoordinateY"]


def run(settings: Settings) -> list[Row]:
    """Extract every object of the preset `small`."""
    folder = micrograph_data(settings.data, "small", settings.size(12, 2))
    star, picks = folder / "truth" / "micrographs.star", folder / "truth" / "particles.star"
    out = settings.work / "particles"
    options = ["--box-px", _BOX_PX, "--diameter-A", DIAMETER_A]
    cost = spa(["extract", star, picks, *options], out, settings.work)
    images, _ = read_mrc(out / "particles.mrcs")
    micrographs = MicrographSet.read(star)
    accuracy = _background(images, micrographs.pixel_size_A)
    table = read_star(out / "particles.star")["particles"]
    _, plain = measure(lambda: _plain(micrographs, table))
    what = "plain NumPy: read, cut out, subtract mean, divide by deviation"
    rows = [Row(f"extraction, {len(images)} of {_BOX_PX}²", cost, accuracy, what, plain, note=stages_note(out))]
    return [*rows, _peer(settings, micrographs, table, rows[0], images)]


def _background(images: np.ndarray, pixel_size_A: float) -> dict[str, float]:
    """How far the background outside the particle is from mean 0 and deviation 1, at worst."""
    axis = np.arange(images.shape[-1]) - images.shape[-1] // 2
    outside = np.hypot(axis[:, None], axis[None, :]) > DIAMETER_A / 2 / pixel_size_A
    values = images[:, outside].astype(np.float64)
    return {
        "worst background mean": float(np.abs(values.mean(axis=1)).max()),
        "worst deviation - 1": float(np.abs(values.std(axis=1) - 1).max()),
    }


def _plain(micrographs: MicrographSet, table: pd.DataFrame) -> int:
    count = 0
    half = _BOX_PX // 2
    names = [Path(str(text)).name for text in table["rlnMicrographName"]]
    for index in range(micrographs.count):
        image = micrographs.load(index)
        mine = [name == Path(micrographs.name(index)).name for name in names]
        for x, y in np.rint(table.loc[mine, _PLACES].to_numpy(float)).astype(int):
            box = image[y - half : y + half, x - half : x + half]
            count += len((box - box.mean()) / box.std())
    return count


def _peer(settings: Settings, micrographs: MicrographSet, table: pd.DataFrame, ours: Row, images: np.ndarray) -> Row:
    """Let RELION cut out the same boxes and compare the images."""
    name = "extraction against RELION"
    if reason := missing("relion_preprocess"):
        return Row(name, ours.ours, ours.accuracy, NAME, note=reason)
    place = settings.work / "relion"
    (place / "picks" / "images").mkdir(parents=True)
    (place / "images").symlink_to(Path(micrographs.image_path(0)).parent)
    names = [Path(text).name for text in micrographs.table["rlnMicrographName"]]
    renamed = micrographs.table.assign(rlnMicrographName=[f"images/{text}" for text in names])
    micrographs.with_table(renamed).write(place / "micrographs.star")
    owner = table["rlnMicrographName"].map(lambda text: Path(str(text)).name)
    for text in names:
        picks = table.loc[owner == text, _PLACES].round()
        write_star(place / "picks" / "images" / f"{Path(text).stem}_pick.star", {"": picks})
    radius = round(DIAMETER_A / 2 / micrographs.pixel_size_A)
    options = [
        *["--i", "micrographs.star", "--coord_dir", "picks/", "--coord_suffix", "_pick.star", "--part_dir", "out/"],
        *["--part_star", "out/particles.star", "--extract", "--extract_size", _BOX_PX, "--norm", "--bg_radius", radius],
        *["--white_dust", -1, "--black_dust", -1, "--invert_contrast"],
    ]
    (place / "out").mkdir()
    try:
        cost = relion("relion_preprocess", options, place, settings.peer_limit_s)
        stacks = [read_mrc(place / "out" / "images" / f"{Path(text).stem}.mrcs")[0] for text in names]
    except (CommandFailed, OSError) as error:
        return Row(name, ours.ours, ours.accuracy, NAME, note=f"the reference failed: {error}")
    theirs = np.concatenate(stacks)
    note = f"{len(theirs)} boxes"
    order = np.concatenate([np.flatnonzero(owner == text) for text in names])
    if len(theirs) == len(order):
        a, b = (x.reshape(len(x), -1) - x.mean(axis=(1, 2))[:, None] for x in (images[order], theirs))
        likeness = (a * b).sum(axis=1) / np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
        note += f"; correlation of ours with RELION's images at least {likeness.min():.4f}"
    return Row(name, ours.ours, ours.accuracy, NAME, cost, _background(theirs, micrographs.pixel_size_A), note)
