"""A real JupyterHub on this machine: its proxy, its guests as system users, an interpreter that they may run."""

from __future__ import annotations

import importlib.util
import json
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.browser.lab import ROOT, free_port

DEPLOY = ROOT / "deploy" / "jupyterhub"
PROXIES = [ROOT / "build" / "hub" / "node_modules" / ".bin" / "configurable-http-proxy"]
READY_S = 600.0  # when everything else on the machine is busy too


def find_proxy() -> Path | None:
    """Give the proxy that is installed, if any."""
    found = shutil.which("configurable-http-proxy")
    return next((path for path in ([Path(found)] if found else []) + PROXIES if path.exists()), None)


def what_is_missing() -> str:
    """Say why a hub cannot run here; empty if it can."""
    if os.geteuid() != 0:
        return "a hub needs root, to be each guest's own user"
    for module in ("jupyterhub", "jupyterhub_idle_culler"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: pip install '.[hub]'"
    if find_proxy() is None:
        return "configurable-http-proxy is not installed: npm install --prefix build/hub configurable-http-proxy@5"
    if shutil.which("useradd") is None or shutil.which("runuser") is None:
        return "useradd and runuser are not there"
    return ""


def as_user(name: str, *command: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run a command as another user."""
    runuser = shutil.which("runuser") or "/usr/sbin/runuser"  # an environment among the options may have a short PATH
    return subprocess.run(
        [runuser, "-u", name, "--", *command], capture_output=True, encoding="utf-8", check=False, cwd="/", **options
    )


def python_for_everybody(folder: Path) -> Path:
    """Give an interpreter with this one's packages that any user may run.

    A virtual environment is often made from an interpreter in somebody's home; then another one of the same version is
    taken with the same packages. Skips the test where there is none.
    """
    if as_user("nobody", sys.executable, "-c", "").returncode == 0:
        return Path(sys.executable)
    version = "{}.{}".format(*sys.version_info)
    base = Path(f"/usr/bin/python{version}")
    if not base.exists():
        pytest.skip(f"other users cannot run {sys.executable}, and there is no {base}")
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(base)
    (folder / "pyvenv.cfg").write_text(f"home = /usr/bin\nversion = {version}\n", encoding="utf-8")
    for part in ("share", "etc"):
        (folder / part).symlink_to(Path(sys.prefix) / part)
    packages = Path(sysconfig.get_path("purelib"))
    (folder / "lib" / f"python{version}").mkdir(parents=True)
    (folder / "lib" / f"python{version}" / "site-packages").symlink_to(packages)
    python = folder / "bin" / "python"
    tried = as_user("nobody", str(python), "-c", "import spa_widgets, jupyterlab, jupyterhub")
    if tried.returncode != 0:
        pytest.skip(f"other users cannot run the packages of this environment: {tried.stderr.strip()[-200:]}")
    return python


class RunningHub:
    """A hub in a folder, made by the commands of its README."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.folder, self.port = folder, free_port()
        folder.mkdir()
        self.names: list[str] = []
        self.phrases: dict[str, str] = {}
        self.python = python_for_everybody(folder / "python")
        ports = {"hub_port": free_port(), "proxy_api": free_port()}
        values = {
            "port": self.port, "state": str(folder / "state"), "proxy": str(find_proxy()),
            "guests": str(folder / "etc" / "guests.json"), **settings,
        }  # fmt: skip
        (folder / "etc").mkdir()
        toml = [f"{name} = {json.dumps(value)}" for name, value in values.items() if not isinstance(value, dict)]
        for name, table in ((name, value) for name, value in values.items() if isinstance(value, dict)):
            toml += [f"[{name}]", *(f"{key} = {json.dumps(value)}" for key, value in table.items())]
        (folder / "etc" / "hub.toml").write_text("\n".join(toml) + "\n", encoding="utf-8")
        self._ports = ports
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address for a browser."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run the command that keeps the guest book."""
        return subprocess.run(
            [sys.executable, "-m", "spa_hub", "--folder", str(self.folder / "etc"), *words],
            cwd=DEPLOY, capture_output=True, encoding="utf-8", check=False,
        )  # fmt: skip

    def guests(self, number: int, role: str, prefix: str) -> list[str]:
        """Make guests with accounts, and keep their phrases; gives the names."""
        done = self.command("make", str(number), "--role", role, "--prefix", prefix)
        assert done.returncode == 0, done.stderr
        slips = [
            line.split("\t") for line in (self.folder / "etc" / "phrases.txt").read_text(encoding="utf-8").splitlines()
        ]
        made = {name: phrase for _, name, phrase in slips if name.startswith(prefix)}
        self.names += list(made)
        self.phrases |= made
        return list(made)

    def start(self) -> None:
        """Start the hub and wait until it answers."""
        environment = dict(
            os.environ, SPA_HUB_SETTINGS=str(self.folder / "etc" / "hub.toml"), SPA_HUB_PYTHON=str(self.python)
        )
        command = [
            sys.executable, "-m", "jupyterhub", f"--config={DEPLOY / 'jupyterhub_config.py'}",
            f"--JupyterHub.hub_port={self._ports['hub_port']}",
            f"--ConfigurableHTTPProxy.api_url=https://127.0.0.1:{self._ports['proxy_api']}",
        ]  # fmt: skip
        with (self.folder / "hub.log").open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/hub/login", timeout=30).close()
                return
            except (OSError, urllib.error.URLError):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(self.log()[-4000:]) from None
                time.sleep(0.3)

    def log(self) -> str:
        """What hub, proxy and servers printed."""
        return (self.folder / "hub.log").read_text(encoding="utf-8")

    def home(self, name: str) -> Path:
        """Home of a guest."""
        return Path(pwd.getpwnam(name).pw_dir)

    def close(self) -> None:
        """End the hub, its servers and what they started; delete the guests."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        for name in self.names:
            as_user(name, "kill", "-9", "-1")  # every process of this user, who is the test's own
            removed = self.command("remove", name, "--delete-files")
            assert removed.returncode == 0, removed.stderr


@contextmanager
def engine_service(folder: Path) -> Iterator[None]:
    """Run an engine service that guests may ask, and lookers-on may not."""
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "spa_widgets.cli",
        "service",
        "run",
        "--root",
        str(folder),
        "--group",
        "spa-guests",
    ]
    with (folder / "service.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, "SPA_THREADS": "1"}, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + READY_S
        while not (folder / "service.json").exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError((folder / "service.log").read_text(encoding="utf-8")[-2000:])
            time.sleep(0.1)
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
