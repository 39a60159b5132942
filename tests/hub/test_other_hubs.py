"""The Littlest JupyterHub and Zero to JupyterHub: what is given to them is read, and works, without the rest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.hub.running import DEPLOY

OTHERS = DEPLOY.parent


@pytest.fixture(scope="module")
def values() -> Any:
    yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")
    return yaml.safe_load((OTHERS / "zero-to-jupyterhub" / "values.yaml").read_text(encoding="utf-8"))


def test_the_littlest_hub_reads_its_settings(tmp_path: Path) -> None:
    pytest.importorskip("jupyterhub", reason="jupyterhub is not installed")
    from traitlets.config import PyFileConfigLoader

    (tmp_path / "hub.toml").write_text("servers = 7\nguests = '/etc/spa-hub/guests.json'\n", encoding="utf-8")
    text = (OTHERS / "tljh" / "spa.py").read_text(encoding="utf-8")
    for there, here in (("/opt/spa-hub", DEPLOY), ("/etc/spa-hub/hub.toml", tmp_path / "hub.toml")):
        assert there in text
        text = text.replace(f'"{there}"', repr(str(here)))
    (tmp_path / "spa.py").write_text(text, encoding="utf-8")
    read = PyFileConfigLoader("spa.py", path=str(tmp_path)).load_config()
    assert read.JupyterHub.authenticator_class.__name__ == "GuestAuthenticator"
    assert read.JupyterHub.active_server_limit == 7
    assert read.GuestAuthenticator.guests_file == "/etc/spa-hub/guests.json"


def test_kubernetes_gets_every_file_that_its_login_needs(values: Any, tmp_path: Path) -> None:
    """The hub's pod has the files of the values alone: the login works with them, in a process that finds no others."""
    pytest.importorskip("jupyterhub", reason="jupyterhub is not installed")
    files = {name: Path(item["mountPath"]) for name, item in values["hub"]["extraFiles"].items()}
    told = (OTHERS / "zero-to-jupyterhub" / "README.md").read_text(encoding="utf-8")
    for name, mounted in files.items():
        assert f"hub.extraFiles.{name}.stringData=" in told, f"no --set-file brings {name}"
        if mounted.suffix == ".py":
            target = tmp_path / mounted.relative_to("/opt/spa-hub")
            target.parent.mkdir(exist_ok=True)
            shutil.copyfile(DEPLOY / mounted.relative_to("/opt/spa-hub"), target)
    snippet = values["hub"]["extraConfig"]["10-guests"].replace("/opt/spa-hub", str(tmp_path))
    code = f"from traitlets.config import Config\nc = Config()\n{snippet}\nprint(GuestAuthenticator.__module__)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "spa_hub.authenticator"


def test_kubernetes_tells_lookers_on_to_look(values: Any) -> None:
    config = SimpleNamespace(Spawner=SimpleNamespace())
    exec(values["hub"]["extraConfig"]["20-lookers-on"], {"c": config})  # as the hub does
    for group, told in (("lookers-on", {"SPA_READ_ONLY": "1"}), ("guests", {})):
        spawner = SimpleNamespace(user=SimpleNamespace(groups=[SimpleNamespace(name=group)]), environment={})
        config.Spawner.pre_spawn_hook(spawner)
        assert spawner.environment == told


def test_kubernetes_keeps_what_the_class_needs(values: Any) -> None:
    mounts = values["singleuser"]["storage"]["extraVolumeMounts"]
    assert [mount["readOnly"] for mount in mounts] == [True], "participants cannot write the class store"
    assert values["singleuser"]["extraEnv"]["SPA_CLASS_STORE"].startswith(mounts[0]["mountPath"])
    assert values["cull"]["enabled"] and values["singleuser"]["networkPolicy"]["enabled"]
    placeholders = re.findall(r"<[^>]+>", (OTHERS / "zero-to-jupyterhub" / "values.yaml").read_text(encoding="utf-8"))
    assert "<angle brackets>" in placeholders and len(placeholders) >= 4, "what must be filled in is marked"
