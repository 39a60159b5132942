"""Full and forbidden disks beside the store: bundles, the workers' scratch folder, and attempts that are counted."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from spa_widgets.errors import UserError
from spa_widgets.io.bundle import BundleFile, BundleWriter
from spa_widgets.session.clusters.connect import Workers
from spa_widgets.session.clusters.setting import ClusterSetting
from spa_widgets.session.session import Session
from spa_widgets.session.worker import _what_is_kept, run_job
from tests.support.small_disk import fill, small_disk

DISK_BYTES = 1 << 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", DISK_BYTES) as place:
        yield place


@pytest.mark.parametrize("when", ["before", "in a file", "at the end"])
def test_a_bundle_on_a_full_disk(open_session: Callable[..., Session], disk: Path, when: str) -> None:
    session = open_session()
    session.toy_iterate(iterations=3, size=200).wait(120)
    target = disk / "out.spa"
    whole = session.export(disk / "whole.spa")
    (disk / "whole.spa").unlink()
    filler = fill(disk, {"before": 0, "in a file": DISK_BYTES // 2, "at the end": whole.bytes // 4096 * 4096}[when])

    def filled_up(done: int, total: int, name: str) -> None:
        if when == "in a file" and not (disk / "more").exists():
            (disk / "more").write_bytes(bytes(DISK_BYTES // 2 - 8192))

    with pytest.raises(UserError, match=r"is full|are needed: choose another") as caught:
        session.export(target, progress=filled_up)
    assert "\n" not in str(caught.value) and str(disk) in str(caught.value)
    assert {path.name for path in disk.iterdir()} <= {"filler", "more"}
    for file in (filler, disk / "more"):
        file.unlink(missing_ok=True)
    assert session.export(target).files == whole.files
    BundleFile.open(target).verify()


def test_a_large_file_that_does_not_fit_leaves_nothing(disk: Path, tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(np.random.default_rng(1).bytes(2 * DISK_BYTES))
    with pytest.raises(UserError, match="is full"), BundleWriter(disk / "out.spa") as writer:
        writer.add_file(f"raw/{64 * 'a'}/large", tmp_path / "large")
    assert not list(disk.iterdir())


def test_workers_without_a_scratch_folder(disk: Path, tmp_path: Path) -> None:
    fill(disk)
    with pytest.raises(UserError, match=r"The disk of .*dask is full; free some space"):
        Workers(ClusterSetting(), disk / "dask", 0)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"file is a file; expected a folder"):
        Workers(ClusterSetting(), tmp_path / "file", 0)


def test_a_project_on_a_full_disk_says_so_before_its_runner_is_given_up(
    open_session: Callable[..., Session], disk: Path, tmp_path: Path
) -> None:
    session = open_session(str(disk / "project"), store=tmp_path / "store")
    filler = fill(disk)
    with pytest.raises(UserError, match=r"The disk of .* is full; free some space"):
        session.toy_iterate(iterations=3).wait(60)
    filler.unlink()
    assert session.toy_iterate(iterations=3).wait(60).status == "finished"


HOUR_S = 3600


@pytest.mark.parametrize("clock_s", [-HOUR_S, HOUR_S])
def test_attempts_are_counted_by_what_they_kept_not_by_clocks(
    open_session: Callable[..., Session], clock_s: int
) -> None:
    """The clock of a file server may be an hour behind or ahead."""
    session = open_session()
    job = session.toy_iterate(iterations=3).wait(60)
    project, key = session.project, job.key
    checkpoint = project.store.work_folder(key) / "checkpoint.npz"
    np.savez(checkpoint, iteration=2)
    os.utime(checkpoint, (time.time() + clock_s,) * 2)
    row = {"state": "running", "attempts": 5, "key": key, "started": time.time()}
    project.queue.update(job.number, **row, kept=_what_is_kept(project, key))
    assert run_job(str(session.path), job.number, "cpu") == "failed"
    assert "without getting further" in job.error
    project.queue.update(job.number, **row, kept="what was kept when the last attempt began")
    assert run_job(str(session.path), job.number, "cpu") == "finished"
