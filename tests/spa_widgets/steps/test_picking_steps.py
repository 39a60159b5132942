"""From import to extraction through the job functions, on simulated micrographs with known truth."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from engine.geometry import random_rotations
from engine.picking.match import match_picks
from engine.simulation.micrographs import SimulatedMicrograph, simulate_micrographs
from engine.simulation.phantom import channel_in_nanodisc
from engine.simulation.projection import project_atoms
from engine.simulation.settings import SMALL
from spa_widgets.errors import UserError
from spa_widgets.io.datasets import MicrographSet, ParticleSet
from spa_widgets.io.mrc import mrc_shape, read_mrc
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session.context import Cancelled, JobContext
from spa_widgets.session.params import validate_params
from spa_widgets.session.registry import get_step, load_steps

load_steps()
PIXEL_A = SMALL.pixel_size_A
OPTICS = {"pixel_size_A": PIXEL_A, "voltage_kv": 300, "cs_mm": 1.6}


def run_step(name: str, folder: Path, inputs: dict[str, Any], params: dict[str, Any], **options: Any) -> JobContext:
    """Run a job in folders of its own and check that it wrote what its step declares."""
    step = get_step(name)
    values = validate_params(step.params, params, name)
    context = JobContext(name, values, inputs, folder / "out", folder / "work", **options)
    step.load()(context)
    for output in step.outputs:
        assert (context.out / output.file).is_file(), output.file
    return context


@dataclass
class Chain:
    """What the steps made, each used by the next."""

    folder: Path
    simulated: list[SimulatedMicrograph]
    micrographs: Path
    templates: Path
    picked: JobContext


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Chain:
    folder = tmp_path_factory.mktemp("chain")
    settings = replace(SMALL, count=2, shape=(768, 800), objects_per_micrograph=30)
    simulated = list(simulate_micrographs(channel_in_nanodisc(), settings, np.random.default_rng(11)))
    files = [folder / f"mic_{i}.mrc" for i in range(len(simulated))]
    for file, made in zip(files, simulated, strict=True):
        write_mrc(file, made.image, PIXEL_A)
    imported = run_step("import_micrographs", folder / "import", {"files": files}, OPTICS)
    assert not imported.warnings
    star = folder / "micrographs_ctf.star"
    table = MicrographSet.read(imported.out / "micrographs.star")
    truth = [made.truth for made in simulated]
    columns = {
        "rlnDefocusU": [float(t.defocus.u_A) for t in truth],
        "rlnDefocusV": [float(t.defocus.v_A) for t in truth],
        "rlnDefocusAngle": [float(t.defocus.angle_deg) for t in truth],
        "rlnPhaseShift": 0.0,
        **{f"spaDefocusSurface{i}": [float(t.surface_A[i]) for t in truth] for i in range(6)},
    }
    table.with_table(table.table.assign(**columns)).write(star)
    rotations = random_rotations(2, np.random.default_rng(1))
    # templates of another pixel size than the micrographs
    averages = project_atoms(channel_in_nanodisc(), rotations, np.zeros((2, 2)), 64, 3.465)
    write_mrc(folder / "templates.mrcs", averages.astype(np.float32), 3.465, is_stack=True)
    inputs = {"micrographs": star, "templates": folder / "templates.mrcs"}
    picked = run_step("pick_templates", folder / "pick", inputs, {"diameter_A": 160})
    return Chain(folder, simulated, star, folder / "templates.mrcs", picked)


def truth_of(chain: Chain, table: pd.DataFrame) -> tuple[int, int, int]:
    """Hits, picks and objects over all micrographs."""
    hits = objects = 0
    for index, made in enumerate(chain.simulated):
        mine = table[table["rlnMicrographName"].str.endswith(f"mic_{index}.mrc")]
        truth = made.truth.coordinates_px[made.truth.kinds < 2]
        match = match_picks(mine[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy(), truth, 40 / PIXEL_A)
        hits += int((match.truth_of_pick >= 0).sum())
        objects += len(truth)
    return hits, len(table), objects


def test_import_states_the_optics(chain: Chain) -> None:
    micrographs = MicrographSet.read(chain.folder / "import" / "out" / "micrographs.star")
    assert micrographs.count == 2 and micrographs.pixel_size_A == PIXEL_A
    assert float(micrographs.optics.take(0).cs_mm) == 1.6
    assert Path(micrographs.name(0)).is_absolute()
    assert np.array_equal(micrographs.load(1), chain.simulated[1].image)


def test_import_has_no_silent_optics(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="needs the parameter cs_mm"):
        run_step("import_micrographs", tmp_path, {"files": []}, {"pixel_size_A": 1, "voltage_kv": 300})
    with pytest.raises(UserError, match="No micrograph was given"):
        run_step("import_micrographs", tmp_path, {"files": []}, OPTICS)


def test_import_names_what_is_wrong_with_files(tmp_path: Path) -> None:
    good, other, movie, broken = (tmp_path / name for name in ("good.mrc", "other.mrc", "movie.mrc", "broken.mrc"))
    write_mrc(good, np.zeros((64, 64)), PIXEL_A)
    write_mrc(other, np.zeros((64, 80)), 1.3)
    write_mrc(movie, np.zeros((5, 64, 64)), PIXEL_A, is_stack=True)
    broken.write_bytes(good.read_bytes()[:9000])
    with pytest.raises(UserError, match=r"None of the 2 files can be used: .*movie\.mrc has 5 frames"):
        run_step("import_micrographs", tmp_path / "a", {"files": [movie, broken]}, OPTICS)
    rest = run_step("import_micrographs", tmp_path / "b", {"files": [broken, good, movie]}, OPTICS)
    assert rest.figures["micrographs"] == 1 and rest.figures["left_out"] == 2
    assert any("broken.mrc is cut short" in sentence for sentence in rest.warnings)
    context = run_step("import_micrographs", tmp_path / "c", {"files": [good, other]}, OPTICS)
    assert any("differ in size" in sentence for sentence in context.warnings)
    assert any("other.mrc states 1.3 Å" in sentence for sentence in context.warnings)


def test_picks_at_automatic_thresholds_agree_with_truth(chain: Chain) -> None:
    table = read_star(chain.picked.out / "picks.star")["particles"]
    hits, picks, objects = truth_of(chain, table)
    print(f"recall {hits / objects:.3f}, precision {hits / picks:.3f}, {chain.picked.figures}")
    assert hits / objects > 0.85 and hits / picks > 0.85
    wanted = {"rlnAutopickFigureOfMerit", "spaPickPower", "rlnClassNumber", "rlnAnglePsi"}
    assert wanted <= set(table) and set(table["rlnClassNumber"]) <= {1, 2, 3}


def test_thresholds_apply_again_to_all_candidates(chain: Chain, tmp_path: Path) -> None:
    picks = chain.picked.out / "picks.star"
    same = run_step("inspect_picks", tmp_path / "same", {"picks": picks}, {})
    assert read_star(same.out / "picks.star")["particles"].equals(read_star(picks)["particles"])
    bounds = {"min_ncc": 0.2, "min_power": 1.2, "max_power": 3.0, "automatic_thresholds": False}
    other = run_step("inspect_picks", tmp_path / "other", {"picks": picks}, bounds)
    table = read_star(other.out / "picks.star")["particles"]
    candidates = read_star(chain.picked.out / "candidates.star")["particles"]
    ncc, power = candidates["rlnAutopickFigureOfMerit"], candidates["spaPickPower"]
    assert len(table) == int(((ncc >= 0.2) & (power >= 1.2) & (power <= 3.0)).sum())
    assert len(table) > len(read_star(picks)["particles"])
    middle = float(read_star(picks)["particles"]["rlnAutopickFigureOfMerit"].median())
    bounds = {"use_candidates": False, "min_ncc": middle}
    fewer = run_step("inspect_picks", tmp_path / "fewer", {"picks": picks}, bounds)
    assert (read_star(fewer.out / "picks.star")["particles"]["rlnAutopickFigureOfMerit"] >= middle).all()
    calibrated = run_step("inspect_picks", tmp_path / "cal", {"picks": picks}, {"calibrate_to_defocus": True})
    assert calibrated.figures["picks"] > 0
    with pytest.raises(UserError, match="None of the"):
        run_step("inspect_picks", tmp_path / "none", {"picks": picks}, {"min_ncc": 0.99})


def test_a_stopped_picker_goes_on_and_gives_the_same(chain: Chain, tmp_path: Path) -> None:
    inputs = {"micrographs": chain.micrographs, "templates": chain.templates}
    calls = iter([False, True])
    with pytest.raises(Cancelled):
        run_step("pick_templates", tmp_path, inputs, {}, is_cancelled=lambda: next(calls))
    kept = list((tmp_path / "work" / "candidates").glob("*.npz"))
    assert len(kept) == 1
    before = kept[0].stat().st_mtime_ns
    again = run_step("pick_templates", tmp_path, inputs, {})
    assert kept[0].stat().st_mtime_ns == before
    for name in ("picks.star", "candidates.star"):
        assert (again.out / name).read_bytes() == (chain.picked.out / name).read_bytes()


def test_blob_picker_needs_no_template(chain: Chain, tmp_path: Path) -> None:
    context = run_step("pick_blobs", tmp_path, {"micrographs": chain.micrographs}, {"diameter_A": 160})
    hits, picks, objects = truth_of(chain, read_star(context.out / "picks.star")["particles"])
    print(f"blobs: recall {hits / objects:.3f}, precision {hits / picks:.3f}")
    assert hits / objects > 0.75 and hits / picks > 0.85
    with pytest.raises(UserError, match="smallest blob"):
        run_step(
            "pick_blobs", tmp_path, {"micrographs": chain.micrographs}, {"min_diameter_A": 200, "max_diameter_A": 100}
        )


def test_picking_without_a_ctf_warns(chain: Chain, tmp_path: Path) -> None:
    inputs = {"micrographs": chain.folder / "import" / "out" / "micrographs.star", "templates": chain.templates}
    context = run_step("pick_templates", tmp_path, inputs, {"angle_step_deg": 60})
    assert any("no CTF" in sentence for sentence in context.warnings)
    small = tmp_path / "small.mrcs"
    write_mrc(small, np.random.default_rng(0).normal(size=(2, 32, 32)), 3.0, is_stack=True)
    with pytest.raises(UserError, match="smaller than the particle diameter"):
        run_step("pick_templates", tmp_path / "b", {**inputs, "templates": small}, {})


def manual(chain: Chain, folder: Path, picks: dict[str, list[tuple[float, float]]]) -> JobContext:
    return run_step("manual_picks", folder, {"micrographs": chain.micrographs}, {"picks": picks})


def test_manual_picks_are_kept_as_they_are(chain: Chain, tmp_path: Path) -> None:
    context = manual(chain, tmp_path, {"mic_1": [(100.5, 200.0)], "mic_0.mrc": [(300.0, 400.25), (50.0, 60.0)]})
    table = read_star(context.out / "picks.star")["particles"]
    assert table["rlnCoordinateX"].tolist() == [300.0, 50.0, 100.5]
    assert table["rlnMicrographName"].tolist()[2] == str(chain.folder / "mic_1.mrc")
    for picks, words in (
        ({"mic_7": [(1.0, 1.0)]}, "no micrograph mic_7"),
        ({"mic_0": [(900.0, 10.0)]}, "lies outside"),
        ({"mic_0": []}, "Nothing is picked"),
    ):
        with pytest.raises(UserError, match=words):
            manual(chain, tmp_path / "bad", picks)  # type: ignore[arg-type]
    with pytest.raises(UserError, match="made by hand need no thresholds"):
        run_step("inspect_picks", tmp_path / "inspect", {"picks": context.out / "picks.star"}, {"min_ncc": 0.3})


def test_extraction_writes_what_the_truth_says(chain: Chain, tmp_path: Path) -> None:
    inputs = {"micrographs": chain.micrographs, "picks": chain.picked.out / "picks.star"}
    context = run_step("extract", tmp_path, inputs, {"box_px": 90, "crop_px": 64})
    particles = ParticleSet.read(context.out / "particles.star")
    table = particles.table
    assert particles.pixel_size_A == pytest.approx(PIXEL_A * 90 / 64)
    assert mrc_shape(context.out / "particles.mrcs") == (len(table), 64, 64)
    assert read_mrc(context.out / "particles.mrcs")[1] == pytest.approx(particles.pixel_size_A, abs=1e-4)
    picked = len(read_star(inputs["picks"])["particles"])
    assert len(table) + context.figures["over_the_edge"] + context.figures["duplicates"] == picked
    images = particles.to_engine().images(np.arange(len(table)))
    steps = np.arange(64) - 32
    outside = np.hypot(steps[:, None], steps[None]) > 80 / particles.pixel_size_A
    assert np.abs(images[:, outside].mean(axis=1)).max() < 1e-3
    assert np.abs(images[:, outside].std(axis=1) - 1).max() < 1e-3
    assert images[:, ~outside].mean() > 0.05
    for index, made in enumerate(chain.simulated):
        mine = table[table["rlnMicrographName"].str.endswith(f"mic_{index}.mrc")]
        xy = mine[["rlnCoordinateX", "rlnCoordinateY"]].to_numpy()
        found = match_picks(xy, made.truth.coordinates_px, 40 / PIXEL_A).truth_of_pick
        true = made.truth.object_defocus.u_A[found[found >= 0]]
        error = np.abs(mine["rlnDefocusU"].to_numpy()[found >= 0] - true)
        print(f"micrograph {index}: mean error of the local defocus {error.mean():.1f} Å")
        assert error.mean() < 40  # the particles' own heights scatter by 20 Å
        halves = mine["rlnRandomSubset"].to_numpy()
        assert abs(int((halves == 1).sum()) - int((halves == 2).sum())) <= 1


def test_extracted_pixels_are_those_of_the_micrograph(chain: Chain, tmp_path: Path) -> None:
    picks = manual(chain, tmp_path / "picks", {"mic_0": [(100.0, 200.0), (20.0, 200.0), (101.0, 201.0)]})
    inputs = {"micrographs": chain.micrographs, "picks": picks.out / "picks.star"}
    plain = {"box_px": 64, "diameter_A": 100, "invert": False, "normalise": False, "outlier_sigma": None}
    context = run_step("extract", tmp_path / "plain", inputs, plain)
    assert context.figures["over_the_edge"] == 1 and context.figures["duplicates"] == 1
    image = ParticleSet.read(context.out / "particles.star").to_engine().images(np.array([0]))[0]
    assert np.array_equal(image, chain.simulated[0].image[168:232, 68:132])
    padded = run_step("extract", tmp_path / "pad", inputs, {**plain, "pad": True, "min_distance_A": 0, "float16": True})
    assert padded.figures["particles"] == 3
    assert (padded.out / "particles.mrcs").stat().st_size == 1024 + 3 * 64 * 64 * 2


def test_extraction_follows_its_seed_and_refuses_what_cannot_be(chain: Chain, tmp_path: Path) -> None:
    inputs = {"micrographs": chain.micrographs, "picks": chain.picked.out / "picks.star"}
    tables = [
        read_star(
            run_step("extract", tmp_path / str(i), inputs, {"box_px": 64, "diameter_A": 120, "seed": s}).out
            / "particles.star"
        )
        for i, s in enumerate((3, 3, 4))
    ]
    halves = [t["particles"]["rlnRandomSubset"].to_numpy() for t in tables]
    assert np.array_equal(halves[0], halves[1]) and not np.array_equal(halves[0], halves[2])
    for params, words in (
        ({"box_px": 64, "crop_px": 90}, "cannot be larger"),
        ({"box_px": 64, "diameter_A": 250}, "no background"),
        ({"box_px": 760, "diameter_A": 160}, "No particle is left"),
    ):
        with pytest.raises(UserError, match=words):
            run_step("extract", tmp_path / "bad", inputs, params)
    strange = tmp_path / "strange.star"
    frame = pd.DataFrame({"rlnMicrographName": ["other.mrc"], "rlnCoordinateX": [10.0], "rlnCoordinateY": [10.0]})
    write_star(strange, {"particles": frame})
    with pytest.raises(UserError, match="other micrographs"):
        run_step("extract", tmp_path / "bad", {**inputs, "picks": strange}, {"box_px": 64, "diameter_A": 120})


def test_blank_windows_are_left_out_of_the_stack(chain: Chain, tmp_path: Path) -> None:
    image = chain.simulated[0].image.copy()
    image[:, :300] = 40.0
    write_mrc(tmp_path / "half.mrc", image, PIXEL_A)
    imported = run_step("import_micrographs", tmp_path / "import", {"files": [tmp_path / "half.mrc"]}, OPTICS)
    star = imported.out / "micrographs.star"
    points = {"half": [(100.0, 200.0), (500.0, 200.0), (600.0, 300.0)]}
    picks = run_step("manual_picks", tmp_path / "picks", {"micrographs": star}, {"picks": points})
    inputs = {"micrographs": star, "picks": picks.out / "picks.star"}
    context = run_step("extract", tmp_path / "extract", inputs, {"box_px": 90})
    table = read_star(context.out / "particles.star")["particles"]
    assert table["rlnCoordinateX"].tolist() == [500.0, 600.0]
    assert mrc_shape(context.out / "particles.mrcs") == (2, 90, 90)
    assert any("blank" in sentence for sentence in context.warnings)
    assert any("no CTF" in sentence for sentence in context.warnings)
