"""The runner's Dask cluster on one machine: CPU workers (one by default), and one worker for each GPU."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "warning")  # read once, when distributed is imported

import dask
from distributed import Client, Nanny, Scheduler, SpecCluster
from distributed.security import Security

THREADS_VARIABLE = "SPA_THREADS"
_THREAD_SETTINGS = ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
DASK_SETTINGS: dict[str, Any] = {
    "distributed.scheduler.allowed-failures": 1_000_000,  # the queue counts attempts itself
    "distributed.scheduler.worker-ttl": None,  # a long kernel may keep a worker silent
    "distributed.comm.timeouts.connect": "5s",  # how long one waits for a worker that died
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.limit": "1h",
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "10s",
    "distributed.scheduler.http.routes": [],  # no dashboard and no other pages either
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
    "distributed.nanny.pre-spawn-environ": {},
}
# the HTTP server cannot be left out: it listens on the loopback interface and has no page
_NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}


def usable_cores() -> int:
    """Return how many cores a job may use: ``SPA_THREADS``, else those that the system grants this process."""
    wanted = os.environ.get(THREADS_VARIABLE, "")
    if wanted.isdigit() and int(wanted) > 0:
        return int(wanted)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def count_gpus() -> int:
    """Count NVIDIA devices without making a CUDA context in this process."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return len([name for name in visible.split(",") if name.strip() not in ("", "-1")])
    listed = list(Path("/proc/driver/nvidia/gpus").glob("*"))
    return len(listed) or len(list(Path("/dev").glob("nvidia[0-9]*")))  # in some containers only the devices show


def open_client(scratch: Path, gpus: int, cpu_workers: int = 1) -> Client:
    """Start scheduler (in this process) and workers (each a process of its own, restarted when it dies).

    All traffic is on the loopback interface and encrypted with a key made for this run; there is no dashboard.

    Parameters
    ----------
    scratch
        Folder for the workers' own files.
    gpus
        How many GPUs there are.
    cpu_workers
        How many processes share the cores.
    """
    dask.config.set(DASK_SETTINGS)
    security = Security.temporary()
    address: dict[str, Any] = {"host": "127.0.0.1", "protocol": "tls://", "security": security}
    common = {**address, "memory_limit": 0}
    share = {name: str(max(usable_cores() // cpu_workers, 1)) for name in _THREAD_SETTINGS}
    workers = {}
    for index in range(cpu_workers):
        # quick jobs run beside a long one, and parts of a job that is spread
        workers[f"cpu-{index}"] = _worker(2, {"CPU": 1, "QUICK": 1, "MAP": 1}, share, scratch, common)
    for index, name in enumerate(_gpu_names(gpus)):
        slots: dict[str, float] = {"GPU": 1, f"GPU{index}": 1, "MAP": 1}  # any GPU, or this one
        workers[f"gpu-{name}"] = _worker(1, slots, {"CUDA_VISIBLE_DEVICES": name}, scratch, common)
    scheduler = {"cls": Scheduler, "options": {**address, **_NO_DASHBOARD, "port": 0}}
    cluster = SpecCluster(workers=workers, scheduler=scheduler, security=security, silence_logs=40)
    return Client(cluster, security=security, set_as_default=False)


def _gpu_names(gpus: int) -> list[str]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [name.strip() for name in visible.split(",")][:gpus] if visible else [str(i) for i in range(gpus)]


def _worker(
    slots: int, resources: dict[str, float], env: dict[str, str], scratch: Path, common: dict[str, Any]
) -> dict[str, Any]:
    threads = {name: str(usable_cores()) for name in _THREAD_SETTINGS}
    options = {
        **common,
        "nthreads": slots,
        "resources": resources,
        "env": {**threads, **env},
        "local_directory": str(scratch),
        **_NO_DASHBOARD,
        "death_timeout": 60,
    }
    return {"cls": Nanny, "options": options}
