"""JupyterHub for a class on one machine. What changes from class to class is in hub.toml (see README.md)."""

import importlib.util
import os
import sys
from pathlib import Path

c = get_config()  # noqa: F821

here = Path(__file__).resolve().parent
sys.path.insert(0, str(here))

from spa_hub.authenticator import GuestAuthenticator  # noqa: E402
from spa_hub.participants import configure_servers  # noqa: E402
from spa_hub.settings import Settings  # noqa: E402
from spa_hub.spawner import LimitedSpawner  # noqa: E402

if os.geteuid() != 0:
    sys.exit("The hub starts each participant's server as that user, which only root can: start it with sudo.")
settings = Settings.read(Path(os.environ.get("SPA_HUB_SETTINGS", "/etc/spa-hub/hub.toml")))
state = Path(settings.state)
state.mkdir(mode=0o700, parents=True, exist_ok=True)

# -- doors: the proxy is the only one; everything behind it listens on the loopback and asks for a token -------------
c.JupyterHub.bind_url = f"http{'s' if settings.certificate else ''}://{settings.address}:{settings.port}"
c.JupyterHub.ssl_cert, c.JupyterHub.ssl_key = settings.certificate, settings.key
c.ConfigurableHTTPProxy.command = [settings.proxy]
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.JupyterHub.db_url = f"sqlite:///{state}/hub.sqlite"
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")
# certificates of its own for hub, proxy and servers: nobody can listen in another's place
c.JupyterHub.internal_ssl = True
c.JupyterHub.internal_certs_location = str(state / "internal-ssl")

# -- people ----------------------------------------------------------------------------------------------------------
c.JupyterHub.authenticator_class = GuestAuthenticator
c.GuestAuthenticator.guests_file = settings.guests
c.JupyterHub.active_server_limit = settings.servers
c.JupyterHub.concurrent_spawn_limit = 2 * (os.cpu_count() or 1)

# -- each participant's server ---------------------------------------------------------------------------------------
python = os.environ.get("SPA_HUB_PYTHON", sys.executable)
configure_servers(c, settings, here, [python, "-m", "jupyterhub.singleuser"])
c.Spawner.env_keep = ["LANG", "LC_ALL"]
c.Spawner.environment = {"PATH": f"{Path(python).parent}:/usr/local/bin:/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": ""}
if Path("/run/systemd/system").is_dir() and importlib.util.find_spec("systemdspawner"):
    c.JupyterHub.spawner_class = "systemdspawner.SystemdSpawner"
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True  # GPUs belong to the engine service
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.unit_extra_properties = {"TasksMax": str(settings.processes), "UMask": "0077", "Nice": "5"}
else:
    c.JupyterHub.spawner_class = LimitedSpawner
    c.LimitedSpawner.processes_limit = settings.processes

# -- idle servers are stopped; jobs go on, and come back with the next session ---------------------------------------
idle_s = round(settings.idle_minutes * 60)
c.JupyterHub.services = [
    {
        "name": "idle-culler",
        "command": [
            sys.executable, "-m", "jupyterhub_idle_culler",
            f"--timeout={idle_s}", f"--cull-every={max(5, idle_s // 10)}",
            "--ssl-enabled=true", f"--internal-certs-location={state / 'internal-ssl'}",
        ],
    }
]  # fmt: skip
c.JupyterHub.load_roles = [
    {
        "name": "idle-culler",
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
        "services": ["idle-culler"],
    }
]
