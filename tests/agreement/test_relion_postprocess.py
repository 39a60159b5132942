"""relion_postprocess on the same half maps and mask: FSC curves, Guinier plot, B-factor and sharpened map."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.comparison import HalfMapComparison
from engine.validation.curves import FSCCurves
from engine.validation.guinier import guinier_b_factor
from engine.validation.masks import soft_mask_from_map
from engine.validation.sharpening import sharpen
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star
from tests.support.relion_curves import FSC, fixed_differences, random_deviations

Relion = Callable[..., str]
BOX_PX, PIXEL_SIZE_A = 80, 2.2
SEEDS = range(1, 11)


@dataclass(frozen=True)
class Halves:
    """Half maps and a mask, as files and arrays."""

    folder: Path
    a: NDArray[Any]
    b: NDArray[Any]
    mask: NDArray[Any]


@pytest.fixture(scope="module")
def halves(tmp_path_factory: pytest.TempPathFactory) -> Halves:
    """A blurred map with noise that reaches 6 Å, and a mask tight enough to correlate noise."""
    if shutil.which("relion_postprocess") is None:
        pytest.skip("RELION is not installed")
    folder = tmp_path_factory.mktemp("postprocess")
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    blurred = sharpen(truth / truth.std(), PIXEL_SIZE_A, 80.0)
    rng = np.random.default_rng(3)
    maps = [blurred + 2.0 * rng.standard_normal(truth.shape).astype(np.float32) for _ in range(2)]
    mask = soft_mask_from_map(truth, PIXEL_SIZE_A, 0.25, 3.0, 9.0)
    for name, volume in zip(("half1_class001_unfil", "half2_class001_unfil", "mask"), (*maps, mask), strict=True):
        write_mrc(folder / f"{name}.mrc", volume, PIXEL_SIZE_A)
    return Halves(folder, maps[0], maps[1], mask)


def run_relion(relion: Relion, halves: Halves, seed: int, *more: object) -> dict[str, Any]:
    """Post-process with a seed; return the tables of its STAR file."""
    out = halves.folder / f"seed{seed}"
    out.mkdir(exist_ok=True)
    options = ["--i", "half1_class001_unfil.mrc", "--i2", "half2_class001_unfil.mrc", "--angpix", PIXEL_SIZE_A]
    options += ["--mask", "mask.mrc", "--randomize_at_fsc", 0.8, "--random_seed", seed, "--o", f"{out.name}/post"]
    relion(halves.folder, "relion_postprocess", *options, *more)
    return read_star(out / "post.star")


def our_curves(halves: Halves, seed: int) -> FSCCurves:
    rng = np.random.default_rng(seed)
    return HalfMapComparison(halves.a, halves.b, PIXEL_SIZE_A, rng, 0.8).curves(halves.mask, loose=False)


def test_every_curve_is_relions(relion: Relion, halves: Halves) -> None:
    theirs = [run_relion(relion, halves, seed) for seed in SEEDS]
    ours = [our_curves(halves, seed) for seed in SEEDS]
    for name, difference in fixed_differences(ours[0], theirs[0]).items():
        print(f"{name}: largest difference from RELION's curve {difference:.4f}")
        assert difference <= 0.001
    general = theirs[0]["general"]
    assert np.isclose(ours[0].randomised_from_A, float(general["rlnRandomiseFrom"].iloc[0]), rtol=1e-4)
    start = round(BOX_PX * PIXEL_SIZE_A / ours[0].randomised_from_A)
    assert BOX_PX // 2 - start > 15
    for what, deviation in random_deviations(ours, theirs).items():
        print(f"{what}: means of ten seeds differ by at most {deviation:.2f} standard deviations of one")
        assert deviation < 3
    assert ours[0].randomised[start + 2 :].max() > 0.05, "the mask does correlate noise"


def test_b_factor_and_sharpened_map_are_relions(relion: Relion, halves: Halves) -> None:
    found = run_relion(relion, halves, 1, "--auto_bfac", "--autob_lowres", 10, "--autob_highres", 6, "--low_pass", 6)
    fsc = found["fsc"][f"{FSC}Corrected"].to_numpy(float)
    theirs_A2 = float(found["general"]["rlnBfactorUsedForSharpening"].iloc[0])
    mean = 0.5 * (halves.a + halves.b)
    # RELION looks at the map without its mask, weighted by the curve inside the mask
    fit = guinier_b_factor(mean, PIXEL_SIZE_A, 6.0, fsc, low_resolution_A=10.0)
    print(f"B-factor {fit.b_factor_A2:.1f} Å², RELION's {theirs_A2:.1f} Å²")
    assert abs(fit.b_factor_A2 - theirs_A2) < 0.03 * abs(theirs_A2)
    ours = sharpen(mean, PIXEL_SIZE_A, theirs_A2, fsc, low_pass_A=6.0)
    theirs, _ = read_mrc(halves.folder / "seed1" / "post.mrc")
    correlation = float(np.corrcoef(ours.ravel(), theirs.ravel())[0, 1])
    scale = float(ours.std() / theirs.std())
    print(f"sharpened map: correlation with RELION's {correlation:.4f}, ratio of standard deviations {scale:.3f}")
    assert correlation > 0.995 and abs(scale - 1) < 0.05
