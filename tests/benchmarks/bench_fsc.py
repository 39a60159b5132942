"""FSC curves of two half maps, a new mask on the same half maps, and local resolution."""

from __future__ import annotations

import numpy as np

from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.comparison import HalfMapComparison
from engine.validation.curves import FSCCurves
from engine.validation.local_resolution import local_resolution
from engine.validation.masks import soft_mask_from_map
from engine.validation.sharpening import sharpen
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star
from tests.benchmarks.measure import measure
from tests.benchmarks.relion import NAME, missing, relion
from tests.benchmarks.report import Row
from tests.benchmarks.run import Settings
from tests.support.relion_curves import fixed_differences, random_deviations

PIXEL_SIZE_A = 1.232
_SEEDS = range(1, 11)


def run(settings: Settings) -> list[Row]:
    """Compare half maps of the workshop's box; the peer's post-processing does the curves of one mask."""
    box_px = settings.size(180, 64)
    truth = density(channel(), box_px, PIXEL_SIZE_A * 180 / box_px)
    pixel_size_A = PIXEL_SIZE_A * 180 / box_px
    blurred = sharpen(truth / truth.std(), pixel_size_A, 80.0)
    rng = np.random.default_rng(1)
    halves = [blurred + 3.0 * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2)]

    def compared(seed: int = 2) -> HalfMapComparison:
        return HalfMapComparison(halves[0], halves[1], pixel_size_A, np.random.default_rng(seed), 0.8)

    _, first = measure(lambda: compared().curves(), 2)
    kept = compared()
    kept.curves()
    _, again = measure(lambda: kept.curves(kept.mask(0.3, 6.0, 12.0)), 3)
    name = f"{box_px}³"
    mask = soft_mask_from_map(truth, pixel_size_A, 0.3, 6.0, 12.0)
    ours = kept.curves(mask, loose=False)
    accuracy = {"corrected FSC 0.143, Å": ours.resolution()}
    row = Row(f"five FSC curves from half maps, {name}", first, accuracy, note="limit 1 s on 2 cores")
    note = missing("relion_postprocess")
    if note:
        row.note = note
    else:
        of_seeds = [compared(seed).curves(mask, loose=False) for seed in _SEEDS]
        _compare(settings, row, halves, mask, pixel_size_A, of_seeds)
    _, local = measure(lambda: local_resolution(halves[0], halves[1], pixel_size_A))
    return [
        row,
        Row(f"a new mask and all curves, {name}", again, note="limit 1 s on 2 cores; half maps are kept transformed"),
        Row(f"local resolution, {name}", local),
    ]


def _compare(
    settings: Settings,
    row: Row,
    halves: list[np.ndarray],
    mask: np.ndarray,
    pixel_size_A: float,
    ours: list[FSCCurves],
) -> None:
    """Run the peer on the same files with as many seeds, and say how far the curves are apart."""
    names = ("half1_class001_unfil.mrc", "half2_class001_unfil.mrc", "mask.mrc")
    for name, volume in zip(names, (*halves, mask), strict=True):
        write_mrc(settings.work / name, volume, pixel_size_A)
    options = ["--i", names[0], "--i2", names[1], "--mask", names[2], "--angpix", pixel_size_A]
    costs, tables = [], []
    for seed in _SEEDS:
        out = settings.work / f"seed{seed}"
        out.mkdir()
        more = ["--randomize_at_fsc", 0.8, "--random_seed", seed, "--o", f"{out.name}/post"]
        costs.append(relion("relion_postprocess", options + more, settings.work, 300.0))
        tables.append(read_star(out / "post.star"))
    row.reference, row.theirs = f"{NAME}, one mask", costs[0]
    for name, value in fixed_differences(ours[0], tables[0]).items():
        row.accuracy[f"largest difference of the curve {name}"] = value
    for name, value in random_deviations(ours, tables).items():
        row.accuracy[f"{name}: ten seeds, worst shell, standard deviations apart"] = value
    row.their_accuracy = {"corrected FSC 0.143, Å": float(tables[0]["general"]["rlnFinalResolution"].iloc[0])}
