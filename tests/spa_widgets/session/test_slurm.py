"""A real SLURM on this machine, for as long as the test: a project's jobs as batch jobs, one spread over two."""

from __future__ import annotations

import importlib.util
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from session_support import end_runner, free_ports, wait_until

from spa_widgets.session.session import Session
from tests.support.particle_files import write_particles

PROGRAMS = ("slurmctld", "slurmd", "munged", "sbatch", "squeue", "sinfo")
MISSING = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no SLURM here: {', '.join(MISSING)} missing"),
    pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="a SLURM of one's own needs root"),
    pytest.mark.skipif(importlib.util.find_spec("dask_jobqueue") is None, reason="needs the extra [cluster]"),
]

CONFIGURATION = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 RealMemory=2000 State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=60).stdout


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A scheduler and a compute node on this machine, and Dask's configuration from deploy/slurm for it."""
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool", "dask"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(os.urandom(1024))
    key.chmod(0o600)
    host = socket.gethostname().partition(".")[0]
    configuration = folder / "slurm.conf"
    configuration.write_text(CONFIGURATION.format(host=host, folder=folder, ports=free_ports(2)), encoding="utf-8")
    deployed = Path(__file__).resolve().parents[3] / "deploy" / "slurm" / "jobqueue.yaml"
    shutil.copy(deployed, folder / "dask")
    settings = {
        "SLURM_CONF": str(configuration),
        "PATH": f"{os.environ['PATH']}:/usr/sbin",
        "DASK_CONFIG": str(folder / "dask"),
        "DASK_JOBQUEUE__SLURM__CORES": "1",
        "DASK_JOBQUEUE__SLURM__PROCESSES": "1",
        "DASK_JOBQUEUE__SLURM__MEMORY": "900MB",
        "DASK_JOBQUEUE__SLURM__INTERFACE": "lo",
        "DASK_JOBQUEUE__SLURM__LOCAL_DIRECTORY": str(folder),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        pids = [folder / f"{name}.pid" for name in ("slurmd", "slurmctld", "munged")]
        try:
            files = {
                "key-file": key,
                "socket": folder / "munge.socket",
                "pid-file": pids[2],
                "seed-file": folder / "seed",
            }
            names = [f"--{name}={path}" for name, path in {**files, "log-file": folder / "munged.log"}.items()]
            run("munged", "--force", *names)
            run("slurmctld")
            run("slurmd")
            wait_until(lambda: "idle" in run("sinfo", "--noheader", "--format=%T"), 60)
            yield
        finally:
            for pid in pids:
                if pid.is_file():
                    os.kill(int(pid.read_text(encoding="utf-8")), 15)


def test_a_job_spreads_over_two_batch_jobs(slurm: None, tmp_path: Path, open_session: Callable[..., Session]) -> None:
    write_particles(tmp_path, 150, 32, 6.93)
    asked = {"symmetry": "C8", "mask_diameter_A": 160, "align_symmetry": False, "max_iterations": 4}
    files = tmp_path / "particles.star", tmp_path / "volume.mrc"
    alone = open_session("alone").refine(*files, **asked).wait(120)
    session = open_session("batch", cluster="slurm:2")
    first = session.flip_hand(tmp_path / "volume.mrc")
    wait_until(lambda: run("squeue", "--noheader", "--format=%T").split() == ["RUNNING"] * 2, 90)
    first.wait(120)
    job = session.refine(*files, **asked).wait(200)
    assert job.path("map.mrc").read_bytes() == alone.path("map.mrc").read_bytes()
    assert job.path("particles.star").read_bytes() == alone.path("particles.star").read_bytes()
    assert job.events(kind="spread")[-1]["workers"] == 2
    end_runner(session)
    wait_until(lambda: run("squeue", "--noheader", "--states=PENDING,RUNNING").strip() == "", 90)
