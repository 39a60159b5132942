"""What is the same on every hub: how a participant's notebook server starts and what its sessions are told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spa_hub.settings import Settings


def configure_servers(c: Any, settings: Settings, here: Path, server: Sequence[str]) -> None:
    """Set how participants' servers start.

    Parameters
    ----------
    c
        JupyterHub's configuration.
    settings
        Settings of the class.
    here
        Folder with ``start-server`` and ``server_config.py``; every participant may read it.
    server
        Command of the notebook server.
    """
    c.Spawner.cmd = [str(here / "start-server"), *server]
    c.Spawner.args = [f"--config={here / 'server_config.py'}"]
    c.Spawner.default_url = settings.first_page
    c.Spawner.notebook_dir = "~"
    c.Spawner.mem_limit = int(settings.memory_gb * 2**30)
    c.Spawner.cpu_limit = settings.cores
    c.Spawner.start_timeout = c.Spawner.http_timeout = 180

    def tell_session(spawner: Any) -> None:
        groups = {group.name for group in spawner.user.groups}
        spawner.environment = {**spawner.environment, **settings.environment(groups)}

    c.Spawner.pre_spawn_hook = tell_session
