"""How a person names a cluster, and what of it a project remembers for its runner."""

from __future__ import annotations

import ipaddress
import json
import os
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from spa_widgets.errors import UserError

CLUSTER_FILE = "cluster.json"
HERE, ADDRESS, SLURM, GATEWAY = "here", "address", "slurm", "gateway"
_NAMES = (
    "'local' (this machine), 'LocalCluster:4' (4 workers on it), 'LocalCUDACluster' (one for each GPU), 'slurm:8' "
    "(8 batch jobs), 'gateway:NAME', or the address of a Dask scheduler, such as 'tls://login:8786'"
)


@dataclass(frozen=True)
class ClusterSetting:
    """Where the jobs of a project run.

    Attributes
    ----------
    kind
        ``here`` (workers on the runner's machine), ``address`` (of a Dask scheduler), ``slurm`` or ``gateway``.
    workers
        How many CPU workers, or batch jobs.
    address
        Of the scheduler, or of the gateway.
    proxy
        Where the gateway lets clients through to its schedulers, when that is another address.
    name
        Of the gateway's cluster.
    tls
        Authority, certificate and key for the scheduler: files, or what would be in them.
    """

    kind: str = HERE
    workers: int = 1
    address: str = ""
    proxy: str = ""
    name: str = ""
    tls: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_here(self) -> bool:
        """Whether the runner starts the workers as processes beside itself."""
        return self.kind == HERE

    @classmethod
    def of(cls, cluster: Any) -> ClusterSetting:
        """Understand what a person gave: a name, an address, or a cluster of Dask.

        Raises
        ------
        UserError
            If it is none of these, or its traffic would not be encrypted.
        """
        return _named(cluster.strip()) if isinstance(cluster, str) else _of_object(cluster)

    @classmethod
    def load(cls, project: Path) -> ClusterSetting:
        """Return what a project remembers: this machine, when it remembers none."""
        try:
            found = json.loads((project / ".spa" / CLUSTER_FILE).read_text(encoding="utf-8"))
            return cls(**found)
        except FileNotFoundError:
            return cls()
        except (OSError, ValueError, TypeError) as error:
            raise UserError(
                f"What {project} remembers of its cluster cannot be read ({error}); open it again with cluster=…."
            ) from error

    def save(self, project: Path) -> bool:
        """Let a project remember it; tell whether it is another one than before. The key is for the owner's eyes."""
        file = project / ".spa" / CLUSTER_FILE
        with suppress(UserError):  # what cannot be read is another one
            if self == ClusterSetting.load(project):
                return False
        if self == ClusterSetting():
            file.unlink(missing_ok=True)
            return True
        part = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}.tmp")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as stream:
            json.dump(asdict(self), stream)
        part.replace(file)
        return True


def _named(text: str) -> ClusterSetting:
    if "://" in text:
        return ClusterSetting(ADDRESS, address=_checked_address(text))
    name, _, rest = text.partition(":")
    if name == "gateway" and rest:
        return ClusterSetting(GATEWAY, name=rest)
    if name in ("local", "LocalCUDACluster") and not rest:
        return ClusterSetting()
    if name in ("LocalCluster", "slurm") and (not rest or (rest.isdigit() and 0 < int(rest) <= 10_000)):
        if name == "slurm":
            return ClusterSetting(SLURM, workers=int(rest or 1))
        from spa_widgets.session.cluster import usable_cores

        return ClusterSetting(HERE, workers=int(rest or usable_cores()))
    raise UserError(f"The cluster is {text!r}; expected {_NAMES}.")


def _of_object(cluster: Any) -> ClusterSetting:
    address = getattr(cluster, "scheduler_address", None)
    if not isinstance(address, str) or not address:
        raise UserError(f"The cluster is {type(cluster).__name__}, not one of Dask that runs; expected {_NAMES}.")
    if type(cluster).__module__.partition(".")[0] == "dask_gateway":
        gateway = cluster.gateway
        return ClusterSetting(
            GATEWAY, name=str(cluster.name), address=str(gateway.address), proxy=str(gateway.proxy_address)
        )
    security = getattr(cluster, "security", None)
    pairs = {"ca": "tls_ca_file", "cert": "tls_client_cert", "key": "tls_client_key"}
    tls = {name: getattr(security, attribute, None) for name, attribute in pairs.items()}
    return ClusterSetting(
        ADDRESS, address=_checked_address(address), tls={name: str(value) for name, value in tls.items() if value}
    )


def _checked_address(address: str) -> str:
    parts = urlsplit(address)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if parts.scheme == "inproc":
        raise UserError(
            f"The cluster {address} lives inside this process, where no runner reaches it; make it with processes=True."
        )
    if parts.scheme not in ("tls", "tcp") or not host or not port:
        raise UserError(f"The cluster's address is {address!r}; expected one such as 'tls://login:8786'.")
    if parts.scheme == "tcp" and not _is_loopback(host):
        raise UserError(
            f"The scheduler {address} would be spoken to without encryption, and anyone in between could run code; "
            "expected tls://: start scheduler and workers with --tls-ca-file, --tls-cert and --tls-key."
        )
    return address


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
