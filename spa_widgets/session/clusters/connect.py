"""Reach the workers that a project's setting names."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from spa_widgets.errors import UserError
from spa_widgets.session.cluster import DASK_SETTINGS, open_client
from spa_widgets.session.clusters.mapping import GPU_SLOT
from spa_widgets.session.clusters.prepare import JOB_SLOT, PrepareWorker
from spa_widgets.session.clusters.setting import ADDRESS, SLURM, ClusterSetting
from spa_widgets.session.disk import require_writable

if TYPE_CHECKING:
    from distributed import Client, Future
    from distributed.security import Security

TIMEOUT_VARIABLE = "SPA_CLUSTER_TIMEOUT_S"
_TIMEOUT_S = 20.0
_POLL_S = 0.5


class Workers:
    """The workers of a project.

    Parameters
    ----------
    setting
        Where they are.
    scratch
        Folder for files of Dask; other machines see it too.
    gpus
        How many GPUs this machine has, for workers on it.

    Raises
    ------
    UserError
        If the cluster cannot be reached or started: one sentence.
    """

    def __init__(self, setting: ClusterSetting, scratch: Path, gpus: int) -> None:
        self.setting = setting
        self._cluster: Any = None
        self._gpus_here = gpus
        require_writable(scratch)  # Dask would answer with a trace, or put its files elsewhere without a word
        if setting.is_here:
            self.client = open_client(scratch, gpus, setting.workers)
            return
        try:
            self.client = self._reach(setting, scratch)
            self.client.register_plugin(PrepareWorker())
        except ModuleNotFoundError as error:
            raise UserError(
                f"A worker of the cluster lacks {error.name}; expected the same programs as here: install spa-widgets "
                "there, in the same version."
            ) from error
        except (OSError, TimeoutError) as error:
            where = setting.address or setting.name or setting.kind
            raise UserError(
                f"The cluster {where} does not answer ({type(error).__name__}); start it, or open the project with "
                "another one: cluster='local' is this machine."
            ) from error

    def _reach(self, setting: ClusterSetting, scratch: Path) -> Client:
        from distributed import Client

        if setting.kind == ADDRESS:
            timeout_s = float(os.environ.get(TIMEOUT_VARIABLE) or _TIMEOUT_S)
            return Client(
                setting.address,
                security=_security(setting),
                set_as_default=False,
                timeout=timeout_s,
                name="spa-widgets",
            )
        self._cluster = _slurm(setting, scratch) if setting.kind == SLURM else _gateway(setting)
        return cast(Client, self._cluster.get_client())

    @property
    def gpus(self) -> int:
        """How many workers have a GPU; one while no worker of another machine has come, as it may."""
        if self.setting.is_here:
            return self._gpus_here
        known = self.client.sync(self.client.scheduler.identity)["workers"]
        return sum(GPU_SLOT in worker["resources"] for worker in known.values()) if known else 1

    def wait_for(self, slot: str) -> None:
        """Wait until a worker has a place of a kind.

        Raises
        ------
        UserError
            If there are workers, and none has a GPU.
        """
        while not self._has(slot):
            if self._has(JOB_SLOT):
                raise UserError(
                    "A GPU was asked for, but no worker of the cluster has one; use device 'cpu' or 'auto'."
                )
            time.sleep(_POLL_S)

    def _has(self, slot: str) -> bool:
        known = self.client.sync(self.client.scheduler.identity)["workers"]
        return any(slot in worker["resources"] for worker in known.values())

    def stranded(self, futures: Mapping[int, Future]) -> set[int]:
        """Return which tasks nobody has although somebody could.

        Dask leaves a task where it is when no worker has a place for it, and does not look again when one that is
        there gets a place; workers of other machines get theirs after they came.
        """
        if not self._has(JOB_SLOT):
            return set()
        taken = {key for keys in self.client.processing().values() for key in keys}
        return {number for number, future in futures.items() if future.status == "pending" and future.key not in taken}

    @property
    def may_spread(self) -> bool:
        """Whether there can be several workers of a kind, so that one job may use more than one."""
        return not self.setting.is_here or self.setting.workers > 1 or self._gpus_here > 1

    @property
    def is_lost(self) -> bool:
        """Whether the scheduler of another machine went away."""
        return self.client.status in ("closed", "connecting") and not self.setting.is_here

    def close(self) -> None:
        """Give batch jobs back; workers on this machine end with the runner, those of somebody else stay."""
        if self.setting.kind == SLURM:
            self._cluster.close(timeout=10)


def _security(setting: ClusterSetting) -> Security | None:
    """Return keys and certificates: those of the setting, else those of Dask's configuration."""
    from distributed.security import Security

    if not setting.address.startswith("tls://"):
        return None
    names = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
    given = {names[name]: value for name, value in setting.tls.items()}
    security: Any = Security(**given, require_encryption=True)
    if not security.tls_ca_file or not security.tls_client_cert:
        raise UserError(
            f"{setting.address} needs a certificate, and Dask's configuration names none; set "
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY to the files."
        )
    for name in ("tls_ca_file", "tls_client_cert", "tls_client_key"):
        value = getattr(security, name) or ""
        if "\n" not in value and not Path(value).is_file():
            raise UserError(f"{setting.address} needs the file {value!r} ({name}), which is not there.")
    found: Security = security
    return found


def _slurm(setting: ClusterSetting, scratch: Path) -> Any:
    """Start a scheduler here and ask SLURM for workers, as Dask's configuration `jobqueue.slurm` describes them."""
    import dask

    try:
        from dask_jobqueue import SLURMCluster
    except ModuleNotFoundError as error:
        raise UserError(f"SLURM needs {error.name}: pip install 'spa-widgets[cluster]'.") from error
    dask.config.set(DASK_SETTINGS)
    try:
        cluster = SLURMCluster(
            security=True, protocol="tls://", shared_temp_directory=str(scratch), log_directory=str(scratch)
        )
    except ValueError as error:
        raise UserError(
            f"Dask's configuration lacks something of jobqueue.slurm ({error}); deploy/slurm/jobqueue.yaml is a start."
        ) from error
    cluster.scale(jobs=setting.workers)
    return cluster


def _gateway(setting: ClusterSetting) -> Any:
    """Connect to a cluster that a person started at a Dask gateway."""
    try:
        from aiohttp import ClientError
        from dask_gateway import Gateway, GatewayClusterError, GatewayServerError
    except ModuleNotFoundError as error:
        raise UserError(f"A gateway needs {error.name}: pip install 'spa-widgets[cluster]'.") from error
    try:
        return Gateway(setting.address or None, setting.proxy or None).connect(setting.name)
    except (OSError, ValueError, ClientError, GatewayClusterError, GatewayServerError) as error:
        raise UserError(
            f"The cluster {setting.name} of the gateway cannot be reached: {str(error).rstrip('.')}."
        ) from error
