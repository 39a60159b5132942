"""A real Dask gateway on this machine, for as long as the test: a project's jobs on a cluster that it started."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from session_support import end_runner, free_ports, wait_until

from spa_widgets.errors import UserError
from spa_widgets.session.session import Session
from tests.support.particle_files import write_particles

SERVER = shutil.which("dask-gateway-server")
pytestmark = [
    pytest.mark.skipif(SERVER is None, reason="no Dask gateway here: pip install 'dask-gateway-server[local]'"),
    pytest.mark.skipif(importlib.util.find_spec("dask_gateway") is None, reason="needs the extra [cluster]"),
]

CONFIGURATION = """\
c.DaskGateway.backend_class = "dask_gateway_server.backends.local.UnsafeLocalBackend"
c.DaskGateway.address = "127.0.0.1:{ports[0]}"
c.Proxy.address = "127.0.0.1:{ports[1]}"
c.Proxy.tcp_address = "127.0.0.1:{ports[2]}"
c.DatabaseBackend.db_url = "sqlite:///:memory:"
c.UnsafeLocalBackend.clusters_directory = "{folder}"
c.ClusterConfig.scheduler_cmd = ["{python}", "-m", "dask", "scheduler"]
c.ClusterConfig.worker_cmd = ["{python}", "-m", "dask", "worker"]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A gateway on this machine, as Dask's configuration names it."""
    from dask_gateway import Gateway

    folder, ports = tmp_path_factory.mktemp("gateway"), free_ports(3)
    configuration = folder / "dask_gateway_config.py"
    configuration.write_text(CONFIGURATION.format(folder=folder, ports=ports, python=sys.executable), encoding="utf-8")
    address = f"http://127.0.0.1:{ports[1]}"
    with pytest.MonkeyPatch.context() as patch, (folder / "server.log").open("wb") as log:
        patch.setenv("DASK_GATEWAY__ADDRESS", address)
        patch.setenv("DASK_GATEWAY__PROXY_ADDRESS", f"gateway://127.0.0.1:{ports[2]}")
        server = subprocess.Popen([str(SERVER), "-f", str(configuration)], stdout=log, stderr=subprocess.STDOUT)
        try:
            with Gateway(address, f"gateway://127.0.0.1:{ports[2]}") as opened:
                wait_until(lambda: server.poll() is not None or _answers(opened), 60)
                assert server.poll() is None, (folder / "server.log").read_text(encoding="utf-8")
                yield opened
        finally:
            server.terminate()  # it ends its clusters
            server.wait(60)


def _answers(gateway: Any) -> bool:
    try:
        return gateway.list_clusters() == []
    except Exception:  # its proxy knows no server yet
        return False


def test_a_job_spreads_over_the_workers_of_a_gateway(
    gateway: Any, tmp_path: Path, open_session: Callable[..., Session]
) -> None:
    write_particles(tmp_path, 150, 32, 6.93)
    asked = {"symmetry": "C8", "mask_diameter_A": 160, "align_symmetry": False, "max_iterations": 4}
    files = tmp_path / "particles.star", tmp_path / "volume.mrc"
    alone = open_session("alone").refine(*files, **asked).wait(120)
    with gateway.new_cluster() as cluster:
        cluster.scale(2)
        given = open_session("object", cluster=cluster)
        given.flip_hand(tmp_path / "volume.mrc").wait(120)
        session = open_session("name", cluster=f"gateway:{cluster.name}")
        with cluster.get_client() as client:
            client.wait_for_workers(2, timeout=120)
        job = session.refine(*files, **asked).wait(200)
        assert job.path("map.mrc").read_bytes() == alone.path("map.mrc").read_bytes()
        assert job.path("particles.star").read_bytes() == alone.path("particles.star").read_bytes()
        assert job.events(kind="spread")[-1]["workers"] == 2
        for one in (given, session):
            end_runner(one)
        assert [one.name for one in gateway.list_clusters()] == [cluster.name], "the project ended somebody's cluster"


def test_a_cluster_that_the_gateway_does_not_have_is_told(
    gateway: Any, tmp_path: Path, open_session: Callable[..., Session]
) -> None:
    write_particles(tmp_path, 4, 32, 6.93)
    job = open_session("nowhere", cluster="gateway:" + "0" * 32).flip_hand(tmp_path / "volume.mrc")
    with pytest.raises(UserError, match=r"The cluster 0+ of the gateway cannot be reached"):
        job.wait(120)
