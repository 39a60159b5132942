"""Run a service as a process: its lock, its log, its end."""

from __future__ import annotations

import logging
import signal
import socket

from spa_widgets.errors import UserError
from spa_widgets.service.engine_service import EngineService
from spa_widgets.service.folder import ServiceSettings
from spa_widgets.session.lease import try_lock
from spa_widgets.session.registry import load_steps

_log = logging.getLogger("spa.service")


def run_service(settings: ServiceSettings) -> int:
    """Run a service until it is told to end; return the exit status.

    Raises
    ------
    UserError
        If another one runs on the same folder.
    """
    logging.basicConfig(format="%(asctime)s %(name)s %(message)s", level=logging.WARNING)
    logging.getLogger("spa").setLevel(logging.INFO)
    load_steps()
    service = EngineService(settings)
    signal.signal(signal.SIGTERM, service.stop)
    signal.signal(signal.SIGINT, service.stop)
    handle = try_lock(service.project.runner_lock)
    if handle is None:
        raise UserError(f"A service already runs on {service.place.root}; 'spa service status' shows its queue.")
    _log.info("service on %s, %s, class store %s", socket.gethostname(), service.place.root, service.place.store)
    service.run()
    return 0
