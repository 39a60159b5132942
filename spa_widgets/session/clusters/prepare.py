"""What a worker of somebody else's cluster needs before it gets jobs: places for them, and the same program."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distributed import WorkerPlugin

from engine.arrays import gpu_available
from spa_widgets import __version__
from spa_widgets.errors import UserError
from spa_widgets.session.clusters.mapping import GPU_SLOT, MAP_SLOT

if TYPE_CHECKING:
    from distributed import Worker

JOB_SLOT, QUICK_SLOT = "CPU", "QUICK"
PLUGIN = "spa-widgets"


class PrepareWorker(WorkerPlugin):
    """Give each worker, also one that comes later, places for jobs; those with a GPU a place for it."""

    name = PLUGIN

    async def setup(self, worker: Worker) -> None:
        """Run on the worker when it is met."""
        _use_threads(worker.state.nthreads)
        slots: dict[str, float] = {JOB_SLOT: 1, QUICK_SLOT: 1, MAP_SLOT: 1}
        if gpu_available():
            slots[GPU_SLOT] = 1
        await worker.set_resources(**slots)


def _use_threads(count: int) -> None:
    """Let the kernels use the threads that this worker was given."""
    os.environ["NUMBA_NUM_THREADS"] = str(count)


def require_same_project(project: Path, facts: dict[str, Any]) -> None:
    """Compare the project folder that a worker sees, and its version of the program, with the runner's.

    Raises
    ------
    UserError
        If the folder is another one, or not there, or the version differs.
    """
    from spa_widgets.session.project import Project

    host = socket.gethostname()
    if facts["version"] != __version__:
        raise UserError(
            f"The worker on {host} has spa-widgets {__version__}, {facts['host']} has {facts['version']}; install the "
            "same version on all machines."
        )
    try:
        seen = Project(project).settings.get("created")
    except (OSError, UserError):
        seen = None
    if seen != facts["created"]:
        raise UserError(
            f"The worker on {host} does not see the project {project} as {facts['host']} does; all machines of a "
            "cluster need this folder under this path: mount it there, or leave that machine out."
        )
