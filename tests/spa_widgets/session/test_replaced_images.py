"""Images that tables name and that are replaced: after the import, during a job, and behind a table of cryoSPARC."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.convert import convert
from spa_widgets.io.mrc_write import write_mrc
from spa_widgets.io.named_images import named_images
from spa_widgets.io.star import read_star, write_star
from spa_widgets.session import inputs
from spa_widgets.session.execute import execute
from spa_widgets.session.inputs import raw_signatures, with_named_images
from spa_widgets.session.registry import get_step, load_steps
from spa_widgets.session.spec import JobSpec, RawFiles, StoredFile, resolve
from spa_widgets.session.store import Store
from tests.support.particle_files import write_particles

BEFORE_NS = 1_700_000_000 * 10**9
OPTICS = {"pixel_size_A": 1.5, "voltage_kv": 300.0, "cs_mm": 2.7}
Act = Callable[[], object]


def micrograph(path: Path, seed: int) -> Path:
    write_mrc(path, np.random.default_rng(seed).normal(0, 1, (40, 50)).astype(np.float32), 1.5)
    os.utime(path, ns=(BEFORE_NS + seed, BEFORE_NS + seed))
    return path


def at_start(act: Act) -> Callable[[dict[str, Any]], None]:
    """Do something when a job has begun."""
    return lambda event: act() if event["kind"] == "started" else None


@pytest.fixture
def imported(tmp_path: Path, store: Store) -> tuple[list[Path], JobSpec]:
    """Raw micrographs, and a job on a table of a job on the table that their import gave."""
    load_steps()
    files = [micrograph(tmp_path / f"m{seed}.mrc", seed) for seed in range(3)]
    key = execute(JobSpec("import_micrographs", OPTICS, {"files": RawFiles(tuple(files))}), store, "cpu")
    chosen = JobSpec("select_micrographs", {"reject": ["m0"]}, {"micrographs": StoredFile(key, "micrographs.star")})
    key = execute(chosen, store, "cpu")
    picks = {"picks": {"m1": [[10.0, 12.0]], "m2": [[20.0, 12.0]]}}
    return files, JobSpec("manual_picks", picks, {"micrographs": StoredFile(key, "micrographs.star")})


def test_a_micrograph_that_was_replaced_after_its_import(imported: tuple[list[Path], JobSpec], store: Store) -> None:
    files, job = imported
    old = files[1].read_bytes()
    micrograph(files[1], 7)
    with pytest.raises(UserError, match=r"m1\.mrc was replaced after it was imported.*import the new one"):
        execute(job, store, "cpu")
    files[1].write_bytes(old)  # put back, with the time of today
    os.utime(files[2], ns=(BEFORE_NS, BEFORE_NS))
    micrograph(files[0], 8)  # is in no table that the job takes
    assert store.get(execute(job, store, "cpu")).result["warnings"] == []


def test_a_micrograph_that_is_replaced_while_a_later_job_runs(
    imported: tuple[list[Path], JobSpec], store: Store
) -> None:
    files, job = imported
    published = store.keys()
    with pytest.raises(UserError, match=r"m2\.mrc changed while the job ran, so the result would mix two contents"):
        execute(job, store, "cpu", at_start(lambda: micrograph(files[2], 9)))
    with pytest.raises(UserError, match=r"m2\.mrc was replaced after it was imported"):
        execute(job, store, "cpu")
    assert store.keys() == published


@pytest.fixture
def particles(tmp_path: Path) -> Path:
    """A table of particles with their stack, which names a micrograph too."""
    load_steps()
    write_particles(tmp_path, 6, 16, 6.0)
    path = tmp_path / "particles.star"
    tables = read_star(path)
    zeros = dict.fromkeys(("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi", "rlnOriginXAngst", "rlnOriginYAngst"), 0.0)
    micrograph(tmp_path / "whole.mrc", 3)
    tables["particles"] = tables["particles"].assign(rlnMicrographName="whole.mrc", **zeros)
    write_star(path, tables)
    return path


def mirrored(path: Path) -> JobSpec:
    return JobSpec(
        "flip_hand", {}, {"particles": RawFiles((path,)), "volume": RawFiles((path.with_name("volume.mrc"),))}
    )


def replace_stack(path: Path, seed: int = 5) -> None:
    images = np.random.default_rng(seed).normal(0, 1, (6, 16, 16)).astype(np.float32)
    write_mrc(path.with_name("p.mrcs"), images, 6.0, is_stack=True)


def test_a_stack_that_is_replaced_while_a_job_runs(particles: Path, store: Store) -> None:
    with pytest.raises(UserError, match=r"p\.mrcs changed while the job ran"):
        execute(mirrored(particles), store, "cpu", at_start(lambda: replace_stack(particles)))
    assert store.keys() == []
    gone = particles.with_name("whole.mrc")
    execute(mirrored(particles), store, "cpu", at_start(gone.unlink))  # nobody reads it for particles
    assert len(store.keys()) == 1


def test_what_lies_beside_raw_classes_is_watched_too(tmp_path: Path, store: Store) -> None:
    """The tables of a 2D classification are read along with its averages: they are of the key, and may not change."""
    load_steps()
    write_particles(tmp_path, 6, 16, 6.0)
    tables = read_star(tmp_path / "particles.star")
    write_star(
        tmp_path / "particles.star",
        {**tables, "particles": tables["particles"].assign(rlnClassNumber=[1, 1, 1, 2, 2, 2])},
    )
    averages = tmp_path / "class_averages.mrcs"
    write_mrc(averages, np.random.default_rng(1).normal(0, 1, (2, 16, 16)).astype(np.float32), 6.0, is_stack=True)
    chosen = JobSpec("select_2d", {"classes": [2]}, {"classes": RawFiles((averages,))})
    refs, step = {"classes": {"files": [str(averages)]}}, get_step("select_2d")
    before = raw_signatures(refs, step)

    def other_classes() -> None:
        found = read_star(tmp_path / "particles.star")
        rows = found["particles"].assign(rlnClassNumber=[1, 2, 1, 2, 1, 1])
        write_star(tmp_path / "particles.star", {**found, "particles": rows})

    with pytest.raises(UserError, match=r"particles\.star changed while the job ran"):
        execute(chosen, store, "cpu", at_start(other_classes))
    assert store.keys() == [] and raw_signatures(refs, step) != before
    key = execute(chosen, store, "cpu")
    assert len(read_star(store.get(key).file("particles.star"))["particles"]) == 2


@pytest.mark.parametrize("suffix", [".star", ".cs"])
def test_the_images_behind_a_table_make_another_job(particles: Path, store: Store, tmp_path: Path, suffix: str) -> None:
    if suffix == ".cs":
        convert([particles], tmp_path / "particles.cs")
    path = particles.with_suffix(suffix)
    stack = particles.with_name("p.mrcs")
    assert [file.resolve() for file in named_images(path)] == [stack.resolve()]
    refs = {"particles": {"files": [str(path)]}}
    step = get_step("flip_hand")
    before = resolve(mirrored(path), store), raw_signatures(refs, step)
    replace_stack(particles)
    after = resolve(mirrored(path), store), raw_signatures(refs, step)
    assert before[0].key != after[0].key and before[1] != after[1]
    assert str(stack.resolve()) in after[0].contents


def test_asking_does_not_open_long_tables(particles: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refs = {"particles": {"files": [str(particles)]}, "volume": {"job": 1, "file": "map.mrc"}}
    stack = particles.with_name("p.mrcs")
    assert with_named_images(refs) == [stack, particles]
    monkeypatch.setattr(inputs, "_MOST_TABLE_BYTES", particles.stat().st_size - 1)
    assert with_named_images(refs) == [particles]


def test_tables_that_cannot_be_read_or_name_nothing_are_left_to_the_step(tmp_path: Path) -> None:
    (tmp_path / "bad.star").write_text("data_\nloop_\n_rlnImageName\n", encoding="utf-8")
    (tmp_path / "bad.cs").write_bytes(b"no dataset")
    (tmp_path / "gone.star").write_text(
        "data_particles\nloop_\n_rlnImageName\n1@nowhere.mrcs\n2@nowhere.mrcs\n", encoding="utf-8"
    )
    for name in ("bad.star", "bad.cs", "gone.star", "missing.star", "volume.mrc"):
        assert named_images(tmp_path / name) == []


def test_each_of_fifty_stacks_is_looked_at_once(tmp_path: Path) -> None:
    stacks = [tmp_path / f"s{index:02d}.mrcs" for index in range(50)]
    for stack in stacks:
        stack.touch()
    rows = [f"{number:06d}@s{number % 50:02d}.mrcs m.mrc" for number in range(27_680)]
    table = tmp_path / "all.star"
    table.write_text(
        "data_particles\nloop_\n_rlnImageName\n_rlnMicrographName\n" + "\n".join(rows) + "\n", encoding="utf-8"
    )
    assert named_images(table) == stacks
