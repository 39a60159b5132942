"""Clusters: how one is named, jobs on its workers, one job over several, and what happens when a worker dies."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import dask
import psutil
import pytest
from distributed import LocalCluster
from session_support import runner_process, wait_until

from spa_widgets.errors import UserError
from spa_widgets.session.clusters.setting import ClusterSetting
from spa_widgets.session.context import Cancelled
from spa_widgets.session.job import Job
from spa_widgets.session.session import Session
from tests.support.particle_files import write_particles

REFINE = {"symmetry": "C8", "mask_diameter_A": 160, "align_symmetry": False}
MAPS = ("map.mrc", "half_A.mrc", "half_B.mrc", "particles.star")
CLASSES = ("class_averages.mrcs", "particles.star")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("particles")
    write_particles(folder, 150, 32, 6.93)
    return folder


def refine(session: Session, data: Path, **more: object) -> Job:
    return session.refine(data / "particles.star", data / "volume.mrc", **REFINE, max_iterations=5, **more)


def classify(session: Session, data: Path) -> Job:
    return session.classify_2d(data / "particles.star", classes=3, mask_diameter_A=160, iterations=3, full_iterations=1)


def contents(job: Job, names: tuple[str, ...]) -> dict[str, bytes]:
    job.wait(120)
    return {name: job.path(name).read_bytes() for name in names}


@pytest.fixture(scope="module")
def alone(data: Path, open_session: Callable[..., Session]) -> dict[str, dict[str, bytes]]:
    """What one worker makes of the particles."""
    session = open_session("alone")
    jobs = refine(session, data), classify(session, data)
    found = {"refine": contents(jobs[0], MAPS), "classify": contents(jobs[1], CLASSES)}
    assert not any(job.events(kind="spread") for job in jobs)
    return found


@pytest.fixture(scope="module")
def two(open_session: Callable[..., Session]) -> Session:
    """A project with two workers on this machine."""
    return open_session("two", cluster="LocalCluster:2")


def driver_and_helper(session: Session, job: Job) -> tuple[psutil.Process, psutil.Process]:
    """The worker that runs a job, and the other one."""
    owner = json.loads((session.store.work_folder(job.key) / "owner.json").read_text(encoding="utf-8"))
    workers = [c for c in runner_process(session).children() if "spawn_main" in " ".join(c.cmdline())]
    assert len(workers) == 2
    return sorted(workers, key=lambda process: process.pid != owner["pid"])[0:2]  # type: ignore[return-value]


def test_two_workers_make_what_one_makes(data: Path, two: Session, alone: dict[str, dict[str, bytes]]) -> None:
    jobs = refine(two, data), classify(two, data)
    assert contents(jobs[0], MAPS) == alone["refine"]
    assert contents(jobs[1], CLASSES) == alone["classify"]
    assert [job.events(kind="spread")[0]["workers"] for job in jobs] == [2, 2]


def test_a_killed_helper_costs_a_chunk_not_the_job(
    data: Path, open_session: Callable[..., Session], alone: dict[str, dict[str, bytes]]
) -> None:
    session = open_session("killed", cluster="LocalCluster:2")
    job = refine(session, data)
    wait_until(lambda: len(job.events(kind="iteration")) >= 1, 60)
    _, helper = driver_and_helper(session, job)
    helper.kill()
    assert contents(job, MAPS) == alone["refine"]
    assert not job.events(kind="resumed"), "the job itself was taken up again"
    assert len(job.events(kind="iteration")) == 5, "an iteration was lost"


def test_a_killed_driver_costs_an_iteration(data: Path, two: Session, alone: dict[str, dict[str, bytes]]) -> None:
    job = refine(two, data, seed=1)
    wait_until(lambda: len(job.events(kind="iteration")) >= 2, 60)
    driver, _ = driver_and_helper(two, job)
    driver.kill()
    assert job.wait(120).status == "finished"
    assert job.events(kind="resumed")
    assert len(job.events(kind="iteration")) in (5, 6)


def test_a_spread_job_is_cancelled(data: Path, two: Session) -> None:
    job = refine(two, data, seed=2)
    wait_until(lambda: len(job.events(kind="spread")) >= 1, 60)
    job.cancel()
    with pytest.raises(Cancelled):
        job.wait(60)
    assert classify(two, data).wait(60).status == "finished"  # the workers are free again


# -- a cluster of somebody else's ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted() -> Iterator[LocalCluster]:
    """A cluster of Dask with workers of its own, one thread each, reached by TLS."""
    with LocalCluster(n_workers=2, threads_per_worker=1, security=True, dashboard_address=None) as cluster:
        yield cluster


def test_jobs_run_on_a_cluster_that_is_there(
    data: Path, encrypted: LocalCluster, open_session: Callable[..., Session], alone: dict[str, dict[str, bytes]]
) -> None:
    session = open_session("foreign", cluster=encrypted)
    assert encrypted.scheduler_address.startswith("tls://")
    remembered = session.path / ".spa" / "cluster.json"
    assert stat.S_IMODE(remembered.stat().st_mode) == 0o600, "others can read the key"
    job = refine(session, data)
    assert contents(job, MAPS) == alone["refine"]
    assert job.events(kind="spread")[0]["workers"] == 2
    assert len(runner_process(session).children()) == 0, "the runner started workers of its own"
    gpu = session.classify_2d(data / "particles.star", device="gpu:1", mask_diameter_A=160)
    with pytest.raises(UserError, match="a cluster chooses its GPUs"):
        gpu.wait(60)


def test_a_worker_that_sees_another_folder_says_so(
    data: Path, encrypted: LocalCluster, open_session: Callable[..., Session]
) -> None:
    from spa_widgets.session.worker import run_job

    session = open_session("elsewhere")
    facts = {"created": session.project.settings["created"] + 1, "host": "login", "version": "0.1.0"}
    with pytest.raises(UserError, match=r"does not see the project .* as login does; all machines .* mount it there"):
        run_job(str(session.path), 1, "cpu", False, facts)
    with pytest.raises(UserError, match=r"has spa-widgets .* login has 9\.9; install the same version"):
        run_job(str(session.path), 1, "cpu", False, {**facts, "version": "9.9"})


def test_a_cluster_that_does_not_answer_is_told(
    data: Path, open_session: Callable[..., Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPA_CLUSTER_TIMEOUT_S", "0.5")
    session = open_session("silent", cluster="tcp://127.0.0.1:9")
    job = refine(session, data)
    with pytest.raises(UserError, match=r"The cluster tcp://127.0.0.1:9 does not answer"):
        job.wait(120)
    assert refine(open_session("silent", cluster="local"), data).wait(120).status == "finished"


def test_a_command_on_a_cluster(
    data: Path, encrypted: LocalCluster, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from spa_widgets.cli import main

    names = {"ca-file": "tls_ca_file", "client.cert": "tls_client_cert", "client.key": "tls_client_key"}
    settings = {}
    for name, attribute in names.items():
        file = tmp_path / name
        file.write_text(getattr(encrypted.security, attribute), encoding="utf-8")
        settings[f"distributed.comm.tls.{name}"] = str(file)
    volume, out = str(data / "volume.mrc"), tmp_path / "flipped"
    with dask.config.set(settings):
        asked = ["flip-hand", volume, "--out", str(out), "--cluster", encrypted.scheduler_address]
        assert main(asked) == 0
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert (out / "map_flipped.mrc").is_file() and report["step"] == "flip_hand"
    assert main([*asked[:-1], "pbs:2"]) == 1
    assert "The cluster is 'pbs:2'; expected 'local'" in capsys.readouterr().err


# -- how one is named ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("local", ClusterSetting()),
        ("LocalCUDACluster", ClusterSetting()),
        ("LocalCluster:3", ClusterSetting("here", workers=3)),
        ("slurm:8", ClusterSetting("slurm", workers=8)),
        ("slurm", ClusterSetting("slurm")),
        ("gateway:prod.7", ClusterSetting("gateway", name="prod.7")),
        ("tls://login.lab:8786", ClusterSetting("address", address="tls://login.lab:8786")),
        ("tcp://127.0.0.1:8786", ClusterSetting("address", address="tcp://127.0.0.1:8786")),
        ("tcp://[::1]:8786", ClusterSetting("address", address="tcp://[::1]:8786")),
    ],
)
def test_names_and_addresses(given: str, expected: ClusterSetting, tmp_path: Path) -> None:
    assert ClusterSetting.of(given) == expected
    (tmp_path / ".spa").mkdir()
    assert expected.save(tmp_path) == (expected != ClusterSetting())
    assert not expected.save(tmp_path)
    assert ClusterSetting.load(tmp_path) == expected
    (tmp_path / ".spa" / "cluster.json").write_text('{"kind": 7', encoding="utf-8")
    with pytest.raises(UserError, match="open it again with cluster="):
        ClusterSetting.load(tmp_path)
    assert expected.save(tmp_path) and ClusterSetting.load(tmp_path) == expected


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("tcp://10.0.0.7:8786", "without encryption.*expected tls://"),
        ("tcp://login:8786", "without encryption.*expected tls://"),
        ("tls://login", "expected one such as 'tls://login:8786'"),
        ("http://login:8786", "expected one such as 'tls://login:8786'"),
        ("tls://login:port", "expected one such as 'tls://login:8786'"),
        ("inproc://192.168.0.1/7/1", "processes=True"),
        ("LocalCluster:0", "The cluster is 'LocalCluster:0'; expected 'local'"),
        ("pbs:8", "The cluster is 'pbs:8'; expected 'local'"),
        ("gateway:", "The cluster is 'gateway:'; expected 'local'"),
        (7, "The cluster is int, not one of Dask"),
    ],
)
def test_what_is_no_cluster_is_refused(given: object, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence):
        ClusterSetting.of(given)


def test_certificates_must_be_there(tmp_path: Path) -> None:
    from spa_widgets.session.clusters.connect import Workers

    with pytest.raises(UserError, match=r"tls://login:8786 needs a certificate"):
        Workers(ClusterSetting.of("tls://login:8786"), tmp_path, 0)
    setting = ClusterSetting("address", address="tls://login:8786", tls={"ca": "/no/ca", "cert": "/no/cert"})
    with pytest.raises(UserError, match=r"needs the file '/no/ca'"):
        Workers(setting, tmp_path, 0)


def test_databases_that_other_machines_open_use_no_shared_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from spa_widgets.session import database, mounts

    lines = [
        "/dev/sda1 / ext4 rw 0 0",
        "nas:/x /data nfs4 rw 0 0",
        "tmpfs /data/fast\\040disk tmpfs rw 0 0",
        "lab /home fuse.sshfs rw 0 0",
    ]
    monkeypatch.setattr(mounts, "_MOUNTS", tmp_path / "mounts")
    (tmp_path / "mounts").write_text("\n".join(lines), encoding="utf-8")
    mounts.is_on_network.cache_clear()
    places = {
        "/data/p": True,
        "/data": True,
        "/database": False,
        "/data/fast disk/p": False,
        "/home/me": True,
        "/": False,
    }
    assert {place: mounts.is_on_network(Path(place)) for place in places} == places
    for on_network, expected in ((False, "wal"), (True, "delete")):
        monkeypatch.setattr(database, "is_on_network", lambda folder, on_network=on_network: on_network)
        opened = database.connect(tmp_path / f"{expected}.sqlite")
        assert opened.execute("PRAGMA journal_mode").fetchone()[0] == expected
        opened.close()
    mounts.is_on_network.cache_clear()
