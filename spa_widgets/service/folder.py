"""The folder of a service: its settings, and the permissions that its safety rests on."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from spa_widgets.errors import UserError
from spa_widgets.session.disk import disk_in_words
from spa_widgets.session.store import Store
from spa_widgets.session.tickets import FORMAT_VERSION, SERVICE_VARIABLE, ServicePlace
from spa_widgets.session.whole import write_json


@dataclass(frozen=True)
class ServiceSettings:
    """How a service runs.

    Attributes
    ----------
    root
        Its folder: spool, tickets, board.
    store
        The class store; ``store`` in `root` by default.
    memory_gb
        A job that uses more is ended; 0 for no limit.
    max_request_mb, max_file_gb
        Size of a request, and of a participant's file.
    max_open_jobs
        How many unanswered requests a user may have.
    max_requests_an_hour
        How many requests of a user are taken within an hour.
    max_user_gb
        Results and copied files that one user may be the first to ask for; 0 for no limit.
    min_free_gb
        What stays free on the disk.
    group
        Only members of this group may ask; everybody on the machine by default.
    """

    root: Path
    store: Path | None = None
    memory_gb: float = 0.0
    max_request_mb: float = 4.0
    max_file_gb: float = 16.0
    max_open_jobs: int = 200
    max_requests_an_hour: int = 2000
    max_user_gb: float = 100.0
    min_free_gb: float = 2.0
    group: str = ""


def prepare_folder(settings: ServiceSettings) -> ServicePlace:
    """Make the folder of a service with the permissions that its safety rests on.

    Raises
    ------
    UserError
        If the folder cannot be made, or belongs to another account.
    """
    os.umask(0o022)
    os.environ.pop(SERVICE_VARIABLE, None)  # the service asks no other service
    root = settings.root.expanduser().absolute()
    store = (settings.store or root / "store").expanduser().absolute()
    try:
        root.mkdir(parents=True, exist_ok=True)
        if root.stat().st_uid != os.geteuid():
            raise UserError(f"{root} belongs to another account; run the service as its owner, or choose a new folder.")
        # requests may be put, not listed, and not taken by others; answers are found by those who know their number
        for name, mode in (("spool", 0o1733), ("tickets", 0o711), ("private", 0o700), ("raw", 0o755)):
            (root / name).mkdir(exist_ok=True)
            (root / name).chmod(mode)
        if settings.group:
            shutil.chown(root / "spool", group=settings.group)
            (root / "spool").chmod(0o1730)
    except (OSError, LookupError) as error:
        raise UserError(f"Cannot make the folder {root} of the service: {error}.") from error
    Store.open(store)
    with disk_in_words(root):
        write_json(root / "service.json", {"format": FORMAT_VERSION, "store": str(store)})
    return ServicePlace.open(root)
