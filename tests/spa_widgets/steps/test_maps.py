"""The steps on maps: fsc, sharpen, local_resolution, flip_hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from engine.fourier.filters import low_pass
from engine.simulation.phantom import channel
from engine.simulation.projection import density
from engine.validation.masks import soft_mask_from_map
from engine.validation.sharpening import sharpen as blur
from spa_widgets.errors import UserError
from spa_widgets.io.curves import FSC_COLUMNS, read_fsc_csv
from spa_widgets.io.mrc import read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session.context import JobContext, simple_context
from spa_widgets.steps.flip_hand import job as flip_hand
from spa_widgets.steps.flip_hand.params import Params as FlipHandParams
from spa_widgets.steps.fsc import job as fsc
from spa_widgets.steps.fsc.params import Params as FscParams
from spa_widgets.steps.local_resolution import job as local_resolution
from spa_widgets.steps.local_resolution.params import Params as LocalParams
from spa_widgets.steps.sharpen import job as sharpen
from spa_widgets.steps.sharpen.params import Params as SharpenParams

BOX_PX, PIXEL_SIZE_A = 64, 2.8


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("maps")
    rng = np.random.default_rng(11)
    truth = density(channel(), BOX_PX, PIXEL_SIZE_A)
    noise = 6.0 * truth.std()
    write_mrc(folder / "truth.mrc", truth, PIXEL_SIZE_A)
    write_mrc(folder / "blurred.mrc", blur(truth, PIXEL_SIZE_A, 150.0), PIXEL_SIZE_A)
    for name in "AB":
        half = truth + noise * rng.standard_normal(truth.shape).astype(np.float32)
        write_mrc(folder / f"half_{name}.mrc", half, PIXEL_SIZE_A)
    return folder


def _fsc(maps: Path, folder: Path, **params: float) -> JobContext:
    inputs = {"half_a": maps / "half_A.mrc", "half_b": maps / "half_B.mrc"}
    ctx = simple_context("fsc", FscParams(**params), inputs, folder)
    fsc.run(ctx)
    return ctx


def test_fsc_writes_five_curves_and_their_resolutions(maps: Path, tmp_path: Path) -> None:
    ctx = _fsc(maps, tmp_path)
    table = pd.read_csv(tmp_path / "out" / "fsc.csv")
    assert tuple(table.columns) == (*FSC_COLUMNS, "randomised", "corrected_error")
    assert len(table) == BOX_PX // 2
    assert np.isclose(table["resolution_A"].iloc[0], BOX_PX * PIXEL_SIZE_A)
    print({k: round(v, 2) for k, v in ctx.figures.items() if v})
    below = table["corrected"].to_numpy() < 0.143
    crossing = table["resolution_A"][int(np.flatnonzero(below)[0])]
    assert crossing <= ctx.figures["resolution_corrected_A"] < ctx.figures["resolution_no_mask_A"]
    for name in ("tight", "loose", "spherical", "auto"):
        mask, pixel_size_A = read_mrc(tmp_path / "out" / f"mask_{name}.mrc")
        assert 0.0 <= mask.min() < mask.max() <= 1.0 and np.isclose(pixel_size_A, PIXEL_SIZE_A)
    assert mask.mean() < 0.6
    resolution_A, curve = read_fsc_csv(tmp_path / "out" / "fsc.csv", "tight")
    assert np.isinf(resolution_A[0]) and len(curve) == BOX_PX // 2 + 1


def test_the_threshold_of_randomisation_is_a_parameter(maps: Path, tmp_path: Path) -> None:
    plain, like_relion = _fsc(maps, tmp_path / "a"), _fsc(maps, tmp_path / "b", randomise_at_fsc=0.8)
    assert like_relion.figures["randomised_from_A"] > plain.figures["randomised_from_A"]


def test_an_over_tight_mask_is_named(maps: Path, tmp_path: Path) -> None:
    """Signal to 20 Å only: all that a jagged mask shows beyond is its own."""
    truth, _ = read_mrc(maps / "truth.mrc")
    smooth, rng = low_pass(truth, PIXEL_SIZE_A, 20.0, ndim=3), np.random.default_rng(4)
    for name in "AB":
        half = smooth + 0.2 * smooth.std() * rng.standard_normal(truth.shape).astype(np.float32)
        write_mrc(tmp_path / f"{name}.mrc", half, PIXEL_SIZE_A)
    write_mrc(tmp_path / "jagged.mrc", (truth > 0.3 * truth.max()).astype(np.float32), PIXEL_SIZE_A)
    inputs = {"half_a": tmp_path / "A.mrc", "half_b": tmp_path / "B.mrc"}
    jagged = simple_context("fsc", FscParams(), {**inputs, "mask": tmp_path / "jagged.mrc"}, tmp_path / "jagged")
    soft = simple_context("fsc", FscParams(), inputs, tmp_path / "soft")
    fsc.run(jagged)
    fsc.run(soft)
    said = [sentence for sentence in jagged.warnings if "makes correlation of its own" in sentence]
    print(said, jagged.figures["mask_correlation"], soft.figures["mask_correlation"])
    assert len(said) == 1 and jagged.figures["mask_correlation"] > 0.15
    assert jagged.figures["resolution_corrected_A"] > 1.5 * jagged.figures["resolution_tight_A"]
    assert soft.figures["mask_correlation"] < 0.8 * jagged.figures["mask_correlation"]
    assert not [sentence for sentence in _fsc(maps, tmp_path / "plain").warnings if "of its own" in sentence]


def test_fsc_refuses_what_cannot_be_compared(maps: Path, tmp_path: Path) -> None:
    same = {"half_a": maps / "half_A.mrc", "half_b": maps / "half_A.mrc"}
    with pytest.raises(UserError, match="same map"):
        fsc.run(simple_context("fsc", FscParams(), same, tmp_path / "a"))
    write_mrc(tmp_path / "other.mrc", np.eye(32, dtype=np.float32)[None].repeat(32, axis=0), PIXEL_SIZE_A)
    other = {"half_a": maps / "half_A.mrc", "half_b": tmp_path / "other.mrc"}
    with pytest.raises(UserError, match="resample"):
        fsc.run(simple_context("fsc", FscParams(), other, tmp_path / "b"))


def test_sharpen_undoes_a_blur(maps: Path, tmp_path: Path) -> None:
    ctx = simple_context(
        "sharpen",
        SharpenParams(b_factor_A2=-150.0, resolution_A=5.7),
        {"volume": maps / "blurred.mrc"},
        tmp_path,
    )
    sharpen.run(ctx)
    truth, _ = read_mrc(maps / "truth.mrc")
    sharp, _ = read_mrc(tmp_path / "out" / "map_sharp.mrc")
    blurred, _ = read_mrc(maps / "blurred.mrc")
    wanted = low_pass(truth, PIXEL_SIZE_A, 5.7, ndim=3)
    assert np.corrcoef(sharp.ravel(), wanted.ravel())[0, 1] > 0.99
    assert np.corrcoef(blurred.ravel(), wanted.ravel())[0, 1] < 0.97


def test_sharpen_finds_its_numbers_from_the_curves(maps: Path, tmp_path: Path) -> None:
    curves = _fsc(maps, tmp_path / "fsc")
    inputs = {
        "volume": maps / "half_A.mrc",
        "fsc": tmp_path / "fsc" / "out" / "fsc.csv",
        "mask": tmp_path / "fsc" / "out" / "mask_tight.mrc",
    }
    ctx = simple_context("sharpen", SharpenParams(), inputs, tmp_path / "sharp")
    sharpen.run(ctx)
    assert np.isclose(ctx.figures["resolution_A"], curves.figures["resolution_corrected_A"], rtol=1e-3)
    assert ctx.figures["resolution_A"] > 8 and ctx.figures["b_factor_A2"] == 0.0
    assert "coarser than 8 Å" in ctx.warnings[0]
    ctx = simple_context("sharpen", SharpenParams(resolution_A=7.0), inputs, tmp_path / "finer")
    sharpen.run(ctx)
    fitted, error = ctx.figures["b_factor_fitted_A2"], ctx.figures["b_factor_error_A2"]
    assert ctx.figures["b_factor_A2"] == pytest.approx(min(fitted + error, 0.0))
    with pytest.raises(UserError, match="resolution_A"):
        sharpen.run(simple_context("sharpen", SharpenParams(), {"volume": maps / "truth.mrc"}, tmp_path / "no"))


def test_flip_hand_mirrors_the_map_and_turns_the_poses(maps: Path, tmp_path: Path) -> None:
    write_mrc(tmp_path / "stack.mrcs", np.zeros((2, 8, 8), np.float32), 3.0, is_stack=True)
    optics = pd.DataFrame({"rlnOpticsGroup": [1], "rlnImagePixelSize": [3.0]})
    rows = pd.DataFrame(
        {
            "rlnImageName": ["1@stack.mrcs", "2@stack.mrcs"],
            "rlnOpticsGroup": 1,
            "rlnAngleRot": [10.0, -20.0],
            "rlnAngleTilt": [30.0, 40.0],
            "rlnAnglePsi": [50.0, 60.0],
            "rlnOriginXAngst": 1.0,
            "rlnOriginYAngst": 2.0,
        }
    )
    write_star(tmp_path / "particles.star", {"optics": optics, "particles": rows})
    inputs = {"volume": maps / "truth.mrc", "particles": tmp_path / "particles.star"}
    ctx = simple_context("flip_hand", FlipHandParams(), inputs, tmp_path / "job")
    flip_hand.run(ctx)
    truth, _ = read_mrc(maps / "truth.mrc")
    flipped, _ = read_mrc(tmp_path / "job" / "out" / "map_flipped.mrc")
    assert np.array_equal(flipped[1:], truth[:0:-1])
    table = read_star(tmp_path / "job" / "out" / "particles.star")["particles"]
    assert table["rlnAngleRot"].tolist() == [-170.0, 160.0]
    assert table["rlnAngleTilt"].tolist() == [30.0, 40.0]
    assert table["rlnImageName"][1] == f"2@{tmp_path / 'stack.mrcs'}"


def test_local_resolution_is_finer_in_the_particle_than_outside(maps: Path, tmp_path: Path) -> None:
    truth, _ = read_mrc(maps / "truth.mrc")
    rng = np.random.default_rng(5)
    for name in "AB":
        half = truth + 1.5 * truth.std() * rng.standard_normal(truth.shape).astype(np.float32)
        write_mrc(tmp_path / f"{name}.mrc", half, PIXEL_SIZE_A)
    mask = tmp_path / "mask.mrc"
    write_mrc(mask, soft_mask_from_map(truth, PIXEL_SIZE_A, 0.3, 4.0, 14.0), PIXEL_SIZE_A)
    inputs = {"half_a": tmp_path / "A.mrc", "half_b": tmp_path / "B.mrc", "mask": mask}
    ctx = simple_context("local_resolution", LocalParams(), inputs, tmp_path / "local")
    local_resolution.run(ctx)
    found, pixel_size_A = read_mrc(ctx.out / "local_resolution.mrc")
    outside = read_mrc(mask)[0] == 0
    print({name: round(value, 1) for name, value in ctx.figures.items()}, np.median(found[outside]))
    assert np.isclose(pixel_size_A, PIXEL_SIZE_A) and found.min() >= 2 * PIXEL_SIZE_A - 1e-3
    assert ctx.figures["median_A"] < 0.7 * np.median(found[outside])
    assert ctx.figures["finest_5_percent_A"] < ctx.figures["median_A"] < ctx.figures["coarsest_5_percent_A"]
    wide = simple_context("local_resolution", LocalParams(window_A=150.0), inputs, tmp_path / "wide")
    local_resolution.run(wide)
    assert any(sentence.startswith("The window of 150 Å does not suit") for sentence in wide.warnings)
