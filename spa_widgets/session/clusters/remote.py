"""One job on a worker of a cluster, followed from here: for commands, which have no project and no runner."""

from __future__ import annotations

import shutil
import socket
import time
import uuid
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.clusters.connect import Workers
from spa_widgets.session.clusters.mapping import GPU_SLOT, spread
from spa_widgets.session.clusters.prepare import JOB_SLOT
from spa_widgets.session.clusters.setting import ClusterSetting
from spa_widgets.session.context import EventSink
from spa_widgets.session.events import EVENTS_FILE, EventReader, EventWriter
from spa_widgets.session.execute import execute
from spa_widgets.session.registry import load_steps
from spa_widgets.session.spec import JobSpec
from spa_widgets.session.store import Store

_CANCELLED = "cancelled"
_POLL_S = 0.1
_FLAG_EVERY_S = 0.5


def execute_on(setting: ClusterSetting, spec: JobSpec, store: Store, device: str, on_event: EventSink) -> str:
    """Run a job on a cluster and wait for it; return its key. An interrupt cancels it there.

    Parameters
    ----------
    setting
        Where.
    spec, store, device, on_event
        As for `spa_widgets.session.execute.execute`; all machines see the store and raw files under the same paths.

    Raises
    ------
    UserError, ValueError
        What the job says, or that the cluster cannot be reached.
    """
    from spa_widgets.session.cluster import count_gpus

    workers = Workers(setting, store.path / "work" / "dask", count_gpus())
    try:
        return run_on(workers, spec, store, device, on_event)
    finally:
        workers.close()
        if setting.is_here:
            workers.client.shutdown()


def run_on(workers: Workers, spec: JobSpec, store: Store, device: str, on_event: EventSink) -> str:
    """Run a job on workers that are there (see `execute_on`)."""
    slot = GPU_SLOT if device == "gpu" else JOB_SLOT
    workers.wait_for(slot)
    talk = store.path / "work" / f"command-{uuid.uuid4().hex}"
    talk.mkdir(parents=True)
    events, cancelled = talk / EVENTS_FILE, talk / _CANCELLED
    events.touch()
    future = workers.client.submit(
        _execute_here,
        spec,
        store,
        device,
        str(talk),
        socket.gethostname(),
        resources={slot: 1},
        pure=False,
    )
    reader, told = EventReader(events), 0
    try:
        done = False
        while not done:
            done = future.done()
            for event in reader.follow()[told:]:
                on_event(event)
            told = len(reader.events)
            time.sleep(0 if done else _POLL_S)
        return str(future.result())
    except BaseException:
        cancelled.touch()  # the worker looks at it
        raise
    finally:
        if future.done():
            shutil.rmtree(talk, ignore_errors=True)


def _execute_here(spec: JobSpec, store: Store, device: str, talk: str, host: str) -> str:
    """Run a job as a task on a worker."""
    folder = Path(talk)
    if not folder.is_dir():
        raise UserError(
            f"The worker on {socket.gethostname()} does not see {store.path} as {host} does; all machines of a cluster "
            "need the store under this path: mount it there, or choose another --store."
        )
    load_steps()
    flag = _Flag(folder / _CANCELLED)
    return execute(spec, store, device, EventWriter(folder / EVENTS_FILE), flag.is_up, spread)


class _Flag:
    """A file that somebody else makes, looked for now and then."""

    def __init__(self, path: Path) -> None:
        self._path, self._looked, self._answer = path, 0.0, False

    def is_up(self) -> bool:
        if not self._answer and time.monotonic() - self._looked > _FLAG_EVERY_S:
            self._answer, self._looked = self._path.exists() or not self._path.parent.exists(), time.monotonic()
        return self._answer
