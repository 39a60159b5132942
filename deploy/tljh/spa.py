"""The Littlest JupyterHub for a class: copy to /opt/tljh/config/jupyterhub_config.d/spa.py (see README.md)."""

import sys
from pathlib import Path

c = get_config()  # noqa: F821

here = Path("/opt/spa-hub")  # a copy of deploy/jupyterhub
sys.path.insert(0, str(here))

from spa_hub.authenticator import GuestAuthenticator  # noqa: E402
from spa_hub.participants import configure_servers  # noqa: E402
from spa_hub.settings import Settings  # noqa: E402

settings = Settings.read(Path("/etc/spa-hub/hub.toml"))

c.JupyterHub.authenticator_class = GuestAuthenticator
c.GuestAuthenticator.guests_file = settings.guests
c.JupyterHub.active_server_limit = settings.servers
configure_servers(c, settings, here, ["/opt/tljh/user/bin/jupyterhub-singleuser"])
c.SystemdSpawner.isolate_tmp = True
c.SystemdSpawner.isolate_devices = True  # GPUs belong to the engine service
c.SystemdSpawner.unit_extra_properties = {"TasksMax": str(settings.processes), "UMask": "0077", "Nice": "5"}
